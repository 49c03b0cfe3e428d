//! Who owns this thread's rseq area, and what the kernel offers.
//!
//! A thread has one registration. glibc from 2.35 on registers every thread by itself and
//! publishes where; that is the usual case and costs nothing per thread ([`Owner::Libc`]). Where it
//! did not (musl, older glibc, the tunable `glibc.pthread.rseq=0`) this crate registers an area of
//! its own, thread by thread, at the thread's first operation, and ends the registration when
//! the thread ends ([`Owner::Own`]). That takes one `pthread` key for the process and 256 bytes for
//! each thread at a time; no thread-local data, which in a shared object would have to come out of
//! libc's small reserve. Where another library was there first, or the kernel
//! refuses, the thread has none: [`current_thread`] answers `None` and callers use atomics.
//!
//! All of this may run first in a signal handler that interrupted the very same first use. So
//! nothing here locks or allocates; concurrent first uses compute the same values.
//!
//! # Threads that lose their registration
//! Anybody can end a thread's registration with `rseq(2)`; glibc then registers none of the threads
//! either that this thread creates. The kernel sets the CPU number of such a thread to -1 and its
//! concurrency id to **0**. So all structures of this crate go by CPU number, and each sequence looks
//! at it: such a thread takes the way without sequences, at once and without harm. Two things stay
//! open, and are the callers' to exclude:
//!
//! * operations with the concurrency id as their index ([`Handle::by_concurrency_id`]), all of them
//!   unsafe, cannot see it happen between [`Handle::current_index`] and the commit;
//! * a signal handler that *registers* the thread, by calling `rseq(2)` itself, in the few
//!   instructions of a sequence: the sequence goes on, armed for nobody.

use core::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

use crate::abi;
use crate::arch;
#[cfg(sequences)]
use crate::auxiliary::auxiliary;
#[cfg(sequences)]
use crate::loader;
use crate::percpu;
use crate::shared_object;

/// Who registers this process's threads.
///
/// ```
/// use rseq_ops::{Owner, current_thread, process};
///
/// match process().owner {
///     Owner::Libc => assert!(current_thread().is_some()),
///     Owner::Own => println!("threads are registered when they first ask"),
///     Owner::Nobody => assert!(current_thread().is_none()),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// libc: every thread, from its first instruction to its last.
    Libc,
    /// This crate: each thread at its first operation.
    Own,
    /// Nobody: no restartable sequences in this process.
    Nobody,
}

/// Where a thread's rseq area lies, relative to the thread pointer, and which indexes have memory.
/// The same for all threads, for the whole life of the process, where libc registers them
/// ([`handle`]); else the calling thread's, until its registration is ended before the thread is.
///
/// The CPU number is negative on a thread that is not registered, whoever did not register it or
/// ended its registration. So one unsigned comparison with `bound`, which every sequence makes that
/// finds its word by the CPU number, gives such a thread up as well as one on a CPU that has no
/// memory.
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
    /// Sequences commit for indexes below this alone: [`crate::percpu::possible_cpus`], or 0.
    pub bound: u32,
    /// Which index the operations use that are given one: its offset from `rseq_cs`,
    /// [`Handle::CPU`] or [`Handle::CONCURRENCY_ID`]. Bytes.
    pub index: i32,
}

/// What holds for the whole process.
///
/// ```
/// use rseq_ops::{Owner, Process};
///
/// let process: Process = rseq_ops::process();
/// assert_eq!(process.feature_size == 0, process.owner == Owner::Nobody);
/// assert!(!process.concurrency_ids || process.feature_size >= 28);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Who registers the threads.
    pub owner: Owner,
    /// Bytes of the area that the kernel fills: at least 20 where there is an owner.
    pub feature_size: u32,
    /// Whether threads have a concurrency id: [`Handle::by_concurrency_id`].
    pub concurrency_ids: bool,
}

impl Handle {
    /// The [`index`](Handle::index) of handles whose index is the CPU number.
    pub const CPU: i32 = (abi::CPU_ID - abi::RSEQ_CS) as i32;
    /// The [`index`](Handle::index) of handles whose index is the concurrency id.
    pub const CONCURRENCY_ID: i32 = (abi::MM_CID - abi::RSEQ_CS) as i32;

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
    /// The ids are dense from 0 as long as the process has fewer threads than there are CPUs. Linux
    /// 6.19 no longer makes them dense again after there were more; and who scans all indexes looks
    /// at as many either way. So everything else in this crate goes by CPU number, which tells
    /// something that the id does not:
    ///
    /// # Safety of what is done with it
    /// At the end of a registration the kernel sets the id to **0**, not to a negative number: on a
    /// thread whose registration somebody ends, the sequences cannot see that they are not
    /// protected. [`Handle::current_index`] looks. From there to the sequence's end the caller
    /// answers for it that nobody ends the registration, say in a signal handler; and so does who
    /// keeps an index for later.
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

    /// Returns the index as it is now: what the sequences of [`crate::ops`] that take an index
    /// compare with. It may be another one by the time this returns. `None` on a thread that has
    /// no registration (any more), and where the index is not below the [`bound`](Handle::bound):
    /// there the caller takes its other way. Two loads, async-signal-safe.
    ///
    /// # Safety
    /// The handle is the calling thread's (or the process's, where libc registers threads).
    #[inline(always)]
    pub unsafe fn current_index(self) -> Option<u32> {
        // SAFETY: the caller's: both words are in this thread's area.
        let (cpu, index) = unsafe {
            (
                arch::thread_word(self.cs + Handle::CPU as isize),
                arch::thread_word(self.cs + self.index as isize),
            )
        };
        ((cpu as i32) >= 0 && index < self.bound).then_some(index)
    }

    /// Returns a handle with which every sequence aborts that goes by CPU number: no index is below its
    /// bound. It is of the same threads as this one.
    ///
    /// ```
    /// use rseq_ops::ops::{self, Outcome};
    ///
    /// if let Some(handle) = rseq_ops::current_thread() {
    ///     // SAFETY: aborts before it looks at an address.
    ///     let outcome = unsafe { ops::add::<7>(handle.inert(), 0, 1) };
    ///     assert_eq!(outcome, Outcome::Aborted);
    /// }
    /// ```
    pub fn inert(self) -> Self {
        Handle { bound: 0, ..self }
    }

    /// Offset of the index from the thread pointer. Bytes.
    #[cfg(all(sequences, target_arch = "x86_64"))]
    #[inline(always)]
    pub(crate) fn index_offset(self) -> isize {
        self.cs + self.index as isize
    }
}

// The sequences have these distances in their text.
const _: () = assert!(Handle::CPU == -4 && Handle::CONCURRENCY_ID == 16);

/// Whether this build has restartable sequences: they are written for Linux on x86-64, AArch64 and
/// RISC-V 64, and left out under Miri, ThreadSanitizer and MemorySanitizer, and with the feature
/// `portable`.
///
/// ```
/// use rseq_ops::{Owner, process, registration};
///
/// if !registration::SUPPORTED {
///     assert_eq!(process().owner, Owner::Nobody);
/// }
/// ```
pub const SUPPORTED: bool = cfg!(sequences);

const UNKNOWN: u32 = 0;
const LIBC: u32 = 1;
const OWN: u32 = 2;
const NOBODY: u32 = 3;

static OWNER: AtomicU32 = AtomicU32::new(UNKNOWN);
static FEATURE_SIZE: AtomicU32 = AtomicU32::new(0);
/// Offset of every thread's area from its thread pointer where libc registers threads, else
/// `AREA_UNKNOWN`.
static AREA: AtomicIsize = AtomicIsize::new(AREA_UNKNOWN);
const AREA_UNKNOWN: isize = isize::MIN;

/// Returns what holds for this process, which is found out at the first call. Async-signal-safe.
///
/// ```
/// println!("{:?}", rseq_ops::process());
/// ```
#[inline]
pub fn process() -> Process {
    let owner = owner();
    let feature_size = FEATURE_SIZE.load(Ordering::Relaxed);
    Process {
        owner,
        feature_size,
        concurrency_ids: feature_size as usize >= abi::MM_CID_FEATURE_SIZE,
    }
}

#[inline]
fn owner() -> Owner {
    // Acquire: pairs with the release in `discover`; whoever sees the owner sees the rest.
    match OWNER.load(Ordering::Acquire) {
        LIBC => Owner::Libc,
        OWN => Owner::Own,
        NOBODY => Owner::Nobody,
        _ => discover(),
    }
}

/// Returns the calling thread's handle; registers the thread if that is ours to do. `None` where the
/// thread has no registration: not in this process, refused, somebody else's, or ended (in a
/// destructor of thread-local data that runs after ours; by whoever calls `rseq(2)` with
/// `RSEQ_FLAG_UNREGISTER`, after which glibc registers none of the threads either that the thread
/// creates). `None` also while the thread runs on a CPU that has no memory, because
/// [`possible_cpus`](crate::percpu::possible_cpus) was told of fewer. Async-signal-safe.
///
/// Cost: four loads where libc registers; at a thread's first call some microseconds where this crate
/// does.
///
/// ```
/// match rseq_ops::current_thread() {
///     Some(handle) => println!("sequences with {handle:?}"),
///     None => println!("atomics"),
/// }
/// ```
#[inline]
pub fn current_thread() -> Option<Handle> {
    let (area, cpu) = registered()?;
    let handle = at(area, Handle::CPU);
    (cpu < handle.bound).then_some(handle)
}

/// The calling thread's area and its CPU, if it is registered; registers it if that is ours to do.
#[inline]
pub(crate) fn registered() -> Option<(isize, u32)> {
    let area = match owner() {
        // Relaxed: the owner was acquired.
        Owner::Libc => AREA.load(Ordering::Relaxed),
        Owner::Own => own::current_thread()?,
        Owner::Nobody => return None,
    };
    // SAFETY: the thread has an area there, registered or not.
    let cpu = unsafe { arch::thread_word(area + abi::CPU_ID) };
    // Negative: its creator had no registration, or somebody has ended it.
    ((cpu as i32) >= 0).then_some((area, cpu))
}

/// Returns the handle that all threads of this process have, for all of its life: only where libc
/// registers threads. On a thread that libc did not register, sequences with it abort.
/// Async-signal-safe.
///
/// ```
/// use rseq_ops::{Owner, current_thread, process, registration};
///
/// let of_all = registration::handle();
/// assert_eq!(of_all.is_some(), process().owner == Owner::Libc);
/// if of_all.is_some() && current_thread().is_some() {
///     assert_eq!(of_all, current_thread());
/// }
/// ```
pub fn handle() -> Option<Handle> {
    process();
    area().map(|area| at(area, Handle::CPU))
}

/// `cpu_id` as a thread without a registration finds it.
pub(crate) fn cpu_id_unregistered() -> i32 {
    match owner() {
        Owner::Libc => {
            let area = AREA.load(Ordering::Relaxed);
            // SAFETY: every thread has an area there, registered or not.
            unsafe { arch::thread_word(area + abi::CPU_ID) as i32 }
        }
        Owner::Own => own::cpu_id(),
        Owner::Nobody => abi::CPU_ID_REGISTRATION_FAILED,
    }
}

fn has_concurrency_id() -> bool {
    feature_size() >= abi::MM_CID_FEATURE_SIZE
}

/// Offset of every thread's area from its thread pointer, where libc registers threads and
/// [`process`] has been called. The calling thread need not be registered, `cpu_id` there tells: it
/// is negative then.
#[inline]
pub(crate) fn area() -> Option<isize> {
    // Acquire: pairs with the release in `discover`; whoever sees this sees the feature size.
    let area = AREA.load(Ordering::Acquire);
    (area != AREA_UNKNOWN).then_some(area)
}

fn at(area: isize, index: i32) -> Handle {
    Handle {
        cs: area + abi::RSEQ_CS,
        bound: percpu::possible_cpus() as u32, // At most 65,536.
        index,
    }
}

/// What [`process`] says, without asking who owns: right once [`area`] has answered.
#[inline]
pub(crate) fn feature_size() -> usize {
    FEATURE_SIZE.load(Ordering::Relaxed) as usize
}

/// Bytes of an area of `published` bytes that the kernel fills. 20 and 32 both mean the original
/// area: then the kernel's own word counts, and without one the first 20 bytes.
#[cfg(any(sequences, test))]
fn decode(published: usize, kernel: usize) -> usize {
    match published {
        abi::ORIGINAL_FEATURE_SIZE | abi::ORIGINAL_SIZE => match kernel {
            0 => abi::ORIGINAL_FEATURE_SIZE,
            size => size.min(abi::ORIGINAL_SIZE),
        },
        size => size,
    }
}

#[cold]
fn discover() -> Owner {
    shared_object::is_kept();
    let (owner, word, area, size) = look();
    FEATURE_SIZE.store(size as u32, Ordering::Relaxed);
    // Release: pairs with `area`.
    AREA.store(area, Ordering::Release);
    OWNER.store(word, Ordering::Release);
    owner
}

#[cfg(not(sequences))]
fn look() -> (Owner, u32, isize, usize) {
    (Owner::Nobody, NOBODY, AREA_UNKNOWN, 0)
}

#[cfg(sequences)]
fn look() -> (Owner, u32, isize, usize) {
    let kernel = auxiliary(abi::AT_RSEQ_FEATURE_SIZE);
    if let Some((offset, size)) = loader::offset_and_size()
        && size != 0
    {
        return (Owner::Libc, LIBC, offset, decode(size as usize, kernel));
    }
    if own::available() {
        let size = decode(abi::ORIGINAL_SIZE, kernel);
        return (Owner::Own, OWN, AREA_UNKNOWN, size);
    }
    (Owner::Nobody, NOBODY, AREA_UNKNOWN, 0)
}

#[cfg(sequences)]
mod own;

#[cfg(not(sequences))]
mod own {
    pub(super) fn current_thread() -> Option<isize> {
        None
    }

    pub(super) fn cpu_id() -> i32 {
        crate::abi::CPU_ID_UNINITIALIZED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_in_use_is_decoded_as_librseq_does() {
        assert_eq!(decode(20, 0), 20); // glibc 2.36, Linux 6.1
        assert_eq!(decode(20, 28), 28); // glibc 2.36, Linux 6.12
        assert_eq!(decode(32, 0), 20); // glibc 2.35, Linux 5.10
        assert_eq!(decode(32, 33), 32); // an original area on Linux 7.0
        assert_eq!(decode(33, 33), 33); // glibc that follows the kernel
        assert_eq!(decode(28, 28), 28);
    }

    #[cfg(sequences)]
    #[test]
    fn our_own_registration_is_as_long_as_the_kernel_wants_it() {
        use super::own::lengths_for;
        assert_eq!(lengths_for(0, 0), [64, 32]); // Linux 6.1, which refuses the first
        assert_eq!(lengths_for(28, 32), [64, 32]); // Linux 6.12
        assert_eq!(lengths_for(33, 64), [64, 32]); // Linux 7.0
        assert_eq!(lengths_for(64, 64), [64, 32]);
        assert_eq!(lengths_for(192, 256), [192, 32]);
        // More than there is room for.
        assert_eq!(lengths_for(193, 64), [32, 32]);
        assert_eq!(lengths_for(33, 512), [32, 32]);
    }

    #[test]
    fn a_registered_thread_has_the_same_handle_every_time() {
        let first = current_thread();
        assert_eq!(first, current_thread());
        assert_eq!(first.is_some(), process().owner != Owner::Nobody);
    }

    #[test]
    fn an_inert_handle_aborts_every_sequence() {
        use crate::ops::{self, Outcome};
        let Some(inert) = current_thread().map(Handle::inert) else {
            return;
        };
        let period = 0usize;
        // SAFETY: the sequence aborts before it looks at anything.
        unsafe {
            assert_eq!(ops::add_through::<7>(inert, &raw const period), None);
            assert_eq!(
                ops::sub_if_current::<7>(inert, &raw const period, 0, 1),
                Outcome::Aborted
            );
            assert_eq!(ops::add::<7>(inert, 0, 1), Outcome::Aborted);
        }
    }
}
