// `Sync` alone is not enough: `replace` hands the value to another thread.
use std::sync::MutexGuard;

fn shared<T: Sync>(_: &T) {}

fn main() {
    let mutex = std::sync::Mutex::new(1);
    let cell: urcu::Rcu<MutexGuard<'_, i32>> = urcu::Rcu::new(mutex.lock().unwrap());
    shared(&cell);
}
