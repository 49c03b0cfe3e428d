fn main() {
    let cell: urcu::RcuBox<dyn std::fmt::Debug> = urcu::RcuBox::new(Box::new(1));
    cell.store(Box::new(2));
}
