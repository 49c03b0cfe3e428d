// The cell is not used any more, but its destructor is.
fn main() {
    let cell;
    let domain = urcu::Domain::new();
    cell = urcu::Rcu::new_in(1, &domain);
}
