fn main() {
    let shared = std::rc::Rc::new(1);
    urcu::call(move || drop(shared));
}
