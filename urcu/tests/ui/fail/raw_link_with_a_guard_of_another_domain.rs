use std::sync::atomic::Ordering::Acquire;
use urcu::raw::Atomic;

urcu::domain!(Requests = "requests");
urcu::domain!(Jobs = "jobs");

fn main() {
    let link = Atomic::<u64, Requests>::null_in(Requests);
    link.load(Acquire, &Jobs.read_lock());
}
