// An offset leads through no pointer.
struct Limits {
    rate: u64,
}

struct Config {
    limits: Box<Limits>,
}

fn main() {
    let limits = Box::new(Limits { rate: 1 });
    let config = urcu::Rcu::new(Config { limits });
    println!("{}", config.snapshot_of(urcu::part!(Config, limits.rate)));
}
