fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    std::thread::scope(|scope| {
        scope.spawn(|| println!("{}", *cell.read()));
        drop(cell);
    });
}
