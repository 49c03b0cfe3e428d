//! Read-side sections that are one restartable sequence.

use crate::domain::Domain;
use crate::sys::{self, Handle};

/// Restartable sequences of one's own as read-side sections.
impl Domain {
    /// Returns a handle, if there is one now, with which a restartable sequence of `rseq-ops` that only reads is a
    /// read-side section of this domain.
    ///
    /// Every grace period of the domain restarts all sequences in flight. So a retired node is freed only when no
    /// sequence that has found it can continue. [`RcuCell::snapshot`](crate::RcuCell::snapshot) follows one pointer
    /// in such a sequence, and `rseq_ops::ops::lookup` searches a whole hash table.
    ///
    /// Call this again before each sequence: in a forked child it returns `None` until the child's first section in
    /// this domain. It also returns `None` if this process reads with atomics
    /// ([`reader_mode`](crate::reader_mode)), or if the domain has not been read yet. Take a guard instead if there
    /// is no handle, or if a sequence is aborted more than a few times.
    ///
    /// The handle is valid in this process only, and not meant for sequences that index per-CPU memory.
    ///
    /// # Cost
    /// A load and a comparison. Async-signal-safe.
    ///
    /// ```
    /// use rseq_ops::ops::{self, Outcome};
    /// use std::sync::atomic::{AtomicPtr, Ordering};
    ///
    /// let domain = urcu::global();
    /// let version = AtomicPtr::new(Box::into_raw(Box::new(7u64)));
    /// let mut copy = 0u64;
    /// drop(domain.read_lock());
    /// let is_copied = domain.read_sequences().is_some_and(|handle| {
    ///     // SAFETY: the value is retired before it is freed; the copy has room.
    ///     let outcome = unsafe {
    ///         ops::copy_through(
    ///             handle, version.as_ptr().cast(), (&raw mut copy).cast(), size_of::<u64>(),
    ///         )
    ///     };
    ///     outcome == Outcome::Committed
    /// });
    /// assert!(!is_copied || copy == 7);
    /// // SAFETY: from a box, unlinked, retired once.
    /// unsafe { domain.retire(version.swap(std::ptr::null_mut(), Ordering::Relaxed)) };
    /// # urcu::barrier();
    /// ```
    #[inline(always)]
    pub fn read_sequences(&self) -> Option<Handle> {
        self.state().gp.readers.sequences()
    }

    /// Returns the addresses of the words with which sections of this domain begin and end. This is for interfaces
    /// that compile a section's sequences into other programs, as the C header does.
    ///
    /// The addresses are valid as long as the domain lives. The words and the sequences may change with any
    /// release. Programs that contain such sequences compare the constants of [`SectionWords`], and do not use
    /// their sequences if the constants differ.
    pub fn section_words(&self) -> SectionWords {
        let (way, bound, phase) = self.state().gp.readers.words();
        SectionWords { way, bound, phase }
    }
}

/// The addresses of the words of a domain's sections: see [`Domain::section_words`].
///
/// A section begins by a sequence that loads the CPU's index, and aborts if the index is not below the `bound`;
/// loads the `phase`, which is an address; and increments the 64-bit word `index << SHIFT` bytes behind that
/// address. The address alone identifies the section ([`RawGuard::into_words`](crate::RawGuard::into_words)). A
/// section ends by a sequence that does the same, but decrements, and aborts if the phase is not the section's.
#[derive(Clone, Copy, Debug)]
pub struct SectionWords {
    /// [`BIAS`](SectionWords::BIAS) more than the offset of this process's `rseq_cs` from the thread pointer. If
    /// the word is 0 or negative, sequences cannot be used.
    pub way: *const isize,
    /// The bound of the index; 0 in a forked child that has not read yet.
    pub bound: *const u32,
    /// The current phase: the address of the first CPU's counter.
    pub phase: *const usize,
}

impl SectionWords {
    /// The difference between `way` and the offset.
    pub const BIAS: isize = sys::WAY_BIAS as isize;
    /// The distance between the words of two CPUs, as a power of two.
    pub const SHIFT: u32 = sys::SLOT_SHIFT;
}
