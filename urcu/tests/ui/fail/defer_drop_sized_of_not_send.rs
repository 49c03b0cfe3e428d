use std::rc::Rc;

fn main() {
    urcu::global().defer_drop_sized(Rc::new(1), 100);
}
