fn main() {
    let list = urcu::link::Link::<u32>::empty();
    let next = {
        let guard = urcu::read_lock();
        let node = list.load(&guard).unwrap();
        node.next().load(&urcu::read_lock())
    };
    println!("{next:?}");
}
