fn main() {
    let domain = urcu::Domain::new();
    let cell = urcu::Rcu::new_in(1, &domain);
    drop(domain);
    println!("{}", cell.snapshot());
}
