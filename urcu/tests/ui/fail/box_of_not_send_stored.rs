fn main() {
    let cell: urcu::Rcu<dyn std::fmt::Debug> = urcu::Rcu::new_boxed(Box::new(1));
    cell.store_boxed(Box::new(2));
}
