//! Who owns this thread's rseq area, and what the kernel offers.
//!
//! A thread has one registration. glibc from 2.35 on registers every thread by itself and
//! publishes where; that is the usual case and costs nothing per thread ([`Owner::Libc`]). Where it
//! did not (musl, older glibc, the tunable `glibc.pthread.rseq=0`) this crate registers an area of
//! its own, thread by thread, at the thread's first operation, and ends the registration before
//! the thread's memory goes ([`Owner::Own`]). Where another library was there first, or the kernel
//! refuses, the thread has none: [`current_thread`] answers `None` and callers use atomics.
//!
//! All of this may run first in a signal handler that interrupted the very same first use. So
//! nothing here locks or allocates; concurrent first uses compute the same values.

use core::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

use crate::abi;
use crate::arch;

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

/// Where a thread's `rseq_cs` and its index lie, relative to the thread pointer: the same for all
/// threads, for the whole life of the process.
///
/// The index is negative on a thread that is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Offset of `rseq_cs` from the thread pointer. Bytes.
    pub cs: isize,
    /// Offset of the index (`mm_cid` or `cpu_id`) from the thread pointer. Bytes.
    pub index: isize,
}

/// What holds for the whole process.
///
/// ```
/// use rseq_ops::{Owner, Process};
///
/// let process: Process = rseq_ops::process();
/// assert_eq!(process.feature_size == 0, process.owner == Owner::Nobody);
/// assert!(!process.dense_index || process.feature_size >= 28);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Who registers the threads.
    pub owner: Owner,
    /// Bytes of the area that the kernel fills: at least 20 where there is an owner.
    pub feature_size: u32,
    /// Whether the index is the concurrency id, dense from 0, rather than the CPU number.
    pub dense_index: bool,
}

/// The address of a thread's own area and its offset from the thread pointer.
#[cfg(sequences)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnArea {
    pub(crate) offset: isize,
    pub(crate) address: usize,
}

impl Handle {
    /// The calling thread's handle with the CPU number as the index; registers the thread if that
    /// is ours to do. `None` as for [`current_thread`]. Async-signal-safe.
    ///
    /// ```
    /// use rseq_ops::{Handle, percpu::possible_cpus};
    ///
    /// if let Some(handle) = Handle::by_cpu() {
    ///     // SAFETY: this thread's handle.
    ///     let cpu = unsafe { handle.current_index() };
    ///     assert!((cpu as usize) < possible_cpus());
    /// }
    /// ```
    #[inline]
    pub fn by_cpu() -> Option<Self> {
        registered().then(|| at(AREA.load(Ordering::Relaxed), false))
    }

    /// The calling thread's handle with the concurrency id as the index: `None` also where the
    /// kernel has none (before Linux 6.3). Async-signal-safe.
    ///
    /// ```
    /// // Dense from 0 where there is such an index, else one number for each CPU.
    /// let handle = rseq_ops::Handle::by_concurrency_id().or_else(rseq_ops::Handle::by_cpu);
    /// assert_eq!(handle, rseq_ops::current_thread());
    /// ```
    #[inline]
    pub fn by_concurrency_id() -> Option<Self> {
        let handle = current_thread()?;
        has_concurrency_id().then_some(handle)
    }

    /// The index as it is now: what the sequences of [`crate::ops`] that take an index compare
    /// with. It may be another one by the time this returns. One load, async-signal-safe.
    ///
    /// # Safety
    /// The handle is the calling thread's (or the process's, where libc registers every thread).
    #[inline(always)]
    pub unsafe fn current_index(self) -> u32 {
        // SAFETY: the caller's: the word is in this thread's area.
        unsafe { arch::thread_word(self.index) }
    }
}

const UNKNOWN: u32 = 0;
const LIBC: u32 = 1;
const OWN: u32 = 2;
const NOBODY: u32 = 3;

static OWNER: AtomicU32 = AtomicU32::new(UNKNOWN);
static FEATURE_SIZE: AtomicU32 = AtomicU32::new(0);
/// Where the scratch words lie. Bytes from the start of our own area.
#[cfg(sequences)]
const SCRATCH: isize = 72;

/// Offset of the area from the thread pointer, or `AREA_UNKNOWN`.
static AREA: AtomicIsize = AtomicIsize::new(AREA_UNKNOWN);
const AREA_UNKNOWN: isize = isize::MIN;

/// What holds for this process; found out at the first call. Async-signal-safe.
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
        dense_index: feature_size as usize >= abi::MM_CID_FEATURE_SIZE,
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

/// The calling thread's handle; registers the thread if that is ours to do. `None` where the
/// thread has no registration: not in this process, refused, somebody else's, or already ended
/// (in a destructor of thread-local data that runs after ours). Async-signal-safe.
///
/// Cost: three loads where libc registers; at a thread's first call some microseconds where this crate
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
    registered().then(|| at(AREA.load(Ordering::Relaxed), has_concurrency_id()))
}

/// Whether the calling thread is registered; registers it if that is ours to do. Whoever gets a
/// yes finds [`AREA`].
#[inline]
fn registered() -> bool {
    match owner() {
        Owner::Libc => true,
        Owner::Own => own::current_thread(),
        Owner::Nobody => false,
    }
}

/// The handle of this process's threads. On a thread without a registration, sequences with it
/// abort; [`current_thread`] registers a thread that is to be registered. Async-signal-safe.
///
/// ```
/// use rseq_ops::{current_thread, registration};
///
/// if let Some(handle) = current_thread() {
///     assert_eq!(registration::handle(), handle);
/// }
/// ```
pub fn handle() -> Handle {
    process();
    area().map_or_else(inert, |area| at(area, has_concurrency_id()))
}

fn has_concurrency_id() -> bool {
    feature_size() >= abi::MM_CID_FEATURE_SIZE
}

/// Offset of every thread's area from its thread pointer, once [`process`] has been called. The
/// calling thread need not be registered, `cpu_id` there tells: it is negative then.
#[inline]
pub(crate) fn area() -> Option<isize> {
    // Acquire: pairs with the release in `discover`; whoever sees this sees the feature size.
    let area = AREA.load(Ordering::Acquire);
    (area != AREA_UNKNOWN).then_some(area)
}

fn at(area: isize, dense: bool) -> Handle {
    let index = if dense { abi::MM_CID } else { abi::CPU_ID };
    Handle {
        cs: area + abi::RSEQ_CS,
        index: area + index,
    }
}

/// A handle with which sequences abort on every thread: it points into memory of the calling
/// thread that the kernel never looks at. Async-signal-safe.
///
/// ```
/// use rseq_ops::{ops::{self, Outcome}, registration};
///
/// // In the place of a real one: everything takes its fallback.
/// let handle = registration::inert();
/// // SAFETY: aborts before it looks at an address.
/// let outcome = unsafe { ops::add::<7>(handle, 0, 1) };
/// assert_eq!(outcome, Outcome::Aborted);
/// ```
pub fn inert() -> Handle {
    #[cfg(sequences)]
    let scratch = arch::own_area::get().offset + SCRATCH;
    #[cfg(not(sequences))]
    let scratch = 0;
    Handle {
        cs: scratch,
        index: scratch + 8,
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
    // SAFETY: reads the auxiliary vector, which never changes.
    let kernel = unsafe { libc::getauxval(abi::AT_RSEQ_FEATURE_SIZE) } as usize;
    if let Some((offset, size)) = arch::libc_offset()
        && size != 0
    {
        return (Owner::Libc, LIBC, offset, decode(size as usize, kernel));
    }
    // Where nobody registers, the area of ours stays as it began: `cpu_id` says -1.
    let area = arch::own_area::get().offset;
    if own::available() {
        let size = decode(abi::ORIGINAL_SIZE, kernel);
        return (Owner::Own, OWN, area, size);
    }
    (Owner::Nobody, NOBODY, area, 0)
}

#[cfg(not(sequences))]
mod own {
    pub(super) fn current_thread() -> bool {
        false
    }
}

/// Our own registration, thread by thread.
#[cfg(sequences)]
mod own {
    use core::ffi::c_void;
    use core::mem::MaybeUninit;
    use core::ptr;
    use core::sync::atomic::{AtomicU32, Ordering};

    use crate::{abi, arch};

    /// Not tried yet. The state of a thread is a word behind its area.
    const NEW: u32 = 0;
    /// Registered with the length `REGISTERED + n` stands for: [`LENGTHS`]`[n]`.
    const REGISTERED: u32 = 1;
    /// Never again: refused, or ended before the thread's memory goes.
    const OVER: u32 = 3;
    /// Where the state lies. Bytes from the start of the area.
    const STATE: usize = 64;
    /// Lengths to register with: what the kernel of today wants, else the original.
    const LENGTHS: [usize; 2] = [64, abi::ORIGINAL_SIZE];

    /// The key whose destructor ends a thread's registration, plus 1; 0 is none yet.
    static KEY: AtomicU32 = AtomicU32::new(0);

    fn rseq(area: usize, length: usize, flags: i32) -> Result<(), i32> {
        // SAFETY: `area` is null (a probe that must fail) or the calling thread's own area, which
        // lives until its registration ended. errno is put back: signal handlers come here too.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            let answer =
                libc::syscall(libc::SYS_rseq, area, length, flags, abi::SIGNATURE as usize);
            let result = if answer == 0 { Ok(()) } else { Err(*errno) };
            *errno = before;
            result
        }
    }

    /// Whether the kernel registers areas, and there is a way to end a registration in time.
    pub(super) fn available() -> bool {
        // A call that must fail tells "no such call" and "not allowed" from "wrong arguments".
        match rseq(0, 0, 0) {
            Err(libc::ENOSYS | libc::EPERM | libc::EACCES) | Ok(()) => false,
            Err(_) => key().is_some(),
        }
    }

    /// The process's key, made at the first call.
    fn key() -> Option<libc::pthread_key_t> {
        /// glibc keeps the values of this many keys in the thread itself; beyond, setting one
        /// allocates, which a signal handler may not do.
        const WITHOUT_ALLOCATION: u32 = if cfg!(target_env = "gnu") {
            32
        } else {
            u32::MAX
        };
        let known = KEY.load(Ordering::Acquire);
        if known != 0 {
            return Some(known - 1);
        }
        let mut key: libc::pthread_key_t = 0;
        // SAFETY: `key` is valid for the write, `at_exit` is of the right type.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(at_exit)) } != 0 {
            return None;
        }
        let published = if key < WITHOUT_ALLOCATION {
            KEY.compare_exchange(0, key + 1, Ordering::AcqRel, Ordering::Acquire)
        } else {
            Err(0)
        };
        match published {
            Ok(_) => Some(key),
            Err(other) => {
                // SAFETY: the key is ours and no thread has a value for it.
                unsafe { libc::pthread_key_delete(key) };
                other.checked_sub(1)
            }
        }
    }

    fn state_of(area: usize) -> &'static AtomicU32 {
        // SAFETY: the word behind the calling thread's own area: aligned, alive as long as the
        // thread, which alone uses it (its signal handlers included). The reference is not kept.
        unsafe { &*ptr::with_exposed_provenance::<AtomicU32>(area + STATE) }
    }

    /// Whether the calling thread is registered; registers it at its first call.
    #[inline]
    pub(super) fn current_thread() -> bool {
        let area = arch::own_area::get().address;
        let state = state_of(area);
        match state.load(Ordering::Relaxed) {
            NEW => register(area, state),
            OVER => false,
            _ => true,
        }
    }

    #[cold]
    fn register(area: usize, state: &AtomicU32) -> bool {
        // Signals wait: a handler must not find the thread registered and the state not yet so.
        with_signals_blocked(|| {
            if state.load(Ordering::Relaxed) != NEW {
                return; // A handler was here before the signals were blocked.
            }
            let mut found = OVER;
            if let Some(key) = key() {
                for (n, length) in LENGTHS.into_iter().enumerate() {
                    if rseq(area, length, 0).is_ok() {
                        found = REGISTERED + n as u32;
                        break;
                    }
                }
                // SAFETY: the key exists; the value is only a mark that makes `at_exit` run.
                if found != OVER && unsafe { libc::pthread_setspecific(key, mark()) } != 0 {
                    end(area, found);
                    found = OVER;
                }
            }
            if found == OVER {
                say_refused(area);
            }
            state.store(found, Ordering::Relaxed);
        });
        state.load(Ordering::Relaxed) != OVER
    }

    /// The early adopters' convention: `cpu_id` says so. The kernel does not know this area (any
    /// more), so this word is ours to write.
    fn say_refused(area: usize) {
        let cpu_id = ptr::with_exposed_provenance_mut::<i32>(area.wrapping_add_signed(abi::CPU_ID));
        // SAFETY: the word lies in the calling thread's own area.
        unsafe { cpu_id.write_volatile(abi::CPU_ID_REGISTRATION_FAILED) };
    }

    fn mark() -> *const c_void {
        ptr::dangling::<u8>().cast()
    }

    fn end(area: usize, state: u32) {
        if let Some(length) = state
            .checked_sub(REGISTERED)
            .and_then(|n| LENGTHS.get(n as usize))
        {
            // The kernel leaves `cpu_id` at -1 and `mm_cid` at 0; now the area is ours, and both
            // say that the thread is not registered. A refusal cannot be mended: the thread's
            // memory is about to go either way.
            if rseq(area, *length, abi::FLAG_UNREGISTER).is_ok() {
                let mm_cid = area.wrapping_add_signed(abi::MM_CID);
                // SAFETY: within the calling thread's own area, aligned; signals are blocked.
                unsafe { ptr::with_exposed_provenance_mut::<i32>(mm_cid).write_volatile(-1) };
            }
        }
    }

    /// The key's destructor. Destructors that run later find a negative index and `OVER`, and use
    /// their fallback.
    extern "C" fn at_exit(_: *mut c_void) {
        let area = arch::own_area::get().address;
        let state = state_of(area);
        with_signals_blocked(|| end(area, state.swap(OVER, Ordering::Relaxed)));
    }

    fn with_signals_blocked(f: impl FnOnce()) {
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: both sets are valid for writes, and `all` is filled before it is read. If the
        // first call fails, `before` is not used.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            let blocked =
                libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0;
            f();
            if blocked {
                libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            }
        }
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

    #[test]
    fn a_registered_thread_has_the_same_handle_every_time() {
        let first = current_thread();
        assert_eq!(first, current_thread());
        assert_eq!(first.is_some(), process().owner != Owner::Nobody);
    }

    #[cfg(sequences)]
    #[test]
    fn an_inert_handle_aborts_every_sequence() {
        let period = 0usize;
        // SAFETY: the sequence aborts before it looks at anything.
        unsafe {
            use crate::ops::{self, Outcome};
            assert_eq!(ops::add_through::<7>(inert(), &raw const period), None);
            assert_eq!(
                ops::sub_if_current::<7>(inert(), &raw const period, 0, 1),
                Outcome::Aborted
            );
            assert_eq!(ops::add::<7>(inert(), 0, 1), Outcome::Aborted);
        }
    }
}
