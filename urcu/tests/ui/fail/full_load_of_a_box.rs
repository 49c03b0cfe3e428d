// A box has one owner: the cell.
fn main() {
    let cell = urcu::Rcu::new(1);
    let _ = cell.load_full();
}
