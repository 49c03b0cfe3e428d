use std::sync::atomic::Ordering::AcqRel;

use urcu::raw::{Atomic, Shared};

fn main() {
    let link = Atomic::new(String::from("freed"));
    let guard = urcu::read_lock();
    let old = link.swap(Shared::null(), AcqRel, &guard);
    unsafe { urcu::global().retire_shared(old) }; // SAFETY: unlinked above, retired once.
    let seen = unsafe { old.deref() }; // SAFETY: not null, and loaded in the open section.
    drop(guard);
    println!("{seen}");
}
