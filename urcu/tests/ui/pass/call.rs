fn main() {
    let value = 1;
    urcu::call(move || println!("{value}"));
    urcu::defer_drop(std::sync::Arc::new(1));
}
