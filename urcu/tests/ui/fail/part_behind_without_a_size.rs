// A pointer of two words is no address.
struct Config {
    name: Box<str>,
}

fn main() {
    let config = urcu::Rcu::new(Config { name: "a".into() });
    println!("{}", config.snapshot_of(urcu::part!(Config, name).target()));
}
