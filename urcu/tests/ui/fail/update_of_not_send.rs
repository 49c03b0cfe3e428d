fn main() {
    let cell = urcu::Rcu::new(std::rc::Rc::new(1));
    cell.update(|old| std::rc::Rc::new(**old + 1));
}
