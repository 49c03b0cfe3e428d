// Readers may look at it on other threads, still.
fn main() {
    let cell = urcu::Rcu::new(std::cell::Cell::new(1));
    let old = cell.unlink(std::cell::Cell::new(2));
    std::thread::spawn(move || old.set(3));
}
