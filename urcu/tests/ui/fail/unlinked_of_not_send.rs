fn main() {
    let cell = urcu::Rcu::new(std::rc::Rc::new(1));
    cell.unlink(std::rc::Rc::new(2));
}
