// Nobody knows how much to copy.
fn main() {
    let cell = urcu::Rcu::<str>::new_boxed("value".into());
    let _ = cell.snapshot();
}
