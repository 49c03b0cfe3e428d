fn main() {
    let value = Box::into_raw(Box::new(1));
    urcu::global().retire(value);
}
