fn main() {
    let cell = urcu::Rcu::new(1);
    let old = cell.unlink(2);
    let seen = &*old;
    old.wait();
    println!("{seen}");
}
