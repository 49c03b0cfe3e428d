//! Who owns this thread's rseq area, and what the kernel offers.
//!
//! A thread has at most one registration.
//!
//! * Usually libc makes it ([`Owner::Libc`]): glibc from 2.35 on registers every thread and publishes where
//!   the area is. That costs nothing for each thread.
//! * Where libc does not (musl, older glibc, the tunable `glibc.pthread.rseq=0`), this crate registers an area
//!   of its own at a thread's first operation, and ends the registration when the thread ends
//!   ([`Owner::Own`]). That takes one `pthread` key for the process, and 256 bytes for each thread as long as
//!   it lives. It takes no thread-local data, which in a shared object would come out of libc's small reserve.
//! * Where another library was first, or the kernel refuses, the thread has no registration that this crate
//!   can use. [`current_thread`] returns `None`, and callers use atomics.
//!
//! The first use of all this may be in a signal handler that has interrupted another first use. So nothing
//! here locks or allocates, and concurrent first uses compute the same values.
//!
//! # Threads that lose their registration
//! Anybody can end a thread's registration with `rseq(2)`. glibc then does not register the threads that this
//! thread creates, either. The kernel sets the CPU number of a thread whose registration has ended to -1, and
//! its concurrency id to **0**. All structures of this crate go by the CPU number, and each of their sequences
//! checks it. So on such a thread they use the way without sequences, at once and without harm. Callers must
//! rule out two cases that remain:
//!
//! * Operations with the concurrency id as their index ([`Handle::by_concurrency_id`]), all of them unsafe,
//!   cannot see that the registration ends between [`Handle::current_index`] and the commit.
//! * A signal handler may *register* the thread, by calling `rseq(2)` itself, in the middle of a sequence. The
//!   sequence then goes on without protection, because it was armed before the registration.

use core::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

use crate::abi;
use crate::arch;
#[cfg(sequences)]
use crate::auxiliary::auxiliary;
use crate::possible_cpus::possible_cpus;

#[cfg(sequences)]
mod call;
mod handle;
#[cfg(sequences)]
mod loader;
mod shared_object;

pub use crate::handle::Handle;

/// The registrar of this process's threads.
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
    /// libc registers every thread, from its first instruction to its last.
    Libc,
    /// This crate registers each thread at its first operation.
    Own,
    /// Nobody registers threads: there are no restartable sequences in this process.
    Nobody,
}

/// The facts that hold for the whole process.
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
    /// The registrar of the threads.
    pub owner: Owner,
    /// The number of bytes of the area that the kernel fills: at least 20 if there is an owner.
    pub feature_size: u32,
    /// True if threads have a concurrency id: see [`Handle::by_concurrency_id`].
    pub concurrency_ids: bool,
}

/// True if this build has restartable sequences. Builds for Linux on x86-64, AArch64 and RISC-V 64 have them,
/// except under Miri, ThreadSanitizer and MemorySanitizer, and with `--cfg rseq_ops_portable`.
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
/// The offset of every thread's area from its thread pointer if libc registers threads, else `AREA_UNKNOWN`.
static AREA: AtomicIsize = AtomicIsize::new(AREA_UNKNOWN);
const AREA_UNKNOWN: isize = isize::MIN;

/// Returns the facts about this process. The first call finds them out. Async-signal-safe.
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
    // Acquire: pairs with the release in `discover`: a thread that sees the owner sees the other words too.
    match OWNER.load(Ordering::Acquire) {
        LIBC => Owner::Libc,
        OWN => Owner::Own,
        NOBODY => Owner::Nobody,
        _ => discover(),
    }
}

/// Returns the calling thread's handle. Where this crate registers threads ([`Owner::Own`]), the first
/// call on a thread registers it.
///
/// Returns `None` if the thread has no registration that this crate can use:
/// * nobody registers threads in this process ([`Owner::Nobody`]);
/// * the kernel refused the registration, or somebody else made one first;
/// * the registration has ended. A registration of this crate ends in a destructor when the thread ends.
///   Anybody can end a registration by `rseq(2)`; glibc then does not register the threads that this thread
///   creates, either.
///
/// Also returns `None` while the thread runs on a CPU for which no memory is reserved, because
/// [`possible_cpus`] counted fewer CPUs.
///
/// # Cost
/// Four loads where libc registers threads. Where this crate registers them, some microseconds at a thread's
/// first call.
///
/// # Async-signal safety
/// Async-signal-safe.
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

/// Returns the calling thread's area and its CPU, if the thread is registered. Registers it first if this crate
/// registers threads.
#[inline]
pub(crate) fn registered() -> Option<(isize, u32)> {
    let area = match owner() {
        // Relaxed: `owner` has loaded the owner with acquire, and the area was stored before it.
        Owner::Libc => AREA.load(Ordering::Relaxed),
        Owner::Own => own::current_thread()?,
        Owner::Nobody => return None,
    };
    // SAFETY: the thread has an area there, registered or not.
    let cpu = unsafe { arch::thread_word(area + abi::CPU_ID) };
    // Negative if the thread's creator had no registration, or if somebody has ended the thread's own.
    ((cpu as i32) >= 0).then_some((area, cpu))
}

/// Returns the handle that all threads share for the whole life of this process, or `None` if libc does not
/// register threads. On a thread that libc did not register, sequences with this handle abort.
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

/// Returns `cpu_id` as a thread without a registration finds it.
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

/// Returns the offset of every thread's area from its thread pointer, if libc registers threads and [`process`]
/// has been called. The calling thread may not be registered: then `cpu_id` in its area is negative.
#[inline]
pub(crate) fn area() -> Option<isize> {
    // Acquire: pairs with the release in `discover`: a thread that sees the area sees the feature size too.
    let area = AREA.load(Ordering::Acquire);
    (area != AREA_UNKNOWN).then_some(area)
}

#[inline]
fn at(area: isize, index: i32) -> Handle {
    Handle {
        cs: area + abi::RSEQ_CS,
        bound: possible_cpus() as u32, // At most 65,536.
        index,
    }
}

/// Returns what [`process`] says, without looking for the owner. Correct once [`area`] has returned an offset.
#[inline]
pub(crate) fn feature_size() -> usize {
    FEATURE_SIZE.load(Ordering::Relaxed) as usize
}

/// Returns how many bytes the kernel fills of an area for which libc has published `published` bytes. Both 20
/// and 32 mean the original area. Then the kernel's own number counts or, if it has none, 20 bytes.
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
    if call::available() {
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
        use super::call::lengths_for;
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
        let Some(unregistered) = current_thread().map(Handle::unregistered) else {
            return;
        };
        let phase = 0usize;
        // SAFETY: the sequence aborts before it looks at anything.
        unsafe {
            assert_eq!(ops::add_through::<7>(unregistered, &raw const phase), None);
            assert_eq!(
                ops::sub_if_current::<7>(unregistered, &raw const phase, 0, 1),
                Outcome::Aborted
            );
            assert_eq!(ops::add::<7>(unregistered, 0, 1), Outcome::Aborted);
        }
    }
}
