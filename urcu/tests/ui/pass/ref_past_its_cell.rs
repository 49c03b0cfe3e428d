fn main() {
    let mut cell = urcu::Rcu::new(String::from("value"));
    let seen = cell.read();
    println!("{}", *seen);
    drop(seen);
    cell.get_mut().clear();
    drop(cell.into_inner());
}
