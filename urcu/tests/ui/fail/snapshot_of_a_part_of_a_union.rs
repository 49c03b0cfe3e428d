// Which of its fields is there, nobody knows.
union Either {
    number: u8,
    truth: bool,
}

fn main() {
    let cell = urcu::Rcu::new(Either { number: 2 });
    println!("{}", cell.snapshot_of(urcu::part!(Either, truth)));
}
