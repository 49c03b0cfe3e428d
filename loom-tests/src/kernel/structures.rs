//! What `urcu/collections/src/sync.rs` has.

use std::alloc::{Layout, dealloc};
use std::cell::{Cell, RefCell};
use std::ops::Deref;

pub(crate) use loom::sync::atomic::AtomicU8;

use super::cpu::panic_on_purpose;
use super::{Ordering, Value, spin};

/// Two segments are soon full.
pub(crate) const SEGMENT_SLOTS: usize = 2;

/// Waiting would multiply interleavings and show nothing new.
pub(crate) const SLOT_PATIENCE: u32 = 0;

/// Trees soon have two levels.
pub(crate) const NODE_ITEMS: usize = 8;

/// One turn of a wait for a bucket.
pub(crate) fn pause(_: &mut u32) {
    spin();
}

/// A part of what is unlinked while others may look at it.
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
    /// How many stores are left to a thread that is going to be lost.
    static STORES_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Memory that is not in use any more, and not given back yet.
struct Kept(Vec<(*mut u8, Layout)>);

impl Drop for Kept {
    fn drop(&mut self) {
        for (memory, layout) in self.0.drain(..) {
            // SAFETY: by `keep`; and the execution is over.
            unsafe { dealloc(memory, layout) };
        }
    }
}

/// Gives memory back when the next emulated kernel is booted.
///
/// # Safety
/// It was allocated with the type's layout, and nobody drops what is in it.
pub(crate) unsafe fn keep<T>(memory: *mut T) {
    let layout = Layout::new::<T>();
    if layout.size() > 0 {
        KEPT.with_borrow_mut(|kept| kept.0.push((memory.cast(), layout)));
    }
}

/// What the last execution has left.
pub(super) fn forget_kept() {
    drop(KEPT.replace(Kept(Vec::new())));
    STORES_LEFT.set(None);
}

/// Runs a thread that is lost after so many stores, as one is that its process has at a fork and the
/// child has not: what it would do next does not happen. Returns whether it got to its end.
pub(crate) fn lost_after(stores: usize, program: impl FnOnce()) -> bool {
    STORES_LEFT.set(Some(stores));
    let ended = super::survive(program);
    STORES_LEFT.set(None);
    ended
}

/// Called before a store; false: it does not happen.
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
    AtomicU32: u32;
    AtomicU64: u64;
}
