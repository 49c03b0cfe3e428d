fn main() {
    let text = String::from("value");
    let cell = urcu::Rcu::new(text.as_str());
    let guard = urcu::read_lock();
    let _ = cell.compare_exchange(cell.load(&guard), "other", &guard);
}
