use std::cell::Cell;

fn main() {
    let moved = urcu::Rcu::new(Cell::new(1));
    std::thread::spawn(move || moved.read().set(2)).join().unwrap();
    let shared = urcu::Rcu::new(1);
    let seen = shared.read();
    std::thread::scope(|scope| {
        scope.spawn(|| shared.snapshot());
        scope.spawn(move || println!("{}", *seen));
    });
}
