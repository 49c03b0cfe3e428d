fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let value = cell.read().as_str();
    println!("{value}");
}
