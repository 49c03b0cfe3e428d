//! The emulated kernel. It replaces `urcu/src/sync` and `urcu/src/sys` under the same names.
//!
//! # What it promises
//! * **Virtual CPUs.** A thread that runs sequences holds one (`run_on`). A CPU has at most one thread, and
//!   passes to the next one with a full fence, as in a context switch.
//! * **Interrupts.** Each CPU has a mailbox. A running thread polls it before each step of a sequence except the
//!   first, and wherever a model calls `step`: an interrupt can land there. On a request the thread runs
//!   `fence(SeqCst)` and acknowledges, and the sequence that it is in *aborts*. A thread that leaves its CPU
//!   fences and acknowledges too.
//! * **The barrier** (`restart_sequences`) fences, posts a request to each CPU that runs a thread,
//!   blocks until all have acknowledged, and fences. It skips idle CPUs, as membarrier does.
//!   `refuse_next_barrier` makes it refuse one, as a filter that is installed late would. After
//!   `share_barriers`, callers share barriers through the process's `Sequence::share`, as in the library;
//!   otherwise each caller issues its own, which explores less.
//! * **CPUs without slots** (`ONE_SLOT`), and **threads without a registration**
//!   (`leave_unregistered`): sequences abort there.
//! * **Futexes**: for wakers, comparing the word and going to sleep are one step. A waker says how many threads to
//!   wake, and those that came first wake up first.
//! * **Locks, threads and a clock** under the library's names (`sync`, `thread`). A thread that has to wait leaves
//!   its CPU; interrupts can also land where a thread takes a lock.
//! * **Time limits** of zero are over at once: loom lets everything else happen before or after. Other limits are
//!   over when no other thread can go on, which also advances the clock. After `without_time_limits` they are never
//!   over, so that a lost wake-up is a deadlock even where a limit would hide it. A `Patience` says which sleeps
//!   have a limit, and which sleepers then have something to report.
//! * **Panics on purpose** (`survive`) unwind while other threads go on. The shipped code catches only these panics:
//!   otherwise it would also catch the failed assertion of a callback.
//! * **Memory** for any number of domains, zeroed, with different addresses; chunks with room for two callbacks. A
//!   thread that uses a domain after its end fails, and so does one that reads a `Value` after its end.
//! * **A process**: the state that `urcu/src/sync/fork.rs` keeps. `fork` zeroes this state and that of domains, as the
//!   kernel does in a child; `exit` ends threads that sleep, as the end of the process does.
//! * **Lists** (`lists`, `crate::percpu`): the words, sequences and per-CPU memory of the stack of
//!   `rseq-ops`. A thread that asks for a busy CPU (`preempt`) gets it between two steps of a
//!   sequence, which aborts when its thread runs again.
//!
//! # Where it differs from Linux
//! * *Weaker:* the loads of a sequence are relaxed except that of the phase (B) and of a
//!   snapshot's pointer or a lookup's root, the store that begins a section is relaxed, and only the one that ends
//!   it is a release (D). The real sequences have acquire loads and release commits throughout.
//! * *Weaker:* the interrupt of a CPU arrives as late as the writer's wait allows, independently of other CPUs.
//! * *Stronger:* no interrupt lands before the first load of a sequence. There it would restart a sequence that has
//!   done nothing, which is the same as landing before the sequence.
//! * *Stronger:* sequences abort only for the writer, or when a model asks (`abort_next`). Linux aborts them for
//!   signals and preemption too, which leads to the same slow paths. (What another thread does on the CPU meanwhile
//!   matters only to lists, which have preemption.)
//! * *Stronger:* futexes have no spurious wake-ups. Every sleeper checks again after waking up in any case, and the
//!   end of a time limit acts as a spurious wake-up.
//! * *Stronger:* an acquire orders a lookup's reads in an entry after the load of the entry's address. Processors order
//!   them by the dependency, which loom does not know.
//! * *Stronger:* the records in a chunk, and the counters for statistics, budgets and pace (`core::sync::atomic`), are
//!   plain memory. A callback's own data is loom's, and is published in the same way.
//! * *Stronger:* a thread that is woken sees what its waker did. The kernel's locks ensure that as well, and it does
//!   not help a thread that does not sleep.
//! * *Stronger:* a thread that waits for a barrier or sleeps is on no CPU. On Linux it has left user code, which is
//!   the same for sequences.
//! * Every wait blocks: a loop around `yield_now` would hide interleavings, and a lost wake-up becomes a deadlock,
//!   which loom reports. The locks are our own (`lock`), because loom's cannot be used while a thread unwinds.
//!
//! # Faults
//! [`Fault`] makes the kernel break one promise, to show that some model needs the promise.

mod cpu;
pub(crate) mod lists;
mod lock;
pub(crate) mod lookups;
mod memory;
pub(crate) mod pairs;
mod sequences;
mod sleep;
mod structures;
mod sync;
pub(crate) mod thread;
mod values;

pub(crate) use cpu::{
    MembarrierError, PATIENCE, Running, cannot_end, catch_unwind, leave_unregistered,
    panic_on_purpose, refuse_next_barrier, restart_sequences, run_on, share_barriers, step,
    survive,
};
pub(crate) use loom::sync::atomic::{
    AtomicBool, AtomicI64, AtomicIsize, AtomicUsize, Ordering, fence,
};
pub(crate) use memory::{
    AtomicPtr, SLOT_SHIFT, WAY_BIAS, Zeroed, allocate, allocate_slots, buffer, fork, free,
    free_slots, in_use, net, shared, waiter,
};
pub(crate) use sequences::{
    Appended, COPY_MAX, Record, Source, abort_next, add_through, append, copy_behind_through,
    copy_part_through, copy_through, enter_section, exit_section, replace_chunk, sub,
    sub_if_current, way,
};
pub(crate) use sleep::{futex_wait, futex_wake};
pub(crate) use structures::{
    Alive, AtomicU8, AtomicU32, AtomicU64, INNER_ITEMS, LEAF_ITEMS, SEGMENT_SLOTS, SLOT_PATIENCE,
    keep, lost_after, pause,
};
pub(crate) use sync::{Mutex, MutexGuard};
pub(crate) use thread::Instant;
pub(crate) use values::{Number, Value, values_left};

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use cpu::{Cpus, HERE, UNREGISTERED};
use memory::Memory;
use sleep::Futexes;

use crate::driver::worker;
use crate::sys::reader_mode::{AtomicsReason, ReaderMode};

/// The shipped functions are `const`; loom's atomics cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility fn $($rest)*
    };
}
pub(crate) use const_fn;

/// Loom's macro takes no `const` blocks.
macro_rules! local {
    (static $name:ident: $type:ty = const $value:block;) => {
        loom::thread_local! { static $name: $type = $value; }
    };
}
pub(crate) use local as thread_local;

/// The number of CPUs, slots and stripes.
const CPUS: usize = 2;

/// Chunks have room for two callbacks.
pub(crate) const CHUNK: usize = 128;

/// The number of callbacks that are run at a time.
pub(crate) const INVOKE_BATCH: usize = 1;

/// Threads always sleep: spinning would multiply interleavings and show nothing new.
pub(crate) const SPINS: u32 = 0;

/// A promise that the kernel can be told to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The barrier fences all CPUs but restarts nothing, as `PRIVATE_EXPEDITED` without `_RSEQ`.
    PlainBarrier,
    /// The barrier is only a fence in the caller.
    NoBarrier,
    /// The sequence that begins a section goes on after an interrupt.
    BeginGoesOn,
    /// A snapshot goes on after an interrupt.
    SnapshotGoesOn,
    /// A snapshot behind a second pointer goes on after an interrupt that comes once that pointer is loaded.
    SnapshotGoesOnBehind,
    /// A lookup goes on after an interrupt.
    LookupGoesOn,
    /// A lookup loads the root relaxed.
    RelaxedRoot,
    /// A lookup does not see that its bucket has moved.
    LookupStays,
    /// A lookup among pairs loads the header relaxed.
    RelaxedHeader,
    /// A lookup among pairs begins with the list.
    ListFirst,
    /// B is relaxed in sequences.
    RelaxedPhase,
    /// D is relaxed in sequences.
    RelaxedExit,
    /// `sub_if_current` subtracts without comparing the token's phase with the current one.
    ExitDoesNotCompare,
    /// A sequence counts on a CPU that has no slot.
    NoBound,
    /// On a thread without a registration sequences go on, and nothing restarts them.
    UnregisteredGoesOn,
    /// The sum leaves out the last slot.
    OneSlotTooFew,
    /// A wake-up gets lost.
    NoWake,
    /// Every domain gets the same counters.
    SlotsAgain,
    /// The sequence that appends a callback goes on after an interrupt.
    AppendGoesOn,
    /// The sequence that replaces a chunk goes on after an interrupt.
    ReplaceGoesOn,
    /// The sequence that pushes a node goes on after an interrupt.
    PushGoesOn,
    /// The sequence that pushes a node commits before it writes the link.
    PushCommitsFirst,
    /// The sequence that pops a node goes on after an interrupt.
    PopGoesOn,
    /// The sequence that pops a node goes on after an interrupt if the head is the same, as a
    /// compare-and-exchange would.
    PopComparesHead,
    /// Every CPU gets the same list.
    SameList,
    /// The sequences of lists load the bank relaxed.
    RelaxedBank,
}

/// Returns whether a thread of a failed model sleeps on a futex.
pub fn somebody_sleeps() -> bool {
    sleep::somebody_sleeps()
}

std::thread_local! {
    // Loom runs all threads of a model on one thread of the system, so these are the model's.
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    static KERNEL: RefCell<Option<Rc<Kernel>>> = const { RefCell::new(None) };
}

/// Breaks a promise from now on, in all models that the calling thread runs.
pub fn break_promise(fault: Fault) {
    FAULT.set(Some(fault));
}

fn faulty(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}

/// A handle. The shipped code finds the words of its sequences with it; here it only differs from no handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) cs: isize,
    pub(crate) bound: u32,
    pub(crate) index: i32,
}

impl Handle {
    pub(crate) const CPU: i32 = -4;

    const fn new(cs: isize, bound: u32) -> Self {
        Handle {
            cs,
            bound,
            index: Handle::CPU,
        }
    }
}

const HANDLE: Handle = Handle::new(1, CPUS as u32);

/// As `rseq_ops::ops::Outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Mismatch,
    Aborted,
}

/// As shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    AllThreads(Handle),
    EachThread,
    Atomics,
}

/// One execution's emulated kernel.
struct Kernel {
    mode: Mode,
    cpus: Cpus,
    futexes: Futexes,
    memory: Memory,
    clock: Cell<Duration>,
    /// The number of threads that sleep without a time limit.
    asleep: Cell<usize>,
    no_time_limits: Cell<bool>,
    no_more_threads: Cell<bool>,
    /// The number of threads that the shipped code started.
    threads: Cell<usize>,
    exited: Cell<bool>,
    lists: lists::Lists,
}

fn kernel() -> Rc<Kernel> {
    KERNEL.with_borrow(|kernel| {
        Rc::clone(kernel.as_ref().expect("an emulated kernel that is booted"))
    })
}

fn two<T>(make: impl Fn() -> T) -> [T; 2] {
    [make(), make()]
}

/// Boots a new emulated kernel, for one execution.
pub(crate) fn boot(mode: Mode) {
    structures::forget_kept();
    KERNEL.set(Some(Rc::new(Kernel {
        mode,
        cpus: Cpus::new(),
        futexes: Futexes::new(),
        memory: Memory::new(),
        clock: Cell::new(Duration::ZERO),
        asleep: Cell::new(0),
        no_time_limits: Cell::new(false),
        no_more_threads: Cell::new(false),
        threads: Cell::new(0),
        exited: Cell::new(false),
        lists: lists::Lists::new(),
    })));
}

/// A static that a fork wipes: a part of the emulated kernel's [`Process`].
pub(crate) struct Wiped<T>(PhantomData<fn() -> T>);

/// The shipped macro makes the value; here the emulated kernel has made it.
macro_rules! wiped {
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty) => {
        $(#[$attribute])*
        $visibility static $name: $crate::sync::Wiped<$type> = $crate::sync::Wiped::new();
    };
}
pub(crate) use wiped;

impl<T: 'static> Wiped<T> {
    pub(crate) const fn new() -> Self {
        Wiped(PhantomData)
    }

    pub(crate) fn get(&self) -> &'static T {
        let part = kernel().memory.part(TypeId::of::<T>());
        // SAFETY: of this type, and there until the next emulated kernel is booted; no model keeps the
        // reference.
        unsafe { &*part.cast::<T>() }
    }

    pub(crate) fn prepared(&self) -> &'static T {
        self.get()
    }

    /// Does nothing: [`fork`] does the work.
    pub(crate) fn prepare(&self) {}
}

/// Returns the next generation, which each process increments.
pub(crate) fn next_generation() -> u64 {
    kernel().memory.next_generation()
}

/// From now on no time limit is ever over, so that no limit hides a lost wake-up.
pub(crate) fn without_time_limits() {
    kernel().no_time_limits.set(true);
}

/// From now on no thread can be started.
pub(crate) fn without_more_threads() {
    kernel().no_more_threads.set(true);
}

/// From now on threads can be started again.
pub(crate) fn with_more_threads() {
    kernel().no_more_threads.set(false);
}

/// Ends the process: threads that sleep on a futex, or come to it, end.
pub(crate) fn exit() {
    kernel().exited.set(true);
    worker::poke();
    for word in [&worker::shared().relief, &worker::shared().given_up] {
        word.fetch_add(1, Ordering::Relaxed);
        futex_wake(word, 1);
    }
}

pub(crate) fn without_signals<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// As `urcu/src/sync/threads`, which is not compiled here: masks and scheduling order nothing.
pub(crate) fn as_user<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Starts a thread, as `urcu/src/sys/threads` does.
pub(crate) fn start_thread(_: String, program: impl FnOnce() + 'static) -> Option<thread::Thread> {
    thread::start(program)
}

/// The mode of a process whose threads are all registered.
pub(crate) const ALL_THREADS: Mode = Mode::AllThreads(HANDLE);

/// The mode of such a process on a machine with one CPU more than it reported.
pub(crate) const ONE_SLOT: Mode = Mode::AllThreads(Handle::new(1, 1));

/// Returns how many slots a domain has.
pub(crate) fn slots() -> usize {
    slots_in_memory() - usize::from(faulty(Fault::OneSlotTooFew))
}

fn slots_in_memory() -> usize {
    match mode() {
        Mode::AllThreads(handle) => handle.bound as usize,
        _ => CPUS,
    }
}

/// Returns the number of the current CPU.
pub(crate) fn cpu() -> usize {
    stripe()
}

/// Returns a slot for this thread's atomic additions: that of its CPU, or the last.
pub(crate) fn stripe() -> usize {
    let last = slots_in_memory() - 1;
    HERE.with(Cell::get).map_or(last, |cpu| cpu.min(last))
}

/// Returns `None`: there is no environment.
pub(crate) fn budget_variable() -> Option<&'static str> {
    None
}

/// Prints nothing: nobody would read it.
pub(crate) fn say(_: std::fmt::Arguments<'_>) {}

/// Arbitrary offsets, because loom's atomics have another size.
pub(crate) const STORES: [usize; 2] = [64; 2];

/// Returns how this process counts its readers.
pub(crate) fn mode() -> Mode {
    kernel().mode
}

/// Returns the handle, where the calling thread may run sequences.
pub(crate) fn current_thread() -> Option<Handle> {
    let handle = match mode() {
        Mode::AllThreads(handle) => handle,
        Mode::EachThread => HANDLE,
        Mode::Atomics => return None,
    };
    let has_slot = |cpu| (cpu as u32) < handle.bound;
    let usable = HERE.with(Cell::get).is_none_or(has_slot) && !UNREGISTERED.with(Cell::get);
    usable.then_some(handle)
}

/// As shipped, although no model asks for it.
impl Default for ReaderMode {
    fn default() -> Self {
        ReaderMode::Atomics(AtomicsReason::NotBuilt)
    }
}

/// Does nothing: there is no log.
pub(crate) fn tell_reader_mode() {}

/// The handle without sequences.
pub(crate) const NO_HANDLE: Handle = Handle::new(0, 0);

/// One turn of a short wait.
pub(crate) fn spin() {
    loom::thread::yield_now();
}

/// Where an update is no barrier itself, this is what ships.
pub(crate) fn fence_after_update() {
    fence(Ordering::SeqCst);
}
