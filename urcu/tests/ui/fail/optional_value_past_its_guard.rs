fn main() {
    let cell = urcu::RcuOption::new(Some(1));
    let guard = urcu::read_lock();
    let value = cell.load(&guard);
    drop(guard);
    println!("{value:?}");
}
