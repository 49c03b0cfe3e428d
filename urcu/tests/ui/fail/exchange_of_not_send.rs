use std::rc::Rc;

fn main() {
    let cell = urcu::RcuOption::new(Some(Rc::new(1)));
    let guard = urcu::read_lock();
    let _ = cell.compare_exchange(cell.load(&guard), None, &guard);
}
