// It may be null, and the sequence does not look.
struct Config {
    rate: Option<Box<u64>>,
}

fn main() {
    let config = urcu::Rcu::new(Config { rate: None });
    println!("{}", config.snapshot_of(urcu::part!(Config, rate).target()));
}
