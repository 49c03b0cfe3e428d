fn main() {
    let value = String::from("gone before the grace period");
    let _ = urcu::global().try_defer_drop(&value[..]);
}
