//! One `T` for each CPU.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use core::sync::atomic;

use super::alloc::{Allocator, Fork, Object, SHIFT};
use super::area::AllocError;
use super::sys;
use crate::possible_cpus::possible_cpus;

/// Types for which zeroed memory is a valid value.
///
/// # Safety
/// All zero bytes must be a valid value of the type.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use rseq_ops::percpu::{Allocator, PerCpu, Zeroed};
///
/// #[derive(Default)]
/// struct Statistics {
///     packets: AtomicU32,
///     sizes: [AtomicU32; 16],
/// }
/// // SAFETY: the fields are atomic integers, which may be 0.
/// unsafe impl Zeroed for Statistics {}
///
/// let statistics = PerCpu::<Statistics>::zeroed(Allocator::global()).unwrap();
/// statistics.current().sizes[4].fetch_add(1, Relaxed);
/// statistics.current().packets.fetch_add(1, Relaxed);
/// ```
pub unsafe trait Zeroed {}

macro_rules! zeroed {
    ($($type:ty),+) => {
        $(
            // SAFETY: an atomic integer may be 0.
            unsafe impl Zeroed for $type {}
        )+
    };
}
zeroed!(
    atomic::AtomicBool,
    atomic::AtomicU8,
    atomic::AtomicU16,
    atomic::AtomicU32,
    atomic::AtomicU64,
    atomic::AtomicUsize,
    atomic::AtomicI8,
    atomic::AtomicI16,
    atomic::AtomicI32,
    atomic::AtomicI64,
    atomic::AtomicIsize
);
// SAFETY: a null pointer is a valid value.
unsafe impl<T> Zeroed for atomic::AtomicPtr<T> {}
// SAFETY: each element may be zeroed memory.
unsafe impl<T: Zeroed, const N: usize> Zeroed for [T; N] {}

/// One `T` for each possible CPU, in the memory of an [`Allocator`].
///
/// All threads may access all of the `T`s at any time. So there are only shared references to the `T`s, which
/// change through atomics, or through [`crate::ops`] (with [`PerCpu::SHIFT`] and [`PerCpu::base`]).
///
/// No method takes a lock or uses the heap, so all are async-signal-safe if creating and dropping a `T` is.
/// Dropping a `PerCpu` looks at every word for every possible CPU. If dropping one `T` panics, the others are
/// dropped all the same.
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
/// use rseq_ops::percpu::{Allocator, PerCpu};
///
/// let marks = PerCpu::new(Allocator::global(), |cpu| AtomicU32::new(cpu as u32)).unwrap();
/// for (cpu, mark) in marks.iter().enumerate() {
///     assert_eq!(mark.load(Relaxed), cpu as u32);
/// }
/// assert_eq!(marks.get(0).unwrap().load(Relaxed), 0);
/// marks.current().store(7, Relaxed); // Another thread may store to the same word.
/// assert!(marks.iter().any(|mark| mark.load(Relaxed) == 7));
/// ```
///
/// Used with a sequence:
/// ```
/// use core::sync::atomic::{AtomicI64, Ordering::Relaxed};
/// use rseq_ops::{current_thread, ops::{self, Outcome}, percpu::{Allocator, PerCpu}};
///
/// const SHIFT: u32 = PerCpu::<AtomicI64>::SHIFT;
/// let words = PerCpu::<AtomicI64>::zeroed(Allocator::global()).unwrap();
/// if let Some(handle) = current_thread() {
///     let base = words.base().addr();
///     // SAFETY: this thread's handle; only such sequences write the words.
///     let outcome = unsafe { ops::add::<SHIFT>(handle, base, 5) };
///     let sum: i64 = words.iter().map(|word| word.load(Relaxed)).sum();
///     assert_eq!(sum, if outcome == Outcome::Committed { 5 } else { 0 });
/// }
/// ```
#[derive(Debug)]
pub struct PerCpu<'a, T> {
    object: ManuallyDrop<Object>,
    memory: PhantomData<(&'a Allocator, T)>,
}

// SAFETY: a `PerCpu` owns its `T`s, as a boxed slice would.
unsafe impl<T: Send> Send for PerCpu<'_, T> {}
// SAFETY: a shared `PerCpu` gives out only shared references.
unsafe impl<T: Sync> Sync for PerCpu<'_, T> {}

impl<'a, T> PerCpu<'a, T> {
    /// The distance in bytes from one CPU's `T` to the next CPU's is `1 << SHIFT`, as [`crate::ops`] needs it.
    pub const SHIFT: u32 = SHIFT;

    /// Creates zeroed `T`s without touching their memory: a page is allocated when a CPU first writes to it, on
    /// that CPU's memory node. Async-signal-safe.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated.
    pub fn zeroed(allocator: &'a Allocator) -> Result<Self, AllocError>
    where
        T: Zeroed,
    {
        Ok(PerCpu {
            object: ManuallyDrop::new(allocator.allocate(Layout::new::<T>())?),
            memory: PhantomData,
        })
    }

    /// Creates the `T` of each index with `init`. All of the memory is touched, by the calling thread.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated. [`AllocError::Wiped`] for an allocator with
    /// [`Fork::Wipe`], because a forked child would find zeroes instead of the values.
    ///
    /// # Panics
    /// Panics if `init` panics. The values made so far are dropped, and the memory is given back.
    pub fn new(
        allocator: &'a Allocator,
        mut init: impl FnMut(usize) -> T,
    ) -> Result<Self, AllocError> {
        if allocator.fork() == Fork::Wipe {
            return Err(AllocError::Wiped);
        }
        let mut made = Values::<T> {
            object: ManuallyDrop::new(allocator.allocate(Layout::new::<T>())?),
            next: 0,
            end: 0,
            values: PhantomData,
        };
        made.object.written = true;
        for index in 0..possible_cpus() {
            let value = init(index);
            // SAFETY: the object is ours, and is large and aligned enough for a `T`.
            unsafe { pointer::<T>(&made.object, index).write(value) };
            made.end += 1;
        }
        let mut made = ManuallyDrop::new(made);
        Ok(PerCpu {
            // SAFETY: the object is taken once: `made` is neither used nor dropped after this.
            object: ManuallyDrop::new(unsafe { ManuallyDrop::take(&mut made.object) }),
            memory: PhantomData,
        })
    }

    /// Returns the `T` of an index, or `None` if the index is not below [`possible_cpus`].
    pub fn get(&self, index: usize) -> Option<&T> {
        // SAFETY: initialised or zeroed at creation, and shared as long as `self` is borrowed.
        (index < possible_cpus()).then(|| unsafe { &*pointer::<T>(&self.object, index) })
    }

    /// Returns an iterator over all `T`s, in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        // SAFETY: every index below `possible_cpus` has a `T`, which lives as long as `self`.
        (0..possible_cpus()).map(|index| unsafe { &*pointer::<T>(&self.object, index) })
    }

    /// Returns the `T` of the calling CPU, or some `T` on a thread without rseq. The thread may have moved to
    /// another CPU when this returns. So the answer avoids contention, but other threads may use the same `T`.
    #[inline]
    pub fn current(&self) -> &T {
        let index = sys::index_hint();
        // SAFETY: the hint is below `possible_cpus`, so there is a `T`, which lives as long as `self`.
        unsafe { &*pointer::<T>(&self.object, index) }
    }

    /// Returns the address of the `T` of index 0.
    #[inline]
    pub fn base(&self) -> *mut T {
        pointer(&self.object, 0)
    }

    /// Gives up ownership without dropping the `T`s, and returns [`PerCpu::base`]. A later owner takes the memory
    /// over by [`PerCpu::from_base`].
    ///
    /// ```
    /// use core::sync::atomic::AtomicU64;
    /// use rseq_ops::percpu::{Allocator, PerCpu};
    ///
    /// let base = PerCpu::<AtomicU64>::zeroed(Allocator::global()).unwrap().into_base();
    /// // SAFETY: `base` comes from `into_base` of the same type and allocator, and is used once.
    /// drop(unsafe { PerCpu::from_base(Allocator::global(), base) });
    /// ```
    pub fn into_base(self) -> *mut T {
        ManuallyDrop::new(self).base()
    }

    /// Takes over the memory that [`PerCpu::into_base`] gave up.
    ///
    /// # Safety
    /// `base` comes from an object of the same type and allocator, and is used once. The object was made
    /// by [`PerCpu::zeroed`], or a `T` has no padding.
    ///
    /// # Panics
    /// Panics if the allocator has no such memory.
    pub unsafe fn from_base(allocator: &'a Allocator, base: *mut T) -> Self {
        let object = allocator.find(base.addr(), Layout::new::<T>());
        PerCpu {
            object: ManuallyDrop::new(object.expect("memory of this allocator")),
            memory: PhantomData,
        }
    }
}

#[inline]
fn pointer<T>(object: &Object, index: usize) -> *mut T {
    ptr::with_exposed_provenance_mut(object.at(index))
}

/// An object, and the `T`s in it that must be dropped before the object is given back.
struct Values<T> {
    object: ManuallyDrop<Object>,
    /// The index of the first `T` to drop.
    next: usize,
    /// The index after that of the last `T` to drop.
    end: usize,
    values: PhantomData<T>,
}

impl<T> Values<T> {
    fn drop_values(&mut self) {
        while self.next < self.end {
            let index = self.next;
            self.next += 1;
            // SAFETY: the value is initialised, ours alone, and never used again: `next` has passed it.
            unsafe { pointer::<T>(&self.object, index).drop_in_place() };
        }
    }
}

impl<T> Drop for Values<T> {
    /// If one drop panics, the other values are dropped all the same. If a second drop panics, the process
    /// aborts, as when the elements of a slice are dropped.
    fn drop(&mut self) {
        /// Drops the values that are left after a drop has panicked, and gives the memory back in any case.
        struct Rest<'v, T>(&'v mut Values<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.0.drop_values();
                // SAFETY: the object is taken once, here. Nobody has a reference to a value any more. The
                // allocator is alive, because a `PerCpu` borrows it, also while it is being created.
                unsafe { ManuallyDrop::take(&mut self.0.object).free() };
            }
        }
        Rest(self).0.drop_values();
    }
}

impl<T> Drop for PerCpu<'_, T> {
    fn drop(&mut self) {
        drop(Values::<T> {
            // SAFETY: the object is taken once, here.
            object: ManuallyDrop::new(unsafe { ManuallyDrop::take(&mut self.object) }),
            next: 0,
            end: if core::mem::needs_drop::<T>() {
                possible_cpus()
            } else {
                0
            },
            values: PhantomData,
        });
    }
}
