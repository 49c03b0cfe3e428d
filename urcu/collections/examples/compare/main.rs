//! The hash map beside its peers, in one process, with one hasher for all.
//!
//! Every row is measured in rounds in which all maps take turns, and shows the minimum. The last column is the
//! ratio to the best peer of the row.
//!
//! `cargo run --release -p urcu-collections --example compare [-- ROW]`

mod bytes;
mod liburcu;
mod lists;
mod maps;
mod numbers;
mod one_consumer;
mod ordered;
mod peers;
mod queues;
mod table;

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_default();
    ordered::measure();
    queues::measure();
    one_consumer::measure();
    lists::measure();
    let others = ["ordered", "queue", "wfcqueue", "list"];
    if !others.iter().any(|other| asked.starts_with(other)) {
        maps::measure();
    }
}
