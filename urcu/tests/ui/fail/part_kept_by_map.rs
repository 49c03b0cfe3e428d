fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let mut kept = None;
    let part = urcu::Ref::map(cell.read(), |value| {
        kept = Some(value);
        value
    });
    drop(part);
    println!("{kept:?}");
}
