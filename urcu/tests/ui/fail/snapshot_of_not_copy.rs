fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    println!("{}", cell.snapshot());
}
