fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    std::thread::spawn(|| println!("{}", *cell.read()));
}
