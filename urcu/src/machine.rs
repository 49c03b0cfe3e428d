//! What the library needs of the machine it runs on, in one place: atomics, threads and a clock, the
//! sequences, the process-wide barrier, sleeping, and what a process has once. The loom models compile
//! all else but `stall`, `trace` and `global` unchanged against another module of this name, which
//! emulates a kernel; so whatever is concurrency is imported from here.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering,
    fence,
};
pub(crate) use rseq_ops::Handle;
pub(crate) use rseq_ops::ops::{Appended, COPY_MAX, Outcome, Record};
pub(crate) use rseq_ops::percpu::Zeroed;
pub(crate) use std::panic::catch_unwind;
pub(crate) use std::thread_local;
pub(crate) use std::time::Instant;

pub(crate) use crate::lock::{Mutex, MutexGuard};
pub(crate) use crate::stall::Watch;
pub(crate) use crate::threads::{as_user, start as start_thread, without_signals};
pub(crate) use crate::worker::poke as poke_worker;

/// The library's own threads.
pub(crate) mod thread {
    pub(crate) use crate::threads::{Thread, park};
    pub(crate) use std::thread::sleep;
}

/// A function that is `const` here; the models' atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use const_fn;

use core::mem::offset_of;
use core::num::NonZeroUsize;
use core::time::Duration;

pub(crate) use rseq_ops::membarrier::Refused;
use rseq_ops::percpu::{self, Allocator, Fork, PerCpu};
use rseq_ops::{Owner, membarrier};

use crate::callbacks::Budget;
use crate::fork::Process;
use crate::once::Once;
use crate::reader_mode::{AtomicsReason, ReaderMode};

/// Bytes of a chunk of callbacks, and its alignment.
pub(crate) const CHUNK: usize = 4096;

/// How many callbacks are run at a time: fewer than the objects of a size that allocators keep for a
/// thread (7 in glibc), so that what is freed is what is allocated next.
pub(crate) const SOME: usize = 6;

pub(crate) static PROCESS: Process = Process::new();

/// What this process has once.
#[inline(always)]
pub(crate) fn process() -> &'static Process {
    &PROCESS
}

/// One more with each call, in the children of this process too.
pub(crate) fn next_incarnation() -> u64 {
    /// Not wiped: the last number that was taken.
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Makes the kernel wipe [`process`] in children. Where it cannot (another system, pages that are
/// larger than expected), children inherit the parent's state, as the documentation says.
///
/// # Panics
/// If the kernel has no memory for it, for longer than some milliseconds.
pub(crate) fn wipe_on_fork() {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        /// From 10 microseconds, each pause twice as long as the one before: 10 milliseconds in all.
        const TRIES: u32 = 10;
        // SAFETY: reads the auxiliary vector.
        let page = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
        if page == 0 || !align_of::<Process>().is_multiple_of(page) {
            return;
        }
        let refused = (0..TRIES).all(|tried| {
            let refused = wiping_is_refused_now();
            if refused {
                pause(Duration::from_micros(10 << tried));
            }
            refused
        });
        // Else a forked child would wait for threads that it does not have.
        if refused {
            panic!(
                "no memory for the state of RCU: the kernel refused to wipe {} bytes in children",
                size_of::<Process>()
            );
        }
    }
}

/// Sleeps, or less long if a signal comes. Async-signal-safe.
#[cfg(all(target_os = "linux", not(miri)))]
fn pause(time: Duration) {
    // SAFETY: errno is the calling thread's.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *errno };
    thread::sleep(time);
    // SAFETY: as above.
    unsafe { *errno = before };
}

/// Advises the kernel; whether it refused for a reason that may pass.
#[cfg(all(target_os = "linux", not(miri)))]
fn wiping_is_refused_now() -> bool {
    // SAFETY: advice about memory that is ours alone: whole pages, or the kernel would wipe what
    // else is in them. errno is put back, because this also runs in signal handlers.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let refused = libc::madvise(
            (&raw const PROCESS).cast_mut().cast(),
            size_of::<Process>(),
            libc::MADV_WIPEONFORK,
        ) != 0;
        let passing = refused && matches!(*errno, libc::EAGAIN | libc::ENOMEM | libc::EINTR);
        *errno = before;
        passing
    }
}

/// Where domains keep their state and counters: small objects that share pages. Decided once, by the
/// kernel's word that it can, or cannot, wipe memory in children.
///
/// # Errors
/// Any other refusal; nothing is decided then.
fn memory() -> Result<&'static Allocator, percpu::Error> {
    static WIPED: Allocator = Allocator::new(Fork::Wipe);
    static KEPT: Allocator = Allocator::new(Fork::Keep);
    static DECIDED: AtomicPtr<Allocator> = AtomicPtr::new(core::ptr::null_mut());
    let decided = DECIDED.load(Ordering::Acquire);
    // SAFETY: null or one of the two statics.
    if let Some(decided) = unsafe { decided.as_ref() } {
        return Ok(decided);
    }
    // What domains need anyway, so that no memory is reserved for the sake of the question.
    let found = match PerCpu::<Slot>::zeroed(&WIPED) {
        Ok(_) => &WIPED,
        Err(percpu::Error::CannotWipe(_)) => &KEPT,
        Err(passing) => return Err(passing),
    };
    // Should two first uses disagree, the first stays.
    let first = DECIDED.compare_exchange(
        core::ptr::null_mut(),
        core::ptr::from_ref(found).cast_mut(),
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    match first {
        Ok(_) => Ok(found),
        // SAFETY: one of the two statics.
        Err(first) => Ok(unsafe { &*first }),
    }
}

/// One zeroed `T` for each possible CPU, for good or until [`free`]. Async-signal-safe.
///
/// # Panics
/// If there is no memory.
pub(crate) fn allocate<T: Zeroed>() -> *mut T {
    match memory().and_then(PerCpu::zeroed) {
        Ok(object) => object.into_base(),
        Err(error) => panic!("no memory for an RCU domain: {error}"),
    }
}

/// Drops the `T`s and gives their memory back.
///
/// # Safety
/// From [`allocate`], in this process or its parent's copy, and not used any more.
pub(crate) unsafe fn free<T>(base: *mut T) {
    let memory = memory().expect("it was decided when the object was allocated");
    // SAFETY: the caller's: an object of this type, of the process's one allocator.
    drop(unsafe { PerCpu::from_base(memory, base) });
}

/// Bytes from one CPU's slot to the next, as a power of two. Slots of many domains share pages, and
/// every CPU has pages of its own.
const SHIFT: u32 = PerCpu::<Slot>::SHIFT;

/// One CPU's counters of one domain: a cache line. The two periods lie 8 bytes apart.
#[repr(C, align(64))]
struct Slot {
    /// Written by restartable sequences on this CPU with plain stores.
    net: [AtomicI64; 2],
    /// Written by anybody with atomic read-modify-writes. Never the same word as the above: an
    /// atomic addition and a plain one on one word lose updates.
    shared: [AtomicI64; 2],
    /// The end of the chunk that callbacks are appended to, or 0. Written by restartable sequences
    /// on this CPU while the period is the current one.
    buffer: [AtomicUsize; 2],
    /// In the first slot: who is to be told when a section of the old period ends (`readers`).
    waiter: AtomicU32,
}

// SAFETY: atomic integers may be 0.
unsafe impl Zeroed for Slot {}

// No section loads where one stores in its slot, for domains and slots at any cache line. (All
// processors that have sequences here have 64 bits.)
#[cfg(target_pointer_width = "64")]
const _: () = {
    let stores = [offset_of!(Slot, net), offset_of!(Slot, buffer)];
    let (mut load, loads) = (0, crate::readers::Readers::LOADS);
    while load < loads.len() {
        let line = loads[load] % 64;
        assert!(line != stores[0] && line != stores[0] + 8);
        assert!(line != stores[1] && line != stores[1] + 8);
        load += 1;
    }
};

/// Memory for a domain's slots: the address of its first counter, zeroed. Async-signal-safe.
pub(crate) fn allocate_slots() -> usize {
    allocate::<Slot>().expose_provenance()
}

/// Gives the memory back.
///
/// # Safety
/// `word` is a period word of such memory, which nobody uses any more.
pub(crate) unsafe fn free_slots(word: usize) {
    // SAFETY: the caller's.
    unsafe {
        free(core::ptr::with_exposed_provenance_mut::<Slot>(
            word & !PERIOD_BIT,
        ))
    };
}

/// Whether a token or period word stands for the second period.
pub(crate) const PERIOD_BIT: usize = size_of::<AtomicI64>();

/// How many slots a domain has.
pub(crate) fn slots() -> usize {
    percpu::possible_cpus()
}

fn slot(word: usize, index: usize) -> &'static Slot {
    let base = word & !PERIOD_BIT;
    // SAFETY: a period word is the address of a counter in the first of `slots()` slots with this
    // stride, which live as long as the `Readers` whose word it is; the callers borrow
    // those, and do not keep the reference.
    unsafe { &*core::ptr::with_exposed_provenance::<Slot>(base + (index << SHIFT)) }
}

/// The counter of slot `index` that sequences write, for the period of `word`.
pub(crate) fn net(word: usize, index: usize) -> &'static AtomicI64 {
    #[cfg(feature = "delay-injection")]
    if crate::testing::skips(index) {
        return &crate::testing::NOTHING;
    }
    &slot(word, index).net[usize::from(word & PERIOD_BIT != 0)]
}

/// The counter of slot `index` that anybody writes atomically, for the period of `word`.
pub(crate) fn shared(word: usize, index: usize) -> &'static AtomicI64 {
    &slot(word, index).shared[usize::from(word & PERIOD_BIT != 0)]
}

/// The end of the chunk of callbacks in slot `index`, for the period of `word`.
pub(crate) fn buffer(word: usize, index: usize) -> &'static AtomicUsize {
    &slot(word, index).buffer[usize::from(word & PERIOD_BIT != 0)]
}

/// Who is to be told when a section of the old period ends. With the counters, of which a child has
/// others: what a thread does there in the middle of a grace period of its parent's is lost on it.
pub(crate) fn waiter(word: usize) -> &'static AtomicU32 {
    &slot(word, 0).waiter
}

/// About which CPU this is, as the number of a slot; some number, where that is not known.
pub(crate) fn cpu() -> usize {
    match mode() {
        Mode::AllThreads(handle) => {
            // SAFETY: the process's handle, where libc registers threads.
            let index = unsafe { handle.current_index() };
            index.map_or_else(stripe, |index| index as usize)
        }
        _ => stripe(),
    }
}

/// A slot for this thread's atomic additions: any will do, threads should differ. The stack's
/// address is to be had everywhere, in signal handlers and destructors too.
pub(crate) fn stripe() -> usize {
    let here = 0u8;
    let hash = ((&raw const here).addr() as u64 >> 17).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ((hash * slots() as u64) >> 32) as usize
}

/// How this process counts its readers. Decided once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With sequences, and libc registers the threads. On one that it did not register, or whose
    /// registration somebody has ended, the sequences abort.
    AllThreads(Handle),
    /// With sequences, and each thread is registered by us before its first one.
    EachThread,
    /// With atomics: the kernel has no sequences, or nothing that restarts them.
    Atomics,
}

/// Async-signal-safe, as everything here is. Readers that use sequences need a writer that can
/// restart them, so this registers the process with membarrier too.
pub(crate) fn mode() -> Mode {
    match decided() {
        LIBC => rseq_ops::registration::handle().map_or(Mode::Atomics, Mode::AllThreads),
        OWN => Mode::EachThread,
        _ => Mode::Atomics,
    }
}

const LIBC: u32 = 1;
const OWN: u32 = 2;
/// Atomics, because no thread is registered.
const NOBODY: u32 = 3;
/// Atomics, because the barrier is refused: plus the error in the bits from [`ERROR`] on.
const REFUSED: u32 = 4;
const ERROR: u32 = 8;

/// What was decided for this process, for good.
fn decided() -> u32 {
    static DECIDED: AtomicU32 = AtomicU32::new(0);
    // Acquire: pairs with the release below; whoever knows of it may count on the registration with
    // membarrier, which is the kernel's memory.
    let decided = DECIDED.load(Ordering::Acquire);
    if decided != 0 {
        return decided;
    }
    let sequences = match rseq_ops::process().owner {
        Owner::Nobody => NOBODY,
        Owner::Libc => LIBC,
        Owner::Own => OWN,
    };
    let found = match sequences {
        NOBODY => NOBODY,
        // Which also makes a barrier, because a filter may grant the registration alone.
        _ => match membarrier::register() {
            Ok(()) => sequences,
            Err(refused) => REFUSED | (refused.0 as u32) << ERROR,
        },
    };
    // Should two first uses disagree, because a filter came between them, the first stays.
    DECIDED
        .compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire)
        .map_or_else(|first| first, |_| found)
}

/// Which kind of reader is in force, and why.
pub(crate) fn reader_mode() -> ReaderMode {
    let cpus = slots();
    match decided() {
        LIBC => ReaderMode::LibcRegistered { cpus },
        OWN => ReaderMode::SelfRegistered { cpus },
        NOBODY if !rseq_ops::registration::SUPPORTED => {
            ReaderMode::Atomics(AtomicsReason::NotBuilt)
        }
        NOBODY => ReaderMode::Atomics(AtomicsReason::NotRegistered),
        refused => {
            let errno = (refused >> ERROR) as i32;
            ReaderMode::Atomics(AtomicsReason::NoBarrier { errno })
        }
    }
}

/// Tells the log once which kind of reader is in force. Never in a signal handler, nor with anything
/// held: a logger is the user's code.
pub(crate) fn tell_reader_mode() {
    #[cfg(any(feature = "log", feature = "tracing"))]
    {
        static TOLD: AtomicBool = AtomicBool::new(false);
        // Before it is told: a logger may use this library itself. Relaxed: nothing comes with it.
        if !TOLD.load(Ordering::Relaxed) && !TOLD.swap(true, Ordering::Relaxed) {
            let told = catch_unwind(|| {
                #[cfg(feature = "tracing")]
                tracing::debug!(target: "urcu", "readers use {}", reader_mode());
                #[cfg(not(feature = "tracing"))]
                log::debug!(target: "urcu", "readers use {}", reader_mode());
            });
            if let Err(payload) = told {
                crate::callbacks::discard(payload);
            }
        }
    }
}

/// The handle, where the calling thread may run sequences; registers it if that is ours to do. `None`
/// on a thread without a registration, and on a CPU without a slot.
pub(crate) fn current_thread() -> Option<Handle> {
    if mode() == Mode::Atomics {
        None
    } else {
        rseq_ops::current_thread()
    }
}

/// Stands for no handle. No sequence may run with it. (`cs` is 0, which it never is otherwise: there
/// is the thread pointer.)
pub(crate) const NO_HANDLE: Handle = Handle {
    cs: 0,
    bound: 0,
    index: Handle::CPU,
};

/// Adds 1 to this CPU's counter of the period in `period`; that period's word and the counter's
/// new value, or `None` for an abort.
///
/// # Safety
/// `handle` is that of [`current_thread`] or [`Mode::AllThreads`]; `period` is set up and
/// its area alive.
#[inline(always)]
pub(crate) unsafe fn add_through(
    handle: Handle,
    period: &AtomicUsize,
) -> Option<(NonZeroUsize, u64)> {
    // SAFETY: the caller's; only these sequences write the `net` words, except the writer when no
    // sequence can (`Readers::settle`); a domain's area lives as long as its period word.
    unsafe { rseq_ops::ops::add_through::<SHIFT>(handle, period.as_ptr()) }
}

/// Subtracts 1 from this CPU's counter of the period of `word`, if that is the one in `period`.
/// Fastest where the counter is `guess`.
///
/// # Safety
/// As for [`add_through`], and `word` is one that `period` has had.
#[inline(always)]
pub(crate) unsafe fn sub_if_current(
    handle: Handle,
    period: &AtomicUsize,
    word: usize,
    guess: u64,
) -> Outcome {
    // SAFETY: as above.
    unsafe { rseq_ops::ops::sub_if_current::<SHIFT>(handle, period.as_ptr(), word, guess) }
}

/// Subtracts 1 from this CPU's counter of the period of `word`.
///
/// # Safety
/// As for [`sub_if_current`].
pub(crate) unsafe fn sub(handle: Handle, word: usize) -> Outcome {
    #[cfg(feature = "delay-injection")]
    if crate::testing::loses_this_end() {
        return Outcome::Committed;
    }
    // SAFETY: as above.
    unsafe { rseq_ops::ops::add::<SHIFT>(handle, word, -1) }
}

/// Copies `size` bytes from where `source` points, in one sequence.
///
/// # Safety
/// `handle` is that of [`Mode::AllThreads`]. `source` points to `size` bytes that are freed only after it was
/// replaced and [`restart_sequences`] has returned. `target` has room for them.
#[inline(always)]
pub(crate) unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    // SAFETY: the caller's.
    unsafe { rseq_ops::ops::copy_through(handle, source, target, size) }
}

/// Where a slot's `buffer` for the period of a word lies, as an offset from that word.
const BUFFER: usize = offset_of!(Slot, buffer);

/// Appends a callback to the chunk in this CPU's slot, for the period in `period`.
///
/// # Safety
/// `handle` is that of [`Mode::AllThreads`]; `period` is set up and its slots alive. `record` is
/// valid for reads.
#[inline(always)]
pub(crate) unsafe fn append(
    handle: Handle,
    period: &AtomicUsize,
    record: *const Record,
) -> Appended {
    // SAFETY: the caller's; what the slots hold are ends of chunks, or 0.
    unsafe {
        rseq_ops::ops::append_through::<SHIFT, BUFFER, CHUNK>(handle, period.as_ptr(), record)
    }
}

/// Puts the chunk that begins at `new` in the place of the one that ends at `end`, if that is this
/// CPU's for the period in `period`.
///
/// # Safety
/// As for [`append`], and `new` is the start of an empty chunk.
pub(crate) unsafe fn replace_chunk(
    handle: Handle,
    period: &AtomicUsize,
    end: usize,
    new: usize,
) -> Outcome {
    // SAFETY: the caller's.
    unsafe { rseq_ops::ops::replace_through::<SHIFT, BUFFER>(handle, period.as_ptr(), end, new) }
}

/// A full barrier on all CPUs that run this process, which restarts all sequences in flight. Callers
/// that come while one is on its way share the next one. Whether a system call was made for this
/// caller.
///
/// # Errors
/// If the kernel refuses what it granted at registration: for want of memory, or because of a filter
/// that was installed since. The caller tries again, or tells ([`cannot_end`]) when it holds nothing
/// that others wait for.
pub(crate) fn restart_sequences() -> Result<bool, Refused> {
    if mode() == Mode::Atomics {
        // All readers use atomics, with a fence of their own to pair with this one.
        fence(Ordering::SeqCst);
        return Ok(false);
    }
    process().barriers().share(issue_barrier)
}

fn issue_barrier() -> Result<(), Refused> {
    #[cfg(feature = "delay-injection")]
    if crate::testing::plain_membarrier() {
        return membarrier::barrier();
    }
    membarrier::restart()
}

/// Readers count on the barrier, so no grace period can end while the kernel refuses it. To be called
/// without the lead: the program's panic hook runs here.
#[cold]
#[track_caller]
pub(crate) fn cannot_end(refused: Refused) -> ! {
    if refused.is_passing() {
        panic!(
            "a grace period cannot end: {refused}, again and again for {PATIENCE:?}; the kernel lacks \
             memory for it"
        );
    }
    panic!(
        "a grace period cannot end: {refused}, though the process is registered for it; install \
         system-call filters before the first use of RCU, or allow membarrier"
    );
}

/// How long a caller that waits tries again where the barrier is refused for a reason that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// How many slots a writer looks at before it sleeps: a few microseconds, however many CPUs.
pub(crate) const SPINS: u32 = 256;

/// One turn of a short wait.
pub(crate) fn spin() {
    core::hint::spin_loop();
}

/// Sleeps while `word` holds `value`, at most so long; may wake for no reason.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32, most: Option<Duration>) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: the word and the time are valid during the call.
    unsafe {
        let command = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // What this call takes, whatever the C library's `timespec` is: on 32-bit processors that
        // may be one of 64 bits, which is another call's.
        let time = most.map(|most| {
            let seconds = libc::c_long::try_from(most.as_secs()).unwrap_or(libc::c_long::MAX);
            [seconds, most.subsec_nanos() as libc::c_long] // Less than 10^9.
        });
        let time = time.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        libc::syscall(libc::SYS_futex, word.as_ptr(), command, value, time);
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    if word.load(Ordering::Relaxed) == value {
        const SHORT: Duration = Duration::from_micros(100);
        std::thread::sleep(most.map_or(SHORT, |most| most.min(SHORT)));
    }
}

/// Wakes so many of those who sleep on `word`. Async-signal-safe.
pub(crate) fn futex_wake(word: &AtomicU32, how_many: i32) {
    #[cfg(all(target_os = "linux", not(miri)))]
    // SAFETY: only the word's address is used. errno is put back: signal handlers come here.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let command = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        libc::syscall(libc::SYS_futex, word.as_ptr(), command, how_many);
        *errno = before;
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (word, how_many);
}

/// Writes to standard error. Without the standard library's lock: in a forked child, a thread that it
/// does not have may hold that.
#[cfg(not(any(feature = "log", feature = "tracing")))]
pub(crate) fn write_line(line: &str) {
    use std::io::Write;
    #[cfg(all(unix, not(miri)))]
    // SAFETY: the descriptor is not closed, whatever it is.
    let mut standard_error = unsafe {
        use std::os::fd::FromRawFd;
        core::mem::ManuallyDrop::new(std::fs::File::from_raw_fd(libc::STDERR_FILENO))
    };
    #[cfg(not(all(unix, not(miri))))]
    let mut standard_error = std::io::stderr();
    let _ = standard_error.write_all(line.as_bytes());
}

/// The budget of domains for which the program has not chosen one.
pub(crate) fn default_budget() -> Budget {
    // Not wiped: a child has its parent's, and says nothing again.
    static FOUND: Once<Budget> = Once::new();
    static TOLD: AtomicBool = AtomicBool::new(false);
    *FOUND.get_or_make(
        |_| true,
        || {
            let text = environment_variable("URCU_BUDGET");
            let (budget, bad) = Budget::from_text(text.as_deref());
            if bad && !TOLD.swap(true, Ordering::Relaxed) {
                crate::stall::say(format_args!(
                    "URCU_BUDGET is not COUNT:BYTES or COUNT:BYTES:PATIENCE (milliseconds), in \
                     decimal digits: {:?}; {} callbacks and {} bytes are in force",
                    text.unwrap_or_default(),
                    budget.count,
                    budget.bytes,
                ));
            }
            budget
        },
    )
}

/// A variable of the environment that this process was started with; `None` if that is not to be had.
///
/// Read from the kernel, without the standard library's lock: in a forked child, a thread that it does
/// not have may hold that. (And the C library's `getenv` may not be called while others change the
/// environment.)
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    let all = std::fs::read("/proc/self/environ").ok()?;
    let value = all.split(|byte| *byte == 0).find_map(|variable| {
        let rest = variable.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?;
    Some(value.to_string_lossy().into_owned())
}
