//! The handles of threads.

use super::{at, current_thread, feature_size, registered};
use crate::handle::Handle;
use crate::{abi, arch};

impl Handle {
    /// Returns the calling thread's handle, with the CPU number as the index. The same as [`current_thread`]:
    /// it registers the thread if necessary, and returns `None` in the same cases. Async-signal-safe.
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

    /// Returns the calling thread's handle, with the concurrency id (`mm_cid`) as the index that sequences with
    /// an index compare. Returns `None` without a registration, and if the kernel has no such id (before Linux
    /// 6.3). Async-signal-safe.
    ///
    /// The ids are dense from 0 as long as the process has fewer threads than there are CPUs. Since Linux 6.19
    /// they do not become dense again after there were more threads, and a thread that scans all indexes has to
    /// look at the same number of them either way. So everything else in this crate uses the CPU number, which
    /// is also safer:
    ///
    /// # Safety of sequences with the concurrency id
    /// When a registration ends, the kernel sets the id to **0**, not to a negative number. So if somebody ends
    /// a thread's registration, the sequences cannot see that they are no longer protected.
    /// [`Handle::current_index`] checks the registration. From that call to the end of the sequence, the caller
    /// must make sure that nobody ends the registration, for example in a signal handler. The same holds for an
    /// index that is kept for later.
    ///
    /// ```
    /// // The concurrency id where there is one, else the CPU number.
    /// let handle = rseq_ops::Handle::by_concurrency_id().or_else(rseq_ops::Handle::by_cpu);
    /// assert_eq!(handle.is_some(), rseq_ops::current_thread().is_some());
    /// ```
    #[inline]
    pub fn by_concurrency_id() -> Option<Self> {
        let (area, _) = registered()?;
        has_concurrency_id().then(|| at(area, Handle::CONCURRENCY_ID))
    }

    /// Returns the thread's current index, which the sequences of [`crate::ops`] with an index compare. The
    /// thread may have another index by the time this returns.
    ///
    /// Returns `None` on a thread without a registration, and if the index is not below the
    /// [`bound`](Handle::bound). The caller then takes its fallback.
    ///
    /// # Safety
    /// The handle is the calling thread's (or the process's, where libc registers threads).
    ///
    /// # Cost
    /// Two loads.
    ///
    /// # Async-signal safety
    /// Async-signal-safe.
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
