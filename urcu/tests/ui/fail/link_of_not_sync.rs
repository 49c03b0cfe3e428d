fn main() {
    let list = urcu::link::Link::empty();
    list.push(std::cell::Cell::new(1)).unwrap();
}
