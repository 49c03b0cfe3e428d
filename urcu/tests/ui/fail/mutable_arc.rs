// Others may hold the same `Arc`.
fn main() {
    let mut cell = urcu::RcuArc::new(std::sync::Arc::new(1));
    *cell.get_mut() = 2;
}
