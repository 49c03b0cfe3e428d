// A cell is one word: no room for a length.
use std::sync::Arc;

fn main() {
    let _ = urcu::RcuArc::<str>::new(Arc::from("value"));
}
