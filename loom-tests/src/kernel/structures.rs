//! The stand-in for `urcu/collections/src/sync.rs`.

use std::alloc::{Layout, dealloc};
use std::cell::{Cell, RefCell};
use std::ops::Deref;

use super::cpu::panic_on_purpose;
use super::{Ordering, Value, spin};

/// So few that two segments are soon full.
pub(crate) const SEGMENT_SLOTS: usize = 2;

/// Waiting would multiply interleavings and show nothing new.
pub(crate) const SLOT_PATIENCE: u32 = 0;

/// So few that trees soon have two levels.
pub(crate) const LEAF_ITEMS: usize = 4;

/// So few that trees soon have three levels.
pub(crate) const INNER_ITEMS: usize = 4;

/// One turn of a wait for a bucket.
pub(crate) fn pause(_: &mut u32) {
    spin();
}

/// A part of an object that is unlinked while others may look at it.
#[derive(Debug)]
pub(crate) struct Alive(Value);

impl Alive {
    pub(crate) fn new() -> Self {
        Alive(Value::new(0))
    }

    pub(crate) fn check(&self) {
        self.0.read();
    }
}

std::thread_local! {
    // Loom runs all threads of a model on one thread of the system.
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept(Vec::new())) };
    /// The number of stores that a thread still makes before it is lost.
    static STORES_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Memory that is no longer in use but not yet freed.
struct Kept(Vec<(*mut u8, Layout)>);

impl Drop for Kept {
    fn drop(&mut self) {
        for (memory, layout) in self.0.drain(..) {
            // SAFETY: `keep` requires this layout, and the execution is over.
            unsafe { dealloc(memory, layout) };
        }
    }
}

/// Frees memory when the next emulated kernel is booted.
///
/// # Safety
/// The memory must have been allocated with the type's layout, and nobody may drop its contents.
pub(crate) unsafe fn keep<T>(memory: *mut T) {
    let layout = Layout::new::<T>();
    if layout.size() > 0 {
        KEPT.with_borrow_mut(|kept| kept.0.push((memory.cast(), layout)));
    }
}

/// Frees the memory that the last execution has left.
pub(super) fn forget_kept() {
    drop(KEPT.replace(Kept(Vec::new())));
    STORES_LEFT.set(None);
}

/// Runs a thread that is lost after so many stores, as a fork loses threads that the child does not have: its later
/// stores do not happen. Returns whether the thread reached its end.
pub(crate) fn lost_after(stores: usize, program: impl FnOnce()) -> bool {
    STORES_LEFT.set(Some(stores));
    let ended = super::survive(program);
    STORES_LEFT.set(None);
    ended
}

/// Called before each store. Returns false if the store must not happen.
pub(super) fn may_store() -> bool {
    match STORES_LEFT.get() {
        None => true,
        Some(0) => {
            if !std::thread::panicking() {
                panic_on_purpose();
            }
            false
        }
        Some(left) => {
            STORES_LEFT.set(Some(left - 1));
            true
        }
    }
}

macro_rules! losable {
    ($($name:ident: $type:ty;)*) => {$(
        #[doc = "Loom's, whose stores are not made by threads that are lost."]
        #[derive(Debug)]
        pub(crate) struct $name(loom::sync::atomic::$name);

        impl $name {
            pub(crate) fn new(value: $type) -> Self {
                $name(loom::sync::atomic::$name::new(value))
            }

            pub(crate) fn store(&self, value: $type, order: Ordering) {
                if may_store() {
                    self.0.store(value, order);
                }
            }
        }

        impl Deref for $name {
            type Target = loom::sync::atomic::$name;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new(0)
            }
        }
    )*};
}

losable! {
    AtomicU8: u8;
    AtomicU32: u32;
    AtomicU64: u64;
}
