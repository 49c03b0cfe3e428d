// A cell of long-lived references must not become one that takes short-lived ones.
fn shorten<'a>(cell: &'a urcu::Rcu<&'static str>) -> &'a urcu::Rcu<&'a str> {
    cell
}

fn main() {
    let cell = urcu::Rcu::new("value");
    let text = String::from("short");
    shorten(&cell).replace(&text);
}
