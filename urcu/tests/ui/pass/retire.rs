use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering::AcqRel;

use urcu::raw::{Atomic, Shared};
use urcu::{Domain, Runner};

fn main() {
    // Neither `Send` nor `'static`, in a domain that one thread drives.
    let count = Cell::new(0);
    let domain = Domain::new().run_by(Runner::Caller);
    let link = Atomic::new(Rc::new("freed"));
    let guard = domain.read_lock();
    let old = link.swap(Shared::null(), AcqRel, &guard);
    // SAFETY: unlinked, retired once; all threads that run callbacks of the domain are this one.
    unsafe {
        domain.retire_shared(old);
        domain.retire(Box::into_raw(Box::new(Rc::new(1))));
        domain.retire_fn(|| count.set(1), 8);
    }
    // SAFETY: the section that has loaded it is open.
    assert_eq!(**unsafe { old.deref() }, "freed");
    drop(guard);
    domain.barrier();
    assert_eq!(count.get(), 1);
    domain.defer_drop_sized(vec![1; 100], 400);
    assert!(domain.try_defer_drop(String::new()).is_ok());
    domain.barrier();
}
