// The sequence would follow a null pointer.
fn main() {
    let cell = urcu::RcuOption::new(Some(1));
    println!("{:?}", cell.snapshot());
}
