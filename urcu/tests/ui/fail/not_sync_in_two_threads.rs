use std::cell::Cell;

fn main() {
    let cell = urcu::Rcu::new(Cell::new(1));
    std::thread::scope(|scope| {
        scope.spawn(|| cell.read().set(2));
    });
}
