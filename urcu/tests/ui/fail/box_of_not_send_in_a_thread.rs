// What an object is says nothing of `Send`.
fn main() {
    let cell: urcu::RcuBox<dyn std::fmt::Debug> = urcu::RcuBox::new(Box::new(1));
    std::thread::spawn(move || println!("{:?}", cell.read()));
}
