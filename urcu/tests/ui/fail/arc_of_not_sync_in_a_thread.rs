// Unlike a `Box`: other threads may have the same `Arc`.
use std::cell::Cell;
use std::sync::Arc;

fn main() {
    let cell = urcu::RcuArc::new(Arc::new(Cell::new(1)));
    std::thread::spawn(move || cell.read().set(2));
}
