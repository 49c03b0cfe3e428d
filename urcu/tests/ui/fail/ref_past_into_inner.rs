fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let seen = cell.read();
    drop(cell.into_inner());
    println!("{}", *seen);
}
