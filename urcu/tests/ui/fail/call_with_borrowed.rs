fn main() {
    let value = 1;
    urcu::call(|| println!("{value}"));
}
