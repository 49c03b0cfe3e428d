use urcu::{Offset, part};

struct Config {
    rate: Box<u64>,
}

const RATE: Offset<Config, u64> = part!(Config, rate);

fn main() {
    let config = urcu::Rcu::new(Config { rate: Box::new(1) });
    println!("{}", config.snapshot_of(RATE));
}
