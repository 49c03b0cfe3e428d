fn main() {
    let cell = urcu::RcuOption::new(Some(1));
    let guard = urcu::read_lock();
    let found = cell.compare_exchange(None, Some(2), &guard).unwrap_err();
    drop(guard);
    println!("{:?}", found.current);
}
