// As for a box: who may put short-lived references in must not reach those who read long-lived ones.
use std::sync::Arc;

fn shorten<'a>(cell: &'a urcu::RcuArc<&'static str>) -> &'a urcu::RcuArc<&'a str> {
    cell
}

fn main() {
    let cell = urcu::RcuArc::new(Arc::new("value"));
    let text = String::from("short");
    shorten(&cell).replace(Arc::new(&text));
}
