fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let seen = cell.read();
    let value = seen.as_str();
    println!("{value}");
}
