fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let part = urcu::Ref::map(cell.read(), |value| value.as_str());
    drop(cell);
    println!("{part}");
}
