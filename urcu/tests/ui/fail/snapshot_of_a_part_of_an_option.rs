// The sequence follows the pointer without a look at it.
struct Config {
    rate: u64,
}

fn main() {
    let config = urcu::RcuOption::new(Some(Config { rate: 1 }));
    println!("{:?}", config.snapshot_of(urcu::part!(Config, rate)));
}
