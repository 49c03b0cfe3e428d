fn main() {
    let guard = urcu::read_lock();
    let cell = urcu::Rcu::new(String::from("value"));
    let value = cell.load(&guard);
    println!("{value}");
    drop(cell);
    drop(guard);
}
