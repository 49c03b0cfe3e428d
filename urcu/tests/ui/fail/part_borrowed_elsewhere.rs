// A place outside the value must be `'static`: a `Ref` may be kept for any time.
fn main() {
    let cell = urcu::Rcu::new(String::from("value"));
    let other = String::from("other");
    let part = urcu::Ref::map(cell.read(), |_| other.as_str());
    drop(other);
    println!("{part}");
}
