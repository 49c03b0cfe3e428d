fn main() {
    let text = String::from("short");
    let list = urcu::link::Link::empty();
    list.push(text.as_str()).unwrap();
}
