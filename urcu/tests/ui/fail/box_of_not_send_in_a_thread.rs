// The trait object does not promise `Send`.
fn main() {
    let cell: urcu::RcuBox<dyn std::fmt::Debug> = urcu::RcuBox::new(Box::new(1));
    std::thread::spawn(move || println!("{:?}", cell.read()));
}
