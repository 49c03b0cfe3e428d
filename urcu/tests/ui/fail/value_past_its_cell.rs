fn main() {
    let guard = urcu::read_lock();
    let cell = urcu::Rcu::new(String::from("value"));
    let value = cell.load(&guard);
    drop(cell);
    println!("{value}");
}
