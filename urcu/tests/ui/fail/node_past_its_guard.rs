fn main() {
    let list = urcu::link::Link::<u32>::empty();
    let guard = urcu::read_lock();
    let node = list.load(&guard);
    drop(guard);
    println!("{node:?}");
}
