// There is one null pointer, and it cannot be both `None` and `Some(None)`.
fn main() {
    let _ = urcu::RcuCell::<Option<Option<Box<i32>>>>::default();
}
