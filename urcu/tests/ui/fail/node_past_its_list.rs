fn main() {
    let guard = urcu::read_lock();
    let list = urcu::link::Link::<u32>::empty();
    let node = list.load(&guard);
    drop(list);
    println!("{node:?}");
}
