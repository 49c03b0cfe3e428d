fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let guard = urcu::read_lock();
    let value = cell.load(&guard);
    drop(guard);
    println!("{value}");
}
