fn main() {
    let cell = urcu::Rcu::new(1);
    cell.store(2);
    cell.update(|old| old + 1);
    let text = String::from("value");
    let borrowed = urcu::Rcu::new(text.as_str());
    println!("{}", borrowed.replace("other"));
    let single = urcu::Rcu::new(std::rc::Rc::new(1));
    drop(single.replace(std::rc::Rc::new(2)));
}
