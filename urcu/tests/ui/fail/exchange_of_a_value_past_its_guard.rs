// Without its guard the value may be freed, and its address be another's.
fn main() {
    let cell = urcu::Rcu::new(1);
    let guard = urcu::read_lock();
    let seen = cell.load(&guard);
    drop(guard);
    let guard = urcu::read_lock();
    cell.compare_exchange(seen, 2, &guard).unwrap();
}
