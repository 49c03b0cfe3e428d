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
use crate::loader;
use crate::percpu;

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

/// Where a thread's rseq area lies, relative to the thread pointer, and which indexes have memory:
/// the same for all threads, for the whole life of the process.
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

/// The address of a thread's own area and its offset from the thread pointer.
#[cfg(sequences)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnArea {
    pub(crate) offset: isize,
    pub(crate) address: usize,
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
/// RISC-V 64, and left out under Miri and with the feature `portable`.
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
fn registered() -> Option<(isize, u32)> {
    let ours_to_do_and_done = match owner() {
        Owner::Libc => true,
        Owner::Own => own::current_thread(),
        Owner::Nobody => false,
    };
    if !ours_to_do_and_done {
        return None;
    }
    // Relaxed: the owner was acquired.
    let area = AREA.load(Ordering::Relaxed);
    // SAFETY: every thread has an area there, registered or not.
    let cpu = unsafe { arch::thread_word(area + abi::CPU_ID) };
    // Negative: its creator had no registration, or somebody has ended it.
    ((cpu as i32) >= 0).then_some((area, cpu))
}

/// Returns the handle of this process's threads. On a thread without a registration, sequences with
/// it abort; [`current_thread`] registers a thread that is to be registered. Async-signal-safe.
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
    area().map_or_else(inert, |area| at(area, Handle::CPU))
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

fn at(area: isize, index: i32) -> Handle {
    Handle {
        cs: area + abi::RSEQ_CS,
        bound: percpu::possible_cpus() as u32, // At most 65,536.
        index,
    }
}

/// Returns a handle with which sequences abort on every thread: no index is below its bound, and it
/// points into memory of the calling thread that the kernel never looks at. Async-signal-safe.
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
        bound: 0,
        index: Handle::CPU,
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
    if let Some((offset, size)) = loader::offset_and_size()
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

    /// What an area has room for, and how it is aligned. Bytes.
    const ROOM: usize = 64;
    const ALIGNMENT: usize = 64;

    /// Not tried yet. The state of a thread is a word behind its area.
    const NEW: u32 = 0;
    /// Registered with the length `REGISTERED + n` stands for: [`lengths`]`()[n]`.
    const REGISTERED: u32 = 1;
    /// Never again: refused, or ended before the thread's memory goes.
    const OVER: u32 = 3;
    /// Where the state lies. Bytes from the start of the area.
    const STATE: usize = ROOM;

    /// Lengths to register with: all that the kernel fills, else the original.
    fn lengths() -> [usize; 2] {
        // SAFETY: reads the auxiliary vector, which never changes.
        let (size, alignment) = unsafe {
            (
                libc::getauxval(abi::AT_RSEQ_FEATURE_SIZE),
                libc::getauxval(abi::AT_RSEQ_ALIGN),
            )
        };
        lengths_for(size as usize, alignment as usize)
    }

    /// From Linux 7.1 on a registration of the original length takes slower ways in the kernel than a
    /// longer one, and one of fewer bytes than the kernel fills is refused. A kernel that wants more
    /// than an area has room for gets the original.
    pub(super) fn lengths_for(size: usize, alignment: usize) -> [usize; 2] {
        let wanted = size.max(64);
        if wanted <= ROOM && alignment <= ALIGNMENT {
            [wanted, abi::ORIGINAL_SIZE]
        } else {
            [abi::ORIGINAL_SIZE; 2]
        }
    }

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
                for (n, length) in lengths().into_iter().enumerate() {
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
            .and_then(|n| lengths().get(n as usize).copied())
        {
            // The kernel leaves `cpu_id` at -1 and `mm_cid` at 0; now the area is ours, and both
            // say that the thread is not registered. A refusal cannot be mended: the thread's
            // memory is about to go either way.
            if rseq(area, length, abi::FLAG_UNREGISTER).is_ok() {
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

    #[cfg(sequences)]
    #[test]
    fn our_own_registration_is_as_long_as_the_kernel_wants_it() {
        use super::own::lengths_for;
        assert_eq!(lengths_for(0, 0), [64, 32]); // Linux 6.1, which refuses the first
        assert_eq!(lengths_for(28, 32), [64, 32]); // Linux 6.12
        assert_eq!(lengths_for(33, 64), [64, 32]); // Linux 7.0
        assert_eq!(lengths_for(64, 64), [64, 32]);
        // More than there is room for.
        assert_eq!(lengths_for(65, 128), [32, 32]);
        assert_eq!(lengths_for(33, 128), [32, 32]);
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
