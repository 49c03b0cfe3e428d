//! liburcu-memb, where it was found when this crate was built ([`AVAILABLE`]).
//!
//! Its read side and its updates are inlined from its own headers (`c/memb.c`); the rest is called in the shared
//! library. Where liburcu-memb was not found, only [`register`] may be called.

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, Ordering};

/// True if this build can compare with liburcu-memb.
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

/// Returns the sum of what `count` read-side sections find behind `slot`.
///
/// # Safety
///
/// Each pointer that `slot` holds during the call must point to a live value.
///
/// # Panics
///
/// Panics if the thread is not registered, or if there is no liburcu-memb.
pub unsafe fn sections(slot: &AtomicPtr<u64>, count: u64) -> u64 {
    assert_registered();
    // SAFETY: the thread is registered, and the caller vouches for the pointers.
    unsafe { imp::sections(slot, count) }
}

fn assert_registered() {
    assert!(
        REGISTRATIONS.with(Cell::get) > 0,
        "a reader of liburcu-memb is registered"
    );
}

/// Runs `body` in a read-side section, in which it must not wait for a grace period.
///
/// # Panics
///
/// Panics if the thread is not registered, or if there is no liburcu-memb.
pub fn section(body: &mut dyn FnMut()) {
    struct Section;
    impl Drop for Section {
        fn drop(&mut self) {
            imp::unlock();
        }
    }
    assert_registered();
    imp::lock();
    let _section = Section;
    body();
}

/// The value that updates replace: of 24 bytes in memory from `malloc`.
#[derive(Debug, Default)]
pub struct Slot(AtomicPtr<c_void>);

impl Slot {
    /// Replaces the value `count` times; the old ones are freed after a grace period.
    ///
    /// # Panics
    ///
    /// Panics if the thread is not registered, or if there is no liburcu-memb.
    pub fn swaps(&self, count: u64) {
        assert_registered();
        imp::swaps(&self.0, count);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: null or from `malloc`; nobody else has it, as the slot is ours alone.
        unsafe { libc::free(self.0.load(Ordering::Relaxed)) }
    }
}

/// Waits until all that was retired before is freed.
///
/// # Panics
///
/// Panics if there is no liburcu-memb.
pub fn barrier() {
    imp::barrier();
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
    use std::ffi::c_void;
    use std::sync::atomic::AtomicPtr;

    unsafe extern "C" {
        fn urcu_benches_memb_sections(slot: *const *mut u64, count: u64) -> u64;
        fn urcu_benches_memb_swaps(slot: *mut *mut c_void, count: u64);
        fn urcu_memb_read_lock();
        fn urcu_memb_read_unlock();
        fn urcu_memb_barrier();
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

    pub(super) fn lock() {
        // SAFETY: the caller found the thread registered.
        unsafe { urcu_memb_read_lock() }
    }

    pub(super) fn unlock() {
        // SAFETY: this thread is registered, and the section that it began is still open.
        unsafe { urcu_memb_read_unlock() }
    }

    pub(super) fn swaps(slot: &AtomicPtr<c_void>, count: u64) {
        // SAFETY: the thread is registered, as who calls `call_rcu` must be. The loop changes
        // the slot, which has the layout of a plain pointer, by atomic exchanges; what it finds
        // there is null or from a loop before.
        unsafe { urcu_benches_memb_swaps(slot.as_ptr(), count) }
    }

    pub(super) fn barrier() {
        // SAFETY: for any thread that is in no section, and none here is outside of `section`.
        unsafe { urcu_memb_barrier() }
    }

    pub(super) fn synchronize() {
        // SAFETY: sections begin and end within `sections` and `section`, so this thread is in
        // none unless the body of one calls this, which then waits for ever.
        unsafe { urcu_memb_synchronize_rcu() }
    }
}

#[cfg(not(have_liburcu_memb))]
mod imp {
    use std::ffi::c_void;
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

    pub(super) fn lock() {
        panic!("{ABSENT}");
    }

    pub(super) fn unlock() {}

    pub(super) fn swaps(_slot: &AtomicPtr<c_void>, _count: u64) {
        panic!("{ABSENT}");
    }

    pub(super) fn barrier() {
        panic!("{ABSENT}");
    }
}

#[cfg(test)]
mod tests {
    use super::{AVAILABLE, Slot, barrier, register, section};

    #[test]
    fn sections_and_updates_run() {
        if !AVAILABLE {
            return;
        }
        let _registration = register();
        let mut ran = false;
        section(&mut || ran = true);
        assert!(ran);
        let slot = Slot::default();
        slot.swaps(100);
        assert!(!slot.0.load(std::sync::atomic::Ordering::Relaxed).is_null());
        barrier();
    }
}
