struct Config {
    name: String,
}

fn main() {
    let name = String::from("value");
    let config = urcu::Rcu::new(Config { name });
    println!("{}", config.snapshot_of(urcu::part!(Config, name)));
}
