fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let part = urcu::Ref::map(cell.read(), |value| value.as_str());
    println!("{part}");
    let part = urcu::Ref::map(part, |_| "other");
    println!("{part}");
    let mut kept = None;
    cell.update(|old| {
        kept = Some(old.len());
        old.clone()
    });
    println!("{kept:?}");
}
