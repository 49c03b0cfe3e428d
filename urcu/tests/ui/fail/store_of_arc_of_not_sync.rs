use std::cell::Cell;
use std::sync::Arc;

fn main() {
    let cell = urcu::RcuArc::new(Arc::new(Cell::new(1)));
    cell.store(Arc::new(Cell::new(2)));
}
