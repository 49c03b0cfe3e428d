use std::rc::Rc;

fn main() {
    let cell = urcu::Rcu::new(Rc::new(1));
    std::thread::spawn(move || drop(cell));
}
