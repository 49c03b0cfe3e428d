// The cell's count is given up on another thread.
use std::cell::Cell;
use std::sync::Arc;

fn main() {
    let cell = urcu::RcuArc::new(Arc::new(Cell::new(1)));
    cell.swap(Arc::new(Cell::new(2)));
}
