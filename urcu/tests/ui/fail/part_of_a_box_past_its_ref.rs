fn main() {
    let cell = urcu::Rcu::<str>::new_boxed("value".into());
    let value: &str = cell.read().trim();
    println!("{value}");
}
