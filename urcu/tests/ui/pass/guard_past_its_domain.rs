fn main() {
    let domain = urcu::Domain::new();
    let guard = domain.read_lock();
    drop(guard);
    drop(domain);
}
