use std::sync::atomic::Ordering::AcqRel;

use urcu::raw::{Atomic, Shared};

fn main() {
    let link = Atomic::new(String::from("freed"));
    let guard = urcu::read_lock();
    let old = link.swap(Shared::null(), AcqRel, &guard);
    unsafe { urcu::global().retire_shared(old) };
    let seen = unsafe { old.deref() };
    drop(guard);
    println!("{seen}");
}
