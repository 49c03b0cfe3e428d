use std::cell::Cell;

fn main() {
    let cell = urcu::Rcu::new(Cell::new(1));
    let seen = cell.read();
    std::thread::scope(|scope| {
        scope.spawn(move || seen.set(2));
    });
}
