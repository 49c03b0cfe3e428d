//! A counter with words for each CPU.

use core::sync::atomic::{AtomicI64, Ordering};

use super::alloc::{Allocator, SHIFT};
use super::area::AllocError;
use super::per_cpu::{PerCpu, Zeroed};
use super::sys;
use crate::arch;
use crate::handle::Handle;
use crate::outcome::Outcome;

/// One CPU's words.
#[derive(Debug)]
#[repr(C)]
struct Slot {
    /// Written by restartable sequences on this CPU, with plain stores, in turns.
    net: [AtomicI64; 2],
    /// The word whose turn it is. Only the sequences use it.
    turn: AtomicI64,
    /// Written by anybody, with atomic additions. It is never one of the words above, because an atomic addition
    /// and a plain one to the same word lose updates.
    shared: AtomicI64,
}

// SAFETY: atomic integers.
unsafe impl Zeroed for Slot {}

/// A 64-bit counter. Adding is a plain addition on the calling CPU, and reading sums over all CPUs.
///
/// A counter takes 32 bytes for each possible CPU. Words of the same CPU may share a cache line with other
/// counters, and words of different CPUs never share one. Arithmetic wraps around.
///
/// [`Counter::add`] is async-signal-safe, wait-free, and works everywhere: where there are no
/// restartable sequences it is an atomic addition to one of several stripes.
///
/// # What a sum means
/// A sum includes all additions that happened before [`Counter::sum`] (in the sense of the memory model: a
/// join, a lock, a message), and none that happen after it. Each addition that is concurrent with the call may
/// be included or not, independently of the others. So a sum lies between *before + all concurrent negative
/// additions* and *before + all concurrent positive additions*. While nobody adds, it is exact. For one
/// observer, a counter that only grows never goes backwards. Two counters are not read at the same moment.
///
/// ```
/// let requests = rseq_ops::percpu::Counter::new().unwrap();
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| (0..1000).for_each(|_| requests.add(1)));
///     }
/// });
/// assert_eq!(requests.sum(), 4000);
/// ```
#[derive(Debug)]
pub struct Counter<'a> {
    /// The handle for inline sequences. Its `cs` is 0 if there is no handle that all threads share.
    handle: Handle,
    slots: PerCpu<'a, Slot>,
}

impl Counter<'static> {
    /// Creates a counter at 0, in the memory of [`Allocator::global`]. Async-signal-safe.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated.
    pub fn new() -> Result<Self, AllocError> {
        Counter::new_in(Allocator::global())
    }
}

impl<'a> Counter<'a> {
    /// Creates a counter at 0 in an allocator's memory. If that is an allocator with [`super::Fork::Wipe`], the
    /// counter is 0 again in a forked child.
    ///
    /// # Errors
    /// [`AllocError`] if the memory cannot be allocated.
    ///
    /// ```
    /// use rseq_ops::percpu::{Allocator, Counter, Fork};
    ///
    /// let memory = Allocator::with_limit(Fork::Keep, 64 << 10);
    /// let (hits, misses) = (Counter::new_in(&memory).unwrap(), Counter::new_in(&memory).unwrap());
    /// hits.add(2);
    /// misses.add(-1);
    /// assert_eq!((hits.sum(), misses.sum()), (2, -1));
    /// ```
    pub fn new_in(allocator: &'a Allocator) -> Result<Self, AllocError> {
        Ok(Counter {
            handle: sys::shared_handle(),
            slots: PerCpu::zeroed(allocator)?,
        })
    }

    /// Adds `delta` on the calling CPU.
    #[inline(always)]
    pub fn add(&self, delta: i64) {
        if self.handle.cs != 0 {
            let base = self.slots.base().addr();
            // SAFETY: the handle is every thread's; the slots' first three words are written by such
            // sequences alone, and live as long as `self`.
            let outcome = unsafe { arch::add_in_turns::<SHIFT>(self.handle, base, delta) };
            if outcome == Outcome::Committed {
                return;
            }
        }
        self.add_slow(delta);
    }

    #[cold]
    #[inline(never)]
    fn add_slow(&self, delta: i64) {
        let added = sys::try_sequence(|handle| {
            // SAFETY: this thread's handle; sequences alone write the slots' first three words.
            let outcome =
                unsafe { arch::add_in_turns::<SHIFT>(handle, self.slots.base().addr(), delta) };
            (outcome == Outcome::Committed).then_some(())
        });
        if added.is_none() {
            // Release: pairs with the sum's acquire.
            let slot = self.slots.current();
            slot.shared.fetch_add(delta, Ordering::Release);
        }
    }

    /// Returns the sum over all CPUs. Async-signal-safe.
    ///
    /// # Cost
    /// Three loads for each possible CPU, and a cache miss for each CPU that has added since the last sum.
    pub fn sum(&self) -> i64 {
        // Acquire: pairs with the release of the additions. What a thread did before an addition that is in the
        // sum is visible to the caller.
        self.slots.iter().fold(0, |sum, slot| {
            sum.wrapping_add(slot.net[0].load(Ordering::Acquire))
                .wrapping_add(slot.net[1].load(Ordering::Acquire))
                .wrapping_add(slot.shared.load(Ordering::Acquire))
        })
    }
}
