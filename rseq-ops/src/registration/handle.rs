//! The handles of threads.

use super::{at, current_thread, feature_size, registered};
use crate::handle::Handle;
use crate::{abi, arch};

impl Handle {
    /// Returns the calling thread's handle with the CPU number as the index; registers the thread
    /// if that is ours to do. `None` as for [`current_thread`], which is the same. Async-signal-safe.
    ///
    /// ```
    /// use rseq_ops::{Handle, percpu::possible_cpus};
    ///
    /// if let Some(handle) = Handle::by_cpu() {
    ///     // SAFETY: this thread's handle.
    ///     if let Some(cpu) = unsafe { handle.current_index() } {
    ///         assert!((cpu as usize) < possible_cpus());
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn by_cpu() -> Option<Self> {
        current_thread()
    }

    /// Returns the calling thread's handle with the concurrency id (`mm_cid`) as the index of the
    /// operations that are given one. `None` without a registration, and where the kernel has no
    /// such id (before Linux 6.3). Async-signal-safe.
    ///
    /// The ids are dense from 0 as long as the process has fewer threads than there are CPUs. Linux 6.19 no
    /// longer makes them dense again after there were more, and a thread that scans all indexes looks at as
    /// many either way. So everything else in this crate uses the CPU number, which has another advantage:
    ///
    /// # Safety of what is done with it
    /// At the end of a registration the kernel sets the id to **0**, not to a negative number: on a thread
    /// whose registration somebody ends, the sequences cannot see that they are not protected.
    /// [`Handle::current_index`] looks. From there to the sequence's end, the caller is responsible that
    /// nobody ends the registration, say in a signal handler. The same holds for an index that is kept for
    /// later.
    ///
    /// ```
    /// // Dense from 0 where there is such an index, else one number for each CPU.
    /// let handle = rseq_ops::Handle::by_concurrency_id().or_else(rseq_ops::Handle::by_cpu);
    /// assert_eq!(handle.is_some(), rseq_ops::current_thread().is_some());
    /// ```
    #[inline]
    pub fn by_concurrency_id() -> Option<Self> {
        let (area, _) = registered()?;
        has_concurrency_id().then(|| at(area, Handle::CONCURRENCY_ID))
    }

    /// Returns the index as it is now: what the sequences of [`crate::ops`] that take an index compare
    /// with. It may be another one by the time this returns. `None` on a thread without a registration, and
    /// where the index is not below the [`bound`](Handle::bound): there the caller takes its fallback. Two
    /// loads, async-signal-safe.
    ///
    /// # Safety
    /// The handle is the calling thread's (or the process's, where libc registers threads).
    #[inline(always)]
    pub unsafe fn current_index(self) -> Option<u32> {
        // SAFETY: the caller promises that the handle is this thread's: both words are in its area.
        let (cpu, index) = unsafe {
            (
                arch::thread_word(self.cs + Handle::CPU as isize),
                arch::thread_word(self.cs + self.index as isize),
            )
        };
        ((cpu as i32) >= 0 && index < self.bound).then_some(index)
    }
}

fn has_concurrency_id() -> bool {
    feature_size() >= abi::MM_CID_FEATURE_SIZE
}
