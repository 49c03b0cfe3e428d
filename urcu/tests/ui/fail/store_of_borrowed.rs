fn main() {
    let text = String::from("value");
    let cell = urcu::Rcu::new(text.as_str());
    cell.store("other");
}
