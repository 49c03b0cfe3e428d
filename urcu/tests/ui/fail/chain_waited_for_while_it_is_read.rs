fn main() {
    let list = urcu::link::Link::<u32>::empty();
    let guard = urcu::read_lock();
    let cut = list.take().unwrap();
    let first = cut.first(&guard);
    cut.wait();
    println!("{first:?}");
}
