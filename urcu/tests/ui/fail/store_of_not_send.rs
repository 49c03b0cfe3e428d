fn main() {
    let cell = urcu::Rcu::new(std::rc::Rc::new(1));
    cell.store(std::rc::Rc::new(2));
}
