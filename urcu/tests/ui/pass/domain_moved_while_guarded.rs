fn main() {
    let domain = urcu::Domain::new();
    drop(domain.read_lock());
    let moved = Box::new(domain);
    drop(moved.read_lock());
}
