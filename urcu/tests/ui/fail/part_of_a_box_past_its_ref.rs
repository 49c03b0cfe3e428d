fn main() {
    let cell = urcu::RcuBox::from("value");
    let value: &str = cell.read().trim();
    println!("{value}");
}
