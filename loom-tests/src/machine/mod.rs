//! The emulated kernel: a small machine with the names of `urcu/src/machine.rs`.
//!
//! # What it promises
//! * Some **virtual CPUs**. A thread that runs sequences holds one (`run_on`); a CPU has at most
//!   one thread, and hands over to the next with a full fence, as a context switch does.
//! * **Interrupts.** Each CPU has a mailbox. A running thread polls it before each step of a
//!   sequence but the first, and wherever a model calls `step`: that is where an interrupt can
//!   land. On a request it runs `fence(SeqCst)`, acknowledges, and the sequence it is in *aborts*.
//!   A thread that goes off its CPU fences, and acknowledges too.
//! * **The barrier** (`restart_sequences`) fences, posts a request to each CPU that runs a thread,
//!   blocks until all have acknowledged, and fences. It skips idle CPUs, as membarrier does.
//!   `refuse_next_barrier` makes it refuse once, as a filter that is installed late would. After
//!   `share_barriers` callers share them through the shipped `Rounds`, by the same lines as in
//!   `urcu/src/machine.rs`; else each issues its own, which explores less.
//! * **Futexes**: comparing the word and going to sleep are one step to those who wake. Wakers say
//!   how many, and the first who came are the first to wake up.
//! * **The worker** has a word that others change to poke it, by the lines of `urcu/src/worker.rs`.
//! * **Time limits** are over at once: loom lets everything else happen before or after. A
//!   `Watch` says which sleeps have one, and who finds that it waits for itself and panics.
//! * **Panics on purpose** (`survive`) unwind while other threads go on.
//! * **Memory** for any number of domains, zeroed, at addresses of its own each.
//! * **Lists** (`lists`, `crate::percpu`): the words, sequences and per-CPU memory of the stack of
//!   `rseq-ops`. A thread that asks for a busy CPU (`preempt`) gets it between two steps of a
//!   sequence, which aborts when its thread runs again.
//!
//! # Where it differs from Linux
//! * *Weaker:* the loads of a sequence are relaxed except that of the period (B) and of a
//!   snapshot's pointer, the store that begins a section is relaxed, and only the one that ends
//!   it is a release (D). The real sequences have acquire loads and release commits throughout.
//! * *Weaker:* a CPU's interrupt arrives as late as the writer's wait allows, and other CPUs'
//!   independently of it.
//! * *Stronger:* nothing lands before the first load of a sequence. An interrupt there restarts
//!   a sequence that has done nothing, which is the same as one that lands before it.
//! * *Stronger:* sequences abort for the writer's sake, or when a model asks (`abort_next`).
//!   Linux aborts them for signals and preemption too, which leads to the same slow ways. (What
//!   another thread does on the CPU meanwhile matters to lists alone: they have preemption.)
//! * *Stronger:* futexes do not wake for no reason. Every sleeper looks again in any case, and a
//!   sleep with a time limit is such a waking.
//! * *Stronger:* whoever is woken sees what its waker did. The kernel's locks have it so too; and
//!   who does not sleep is not helped by it.
//! * *Stronger:* a thread that waits for a barrier or sleeps runs on no CPU. On Linux it has left
//!   the user's code, which is the same to sequences.
//! * All waiting is by blocking: a loop around `yield_now` would hide interleavings, and a lost
//!   wake-up is a deadlock, which loom reports. The locks are our own (`lock`), because loom's
//!   cannot be used while a thread unwinds.
//!
//! # Faults
//! [`Fault`] makes the machine break one promise, to show that some model needs it.

mod cpu;
pub(crate) mod lists;
mod lock;
mod sequences;
mod sleep;

pub(crate) use cpu::{
    Running, refuse_next_barrier, restart_sequences, run_on, share_barriers, step, survive,
};
pub(crate) use loom::sync::atomic::{
    AtomicI64, AtomicIsize, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
pub(crate) use sequences::{
    Appended, Record, Source, abort_next, add_through, append, callback, copy_through,
    leave_unregistered, new_chunk, replace_chunk, sub, sub_if_current,
};
pub(crate) use sleep::{Watch, futex_wait, futex_wake, poke_worker, pokes, worker_sleep};

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use cpu::{Cpus, HERE};
use sequences::UNREGISTERED;
use sleep::Sleep;

/// The shipped functions are `const`; loom's atomics cannot be made in a constant.
macro_rules! const_fn {
    ($visibility:vis fn $($rest:tt)*) => { $visibility fn $($rest)* };
}
pub(crate) use const_fn;

/// How many CPUs, slots and stripes there are.
const CPUS: usize = 2;

/// As shipped; the word is opaque to all but [`slot`].
pub(crate) const PERIOD_BIT: usize = 8;

/// Always sleep: spinning would multiply interleavings and show nothing new.
pub(crate) const SPINS: u32 = 0;

/// A promise that the machine can be told to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The barrier fences all CPUs and restarts nothing, as `PRIVATE_EXPEDITED` without `_RSEQ`.
    PlainBarrier,
    /// The barrier is only a fence of the caller's.
    NoBarrier,
    /// The sequence that begins a section goes on after an interrupt.
    BeginGoesOn,
    /// A snapshot goes on after an interrupt.
    SnapshotGoesOn,
    /// B is relaxed in sequences.
    RelaxedPeriod,
    /// D is relaxed in sequences.
    RelaxedExit,
    /// `sub_if_current` subtracts from whatever period is the token's.
    ExitDoesNotCompare,
    /// The slots are summed but the last.
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

/// For a model that has failed: whether a thread of it sleeps on a futex.
pub fn somebody_sleeps() -> bool {
    sleep::somebody_sleeps()
}

thread_local! {
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

/// Where the shipped code finds its sequences' words; here it only tells real from inert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) cs: isize,
    pub(crate) index: isize,
}

const HANDLE: Handle = Handle { cs: 1, index: 2 };
const INERT: Handle = Handle { cs: -1, index: 2 };

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

#[derive(Debug)]
struct Slot {
    net: [AtomicI64; 2],
    shared: [AtomicI64; 2],
    buffer: [AtomicUsize; 2],
}

/// A domain's counters. The alignment leaves the low bits of its address to the period.
#[derive(Debug)]
#[repr(align(64))]
struct Counters {
    slots: [Slot; CPUS],
}

/// One execution's machine.
struct Kernel {
    mode: Mode,
    cpus: Cpus,
    sleep: Sleep,
    domains: RefCell<Vec<Rc<Counters>>>,
    chunks: RefCell<Vec<Rc<sequences::Chunk>>>,
    lists: lists::Lists,
}

fn kernel() -> Rc<Kernel> {
    KERNEL.with_borrow(|kernel| Rc::clone(kernel.as_ref().expect("a machine that is switched on")))
}

fn two<T>(make: impl Fn() -> T) -> [T; 2] {
    [make(), make()]
}

/// Switches a new machine on, for one execution.
pub(crate) fn boot(mode: Mode) {
    KERNEL.set(Some(Rc::new(Kernel {
        mode,
        cpus: Cpus::new(),
        sleep: Sleep::new(),
        domains: RefCell::default(),
        chunks: RefCell::default(),
        lists: lists::Lists::new(),
    })));
}

/// A domain's counters, zeroed, which live until the next machine is switched on.
pub(crate) fn allocate_slots() -> usize {
    if faulty(Fault::SlotsAgain)
        && let Some(first) = kernel().domains.borrow().first()
    {
        return Rc::as_ptr(first).expose_provenance();
    }
    let counters = Rc::new(Counters {
        slots: two(|| Slot {
            net: two(|| AtomicI64::new(0)),
            shared: two(|| AtomicI64::new(0)),
            buffer: two(|| AtomicUsize::new(0)),
        }),
    });
    let base = (&raw const *counters).expose_provenance();
    kernel().domains.borrow_mut().push(counters);
    base
}

/// The mode of a process whose threads are all registered.
pub(crate) const ALL_THREADS: Mode = Mode::AllThreads(HANDLE);

/// How many slots a domain has.
pub(crate) fn slots() -> usize {
    CPUS - usize::from(faulty(Fault::OneSlotTooFew))
}

fn slot(word: usize, index: usize) -> &'static Slot {
    let counters = core::ptr::with_exposed_provenance::<Counters>(word & !PERIOD_BIT);
    let known = |known: &Rc<Counters>| core::ptr::eq(Rc::as_ptr(known), counters);
    assert!(
        kernel().domains.borrow().iter().any(known),
        "a counter that is none"
    );
    // SAFETY: a period word is the address of counters of this machine (`allocate_slots`), which live until
    // the next machine is switched on; no model keeps the reference.
    unsafe { &(*counters).slots[index] }
}

/// The counter of slot `index` that sequences write, for the period of `word`.
pub(crate) fn net(word: usize, index: usize) -> &'static AtomicI64 {
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

/// A slot for this thread's atomic additions: that of its CPU, or the last.
pub(crate) fn stripe() -> usize {
    HERE.with(Cell::get).unwrap_or(CPUS - 1)
}

/// How this process counts its readers.
pub(crate) fn mode() -> Mode {
    kernel().mode
}

/// The handle, where the calling thread may run sequences.
pub(crate) fn current_thread() -> Option<Handle> {
    let registered = mode() != Mode::Atomics && !UNREGISTERED.with(Cell::get);
    registered.then_some(HANDLE)
}

/// A handle with which every sequence aborts.
pub(crate) fn inert() -> Handle {
    INERT
}

/// One turn of a short wait.
pub(crate) fn spin() {
    loom::thread::yield_now();
}
