// The place of the value in an `Arc`'s memory is promised nowhere.
use std::sync::Arc;

struct Config {
    rate: Arc<u64>,
}

fn main() {
    let config = urcu::Rcu::new(Config { rate: Arc::new(1) });
    println!("{}", config.snapshot_of(urcu::part!(Config, rate).target()));
}
