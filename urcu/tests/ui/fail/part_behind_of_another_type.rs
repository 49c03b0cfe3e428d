struct Limits {
    rate: u64,
}

struct Other {
    rate: u64,
}

struct Config {
    limits: Box<Limits>,
}

fn main() {
    let limits = Box::new(Limits { rate: 1 });
    let config = urcu::Rcu::new(Config { limits });
    let _ = (Other { rate: 2 }).rate;
    let rate = urcu::part!(Config, limits).then(urcu::part!(Other, rate));
    println!("{}", config.snapshot_of(rate));
}
