// The macro alone knows that there is such a field there.
fn main() {
    let offset: urcu::Offset<u64, u32> = urcu::Offset::new(6, |_| std::ptr::null());
    println!("{}", urcu::Rcu::new(1).snapshot_of(offset));
}
