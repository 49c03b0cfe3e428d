fn main() {
    let domain = urcu::Domain::new();
    let guard = domain.read_lock();
    let moved = Box::new(domain);
    drop(guard);
    drop(moved);
}
