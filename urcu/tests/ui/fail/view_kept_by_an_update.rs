fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let mut kept = None;
    cell.update(|old| {
        kept = Some(old);
        old.clone()
    });
}
