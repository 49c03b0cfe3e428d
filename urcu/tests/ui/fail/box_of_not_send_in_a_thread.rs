// The trait object does not promise `Send`.
fn main() {
    let cell: urcu::Rcu<dyn std::fmt::Debug> = urcu::Rcu::new_boxed(Box::new(1));
    std::thread::spawn(move || println!("{:?}", cell.read()));
}
