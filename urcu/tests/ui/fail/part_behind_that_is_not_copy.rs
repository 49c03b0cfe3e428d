// A copy of it would be a second owner; and what can change behind a shared reference would be torn.
use std::sync::Mutex;

struct Config {
    names: Box<Mutex<u64>>,
}

fn main() {
    let names = Box::new(Mutex::new(1));
    let config = urcu::Rcu::new(Config { names });
    let _ = config.snapshot_of(urcu::part!(Config, names).target());
}
