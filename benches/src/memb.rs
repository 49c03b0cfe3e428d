//! liburcu-memb, where it was found when this crate was built ([`AVAILABLE`]).
//!
//! Its read side is inlined from its own headers (`c/memb.c`); the rest is called in the
//! shared library. Nothing here may be called but [`register`] where it was not found.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::AtomicPtr;

/// Whether liburcu-memb is there to compare with.
pub const AVAILABLE: bool = cfg!(have_liburcu_memb);

thread_local! {
    static REGISTRATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Keeps the thread registered as a reader; registrations nest.
#[derive(Debug)]
#[must_use = "the thread stays registered only as long as this lives"]
pub struct Registration {
    // The registration is the thread's own: not to be dropped in another one.
    thread: PhantomData<*const ()>,
}

/// Registers the thread as a reader of liburcu-memb; does nothing where there is none.
pub fn register() -> Registration {
    REGISTRATIONS.with(|count| {
        if count.get() == 0 {
            imp::register();
        }
        count.set(count.get() + 1);
    });
    Registration {
        thread: PhantomData,
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        REGISTRATIONS.with(|count| {
            count.set(count.get() - 1);
            if count.get() == 0 {
                imp::unregister();
            }
        });
    }
}

/// The sum of what `count` read-side sections find behind `slot`.
///
/// # Safety
///
/// Each pointer that `slot` holds during the call points to a live value.
///
/// # Panics
///
/// Panics if the thread is not registered, or if there is no liburcu-memb.
pub unsafe fn sections(slot: &AtomicPtr<u64>, count: u64) -> u64 {
    assert!(
        REGISTRATIONS.with(Cell::get) > 0,
        "a reader of liburcu-memb is registered"
    );
    // SAFETY: the thread is registered, and the caller vouches for the pointers.
    unsafe { imp::sections(slot, count) }
}

/// Waits for a grace period. The thread may be registered, but must not be in a section.
///
/// # Panics
///
/// Panics if there is no liburcu-memb.
pub fn synchronize() {
    imp::synchronize();
}

#[cfg(have_liburcu_memb)]
mod imp {
    use std::sync::atomic::AtomicPtr;

    unsafe extern "C" {
        fn urcu_benches_memb_sections(slot: *const *mut u64, count: u64) -> u64;
        fn urcu_memb_register_thread();
        fn urcu_memb_unregister_thread();
        fn urcu_memb_synchronize_rcu();
    }

    pub(super) fn register() {
        // SAFETY: the caller found the thread unregistered.
        unsafe { urcu_memb_register_thread() }
    }

    pub(super) fn unregister() {
        // SAFETY: the caller registered the thread, and no section outlives `sections`.
        unsafe { urcu_memb_unregister_thread() }
    }

    pub(super) unsafe fn sections(slot: &AtomicPtr<u64>, count: u64) -> u64 {
        // SAFETY: the caller vouches for the thread and for the pointers; the loop only
        // reads the slot, which has the layout of a plain pointer.
        unsafe { urcu_benches_memb_sections(slot.as_ptr(), count) }
    }

    pub(super) fn synchronize() {
        // SAFETY: sections begin and end within `sections`, so this thread is in none.
        unsafe { urcu_memb_synchronize_rcu() }
    }
}

#[cfg(not(have_liburcu_memb))]
mod imp {
    use std::sync::atomic::AtomicPtr;

    const ABSENT: &str = "liburcu-memb was not found when this was built";

    pub(super) fn register() {}

    pub(super) fn unregister() {}

    pub(super) unsafe fn sections(_slot: &AtomicPtr<u64>, _count: u64) -> u64 {
        panic!("{ABSENT}");
    }

    pub(super) fn synchronize() {
        panic!("{ABSENT}");
    }
}
