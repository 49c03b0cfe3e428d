use std::sync::atomic::Ordering::{AcqRel, Acquire};
use urcu::raw::{Atomic, Owned, Shared};

urcu::domain!(Requests = "requests");

fn main() {
    let link = Atomic::<u64, Requests>::null_in(Requests);
    let guard = urcu::read_lock();
    let _ = link.compare_exchange(Shared::null(), Owned::new(1), AcqRel, Acquire, &guard);
}
