//! The place of a thread's area, for the sequences.

use crate::abi;

/// The place of a thread's rseq area, relative to the thread pointer, and the bound of the indexes that have
/// memory.
///
/// If libc registers threads, all threads have the same handle, for the whole life of the process
/// ([`registration::handle`](crate::registration::handle)). Otherwise a handle is the calling thread's
/// own, until its registration ends.
///
/// A thread that is not registered has a negative CPU number. As an unsigned number that is beyond
/// every `bound`; so one comparison aborts a sequence both there and on a CPU that has no memory.
///
/// ```
/// use rseq_ops::{Handle, percpu::possible_cpus};
///
/// if let Some(handle) = Handle::by_cpu() {
///     assert_eq!((handle.bound as usize, handle.index), (possible_cpus(), Handle::CPU));
/// }
/// if let Some(handle) = Handle::by_concurrency_id() {
///     assert_eq!(handle.index, Handle::CONCURRENCY_ID);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Offset of `rseq_cs` from the thread pointer. Bytes.
    pub cs: isize,
    /// Sequences by CPU number commit only on CPUs below this number: [`crate::percpu::possible_cpus`], or 0.
    pub bound: u32,
    /// The index that sequences with an index compare: its offset from `rseq_cs` in bytes, [`Handle::CPU`]
    /// or [`Handle::CONCURRENCY_ID`].
    pub index: i32,
}

impl Handle {
    /// The [`index`](Handle::index) of handles whose index is the CPU number.
    pub const CPU: i32 = (abi::CPU_ID - abi::RSEQ_CS) as i32;
    /// The [`index`](Handle::index) of handles whose index is the concurrency id.
    pub const CONCURRENCY_ID: i32 = (abi::MM_CID - abi::RSEQ_CS) as i32;

    /// Returns a handle of the same threads whose bound is 0: with it, every sequence by CPU number is
    /// aborted, as on a thread that is not registered.
    ///
    /// ```
    /// use rseq_ops::ops::{self, Outcome};
    ///
    /// if let Some(handle) = rseq_ops::current_thread() {
    ///     // SAFETY: the sequence aborts before it looks at an address.
    ///     let outcome = unsafe { ops::add::<7>(handle.unregistered(), 0, 1) };
    ///     assert_eq!(outcome, Outcome::Aborted);
    /// }
    /// ```
    pub fn unregistered(self) -> Self {
        Handle { bound: 0, ..self }
    }

    /// Offset of the index from the thread pointer. Bytes.
    #[cfg(all(sequences, target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn index_offset(self) -> isize {
        self.cs + self.index as isize
    }
}

// The sequences' assembly contains these distances.
const _: () = assert!(Handle::CPU == -4 && Handle::CONCURRENCY_ID == 16);
