fn main() {
    urcu::defer_drop(std::rc::Rc::new(1));
}
