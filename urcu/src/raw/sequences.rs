//! Read-side sections that are one restartable sequence.

use crate::domain::Domain;
use crate::sys::{self, Handle};

/// Sequences of one's own as read-side sections: see [`raw`](crate::raw).
impl Domain {
    /// Returns the handle with which a restartable sequence of `rseq-ops` that only reads is a read-side
    /// section of this domain, if there is one now.
    ///
    /// Every grace period of the domain restarts all sequences in flight: what was unlinked and retired is
    /// freed only when no sequence that found it can go on. What [`RcuCell::snapshot`](crate::RcuCell::snapshot)
    /// does with a pointer, `rseq_ops::ops::lookup` does with a whole hash table.
    ///
    /// Ask again before each sequence: in a forked child the answer is `None` until the child's first
    /// section in this domain. `None` also means that this process reads with atomics
    /// ([`reader_mode`](crate::reader_mode)), or that the domain has not been read yet. Then, and if a
    /// sequence is aborted more than a few times, take a guard instead.
    ///
    /// The handle is the process's, and not meant for sequences that index memory of CPUs.
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

    /// Returns where the words lie by which sections of this domain begin and end: for an interface that
    /// compiles the sequences of sections into other programs, as C's header does.
    ///
    /// The addresses are good as long as the domain is. What is there may change with any release, and so
    /// may the sequences: whoever has some of them compares the constants of [`SectionWords`], and
    /// does without where they differ.
    pub fn section_words(&self) -> SectionWords {
        let (way, bound, phase) = self.state().gp.readers.words();
        SectionWords { way, bound, phase }
    }
}

/// The place of the words of a domain's sections: see [`Domain::section_words`].
///
/// A section begins by one sequence that loads the CPU's index, and aborts where it is not below the
/// `bound`; loads the `phase`; and increments the 64-bit word that lies `index << SHIFT` bytes after the
/// address that the phase is. That address, and nothing else, is the section
/// ([`RawGuard::into_words`](crate::RawGuard::into_words)). It ends by one that does the same, but
/// aborts where the phase is not the section's, and decrements.
#[derive(Clone, Copy, Debug)]
pub struct SectionWords {
    /// [`BIAS`](SectionWords::BIAS) more than the offset of this process's `rseq_cs` from the thread
    /// pointer. 0 or negative: there are no such sequences.
    pub way: *const isize,
    /// The index is below this one; 0 in a forked child that has not read yet.
    pub bound: *const u32,
    /// The address of the first CPU's word.
    pub phase: *const usize,
}

impl SectionWords {
    /// The difference between the way and the offset.
    pub const BIAS: isize = sys::WAY_BIAS as isize;
    /// The distance between the words of two CPUs, as a power of two.
    pub const SHIFT: u32 = sys::SLOT_SHIFT;
}
