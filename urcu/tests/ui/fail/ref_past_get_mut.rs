fn main() {
    let mut cell = urcu::Rcu::new(String::from("value"));
    let seen = cell.read();
    cell.get_mut().clear();
    println!("{}", *seen);
}
