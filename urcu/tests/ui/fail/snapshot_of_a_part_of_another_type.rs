struct Config {
    rate: u64,
}

struct Other {
    rate: u64,
}

fn main() {
    let config = urcu::Rcu::new(Config { rate: 1 });
    let _ = (Other { rate: 2 }).rate;
    println!("{}", config.snapshot_of(urcu::part!(Other, rate)));
}
