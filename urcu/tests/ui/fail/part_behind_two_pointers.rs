struct Config {
    rate: Box<Box<u64>>,
}

fn main() {
    let rate = Box::new(Box::new(1));
    let config = urcu::Rcu::new(Config { rate });
    println!("{}", config.snapshot_of(urcu::part!(Config, rate).target().target()));
}
