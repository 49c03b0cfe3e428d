urcu::domain!(Lists = "lists");

fn main() {
    let list = urcu::link::Link::<u32, Lists>::empty_in(Lists);
    list.push(1).unwrap();
    let guard = Lists.read_lock();
    let node = list.load(&guard);
    println!("{node:?}");
    let cell = urcu::Rcu::new_in(2, Lists);
    println!("{}", cell.load(&guard));
    let old = list.pop(&guard).unwrap();
    drop(guard);
    std::thread::spawn(move || println!("{}", old.wait())).join().unwrap();
}
