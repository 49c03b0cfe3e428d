//! The emulated kernel: a small machine with the names of `urcu/src/machine.rs`.
//!
//! # What it promises
//! * Some **virtual CPUs**. A thread that runs sequences holds one (`run_on`); a CPU has at most
//!   one thread, and hands over to the next with a full fence, as a context switch does.
//! * **Interrupts.** Each CPU has a mailbox. A running thread polls it before each step of a
//!   sequence but the first, and wherever a model calls `step`: that is where an interrupt can
//!   land. On a request it runs `fence(SeqCst)`, acknowledges, and the sequence it is in *aborts*.
//!   A thread that goes off its CPU fences, and acknowledges too.
//! * **`restart_sequences`** fences, posts a request to each CPU that runs a thread, blocks
//!   until all have acknowledged, and fences. It skips idle CPUs, as membarrier does.
//!   `refuse_next_barrier` makes it refuse once, as a filter that is installed late would.
//! * **Futexes**: comparing the word and going to sleep are one step to those who wake.
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
//!   Linux aborts them for signals and preemption too, which leads to the same slow ways.
//! * *Stronger:* futexes do not wake for no reason; the writer looks again in any case, so such a
//!   waking only adds turns to its loop.
//! * All waiting is by blocking: a loop around `yield_now` would hide interleavings, and a lost
//!   wake-up is a deadlock, which loom reports.
//!
//! # Faults
//! [`Fault`] makes the machine break one promise, to show that some model needs it.

use std::cell::{Cell, RefCell};
use std::num::NonZeroUsize;
use std::rc::Rc;

pub(crate) use crate::lock::Mutex;
pub(crate) use loom::sync::atomic::{
    AtomicI64, AtomicIsize, AtomicU32, AtomicUsize, Ordering, fence,
};

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex as LoomMutex, MutexGuard};

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
}

impl Fault {
    /// All faults, with their names.
    pub const ALL: &[(&str, Fault)] = &[
        ("plain-barrier", Fault::PlainBarrier),
        ("no-barrier", Fault::NoBarrier),
        ("begin-goes-on", Fault::BeginGoesOn),
        ("snapshot-goes-on", Fault::SnapshotGoesOn),
        ("relaxed-period", Fault::RelaxedPeriod),
        ("relaxed-exit", Fault::RelaxedExit),
        ("exit-does-not-compare", Fault::ExitDoesNotCompare),
        ("one-slot-too-few", Fault::OneSlotTooFew),
        ("no-wake", Fault::NoWake),
    ];
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

/// The states of a mailbox.
const IDLE: usize = 0;
const RUNNING: usize = 1;
const REQUESTED: usize = 2;

struct Cpu {
    /// Held by the thread that runs.
    turn: LoomMutex<()>,
    mailbox: AtomicUsize,
}

#[derive(Debug)]
struct Slot {
    net: [AtomicI64; 2],
    shared: [AtomicI64; 2],
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
    cpus: [Cpu; CPUS],
    /// One request at a time is out.
    barrier: LoomMutex<()>,
    /// Acknowledgements of the request that is out.
    acknowledged: LoomMutex<usize>,
    acknowledgement: Condvar,
    /// The one futex bucket.
    bucket: LoomMutex<()>,
    sleepers: Condvar,
    counters: Box<Counters>,
}

loom::thread_local! {
    static HERE: Cell<Option<usize>> = Cell::new(None);
    static REFUSED: Cell<bool> = Cell::new(false);
    static UNREGISTERED: Cell<bool> = Cell::new(false);
    static ABORTS: Cell<u32> = Cell::new(0);
}

fn kernel() -> Rc<Kernel> {
    KERNEL.with_borrow(|kernel| Rc::clone(kernel.as_ref().expect("a machine that is switched on")))
}

/// Switches a new machine on, for one execution. The answer is the address of zeroed counters.
pub(crate) fn boot(mode: Mode) -> usize {
    fn two<T>(make: impl Fn() -> T) -> [T; 2] {
        [make(), make()]
    }
    let counters = Box::new(Counters {
        slots: two(|| Slot {
            net: two(|| AtomicI64::new(0)),
            shared: two(|| AtomicI64::new(0)),
        }),
    });
    let base = (&raw const *counters).expose_provenance();
    let kernel = Kernel {
        mode,
        cpus: two(|| Cpu {
            turn: LoomMutex::new(()),
            mailbox: AtomicUsize::new(IDLE),
        }),
        barrier: LoomMutex::new(()),
        acknowledged: LoomMutex::new(0),
        acknowledgement: Condvar::new(),
        bucket: LoomMutex::new(()),
        sleepers: Condvar::new(),
        counters,
    };
    KERNEL.set(Some(Rc::new(kernel)));
    base
}

/// The mode of a process whose threads are all registered.
pub(crate) const ALL_THREADS: Mode = Mode::AllThreads(HANDLE);

/// The calling thread's time on a CPU.
pub(crate) struct Running {
    turn: RefCell<Option<MutexGuard<'static, ()>>>,
    kernel: Rc<Kernel>,
}

/// Waits until the CPU is free and occupies it.
pub(crate) fn run_on(cpu: usize) -> Running {
    let running = Running {
        turn: RefCell::new(None),
        kernel: kernel(),
    };
    running.come(cpu);
    running
}

impl Running {
    fn come(&self, cpu: usize) {
        let turn = self.kernel.cpus[cpu].turn.lock().expect("a turn");
        // SAFETY: the guard borrows the kernel, which `self` keeps alive: it is the later field,
        // and it is never replaced.
        let turn: MutexGuard<'static, ()> = unsafe { core::mem::transmute(turn) };
        self.turn.replace(Some(turn));
        self.kernel.cpus[cpu]
            .mailbox
            .swap(RUNNING, Ordering::Relaxed);
        // Whoever found the CPU idle has fenced before; what came before that fence is seen now.
        fence(Ordering::SeqCst);
        HERE.with(|here| here.set(Some(cpu)));
    }

    fn go(&self) {
        let cpu = HERE.with(Cell::take).expect("a thread on a CPU");
        // Whoever finds the CPU idle and fences sees what happened here.
        fence(Ordering::SeqCst);
        if self.kernel.cpus[cpu].mailbox.swap(IDLE, Ordering::Relaxed) == REQUESTED {
            self.kernel.acknowledge();
        }
        drop(self.turn.take());
    }

    /// Goes on on another CPU.
    pub(crate) fn migrate(&self, cpu: usize) {
        self.go();
        self.come(cpu);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A model that has failed unwinds without further steps.
        if !std::thread::panicking() {
            self.go();
        }
    }
}

impl Kernel {
    fn acknowledge(&self) {
        *self.acknowledged.lock().expect("no panic") += 1;
        self.acknowledgement.notify_one();
    }

    fn await_acknowledgements(&self, requests: usize) {
        let mut acknowledged = self.acknowledged.lock().expect("no panic");
        while *acknowledged < requests {
            acknowledged = self.acknowledgement.wait(acknowledged).expect("no panic");
        }
        *acknowledged = 0;
    }
}

/// Takes an interrupt if there is one; whether it restarts a sequence.
fn interrupted() -> bool {
    let Some(cpu) = HERE.with(Cell::get) else {
        return false;
    };
    let kernel = kernel();
    // Relaxed: only the interrupt's fence orders anything, and it runs only if there is one.
    let request = kernel.cpus[cpu].mailbox.compare_exchange(
        REQUESTED,
        RUNNING,
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    if request.is_err() {
        return false;
    }
    fence(Ordering::SeqCst);
    kernel.acknowledge();
    !faulty(Fault::PlainBarrier)
}

/// A point outside sequences at which an interrupt can land.
pub(crate) fn step() {
    interrupted();
}

/// Makes the calling thread's next attempts at a sequence abort, as signals may.
pub(crate) fn abort_next(attempts: u32) {
    ABORTS.with(|aborts| aborts.set(attempts));
}

/// Makes the calling thread one that could not be registered.
pub(crate) fn leave_unregistered() {
    UNREGISTERED.with(|unregistered| unregistered.set(true));
}

/// The CPU of a sequence that begins; `None` if it aborts at once.
fn arm(handle: Handle) -> Option<usize> {
    let aborts = ABORTS.with(|aborts| aborts.replace(aborts.get().saturating_sub(1)));
    if handle == INERT || UNREGISTERED.with(Cell::get) || aborts > 0 {
        return None;
    }
    Some(HERE.with(Cell::get).expect("a sequence runs on a CPU"))
}

/// How many slots a domain has.
pub(crate) fn slots() -> usize {
    CPUS - usize::from(faulty(Fault::OneSlotTooFew))
}

fn slot(word: usize, index: usize) -> &'static Slot {
    let counters = core::ptr::with_exposed_provenance::<Counters>(word & !PERIOD_BIT);
    debug_assert!(KERNEL.with_borrow(|kernel| {
        kernel
            .as_ref()
            .is_some_and(|kernel| core::ptr::eq(&raw const *kernel.counters, counters))
    }));
    // SAFETY: a period word is the address of the machine's counters (`boot`), which live until
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

/// Adds `delta` to the counter of this CPU; its new value, or `None` for an abort. The last step is
/// the commit.
fn add(cpu: usize, word: usize, delta: i64, commit: Ordering) -> Option<i64> {
    let goes_on = delta > 0 && faulty(Fault::BeginGoesOn);
    if interrupted() && !goes_on {
        return None;
    }
    let counter = net(word, cpu);
    let value = counter.load(Ordering::Relaxed) + delta;
    if interrupted() && !goes_on {
        return None;
    }
    counter.store(value, commit);
    Some(value)
}

fn add_at_exit(cpu: usize, word: usize) -> Outcome {
    let commit = if faulty(Fault::RelaxedExit) {
        Ordering::Relaxed
    } else {
        Ordering::Release
    };
    match add(cpu, word, -1, commit) {
        Some(_) => Outcome::Committed,
        None => Outcome::Aborted,
    }
}

/// Adds 1 to this CPU's counter of the period in `period`; that period's word and the counter's
/// new value, or `None` for an abort.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn add_through(
    handle: Handle,
    period: &AtomicUsize,
) -> Option<(NonZeroUsize, u64)> {
    let cpu = arm(handle)?;
    let word = period.load(if faulty(Fault::RelaxedPeriod) {
        Ordering::Relaxed
    } else {
        Ordering::Acquire
    });
    let value = add(cpu, word, 1, Ordering::Relaxed)?;
    Some((NonZeroUsize::new(word)?, value as u64))
}

/// Subtracts 1 from this CPU's counter of the period of `word`, if that is the one in `period`.
/// The guess makes the real one faster and nothing else.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn sub_if_current(
    handle: Handle,
    period: &AtomicUsize,
    word: usize,
    _guess: u64,
) -> Outcome {
    let Some(cpu) = arm(handle) else {
        return Outcome::Aborted;
    };
    if !faulty(Fault::ExitDoesNotCompare) && period.load(Ordering::Relaxed) != word {
        return Outcome::Mismatch;
    }
    add_at_exit(cpu, word)
}

/// Subtracts 1 from this CPU's counter of the period of `word`.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn sub(handle: Handle, word: usize) -> Outcome {
    match arm(handle) {
        Some(cpu) => add_at_exit(cpu, word),
        None => Outcome::Aborted,
    }
}

/// What [`copy_through`] copies from: stands for a pointer to one of some values.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) current: AtomicUsize,
    values: Vec<UnsafeCell<u32>>,
    /// Whether each value was reclaimed. Loom tries both orders of conflicting atomic accesses and
    /// not of a cell's, whose races it only recognises; fences order nothing that it tries.
    reclaimed: Vec<AtomicUsize>,
}

impl Source {
    pub(crate) fn new(values: u32) -> Self {
        Source {
            current: AtomicUsize::new(0),
            values: (0..values).map(UnsafeCell::new).collect(),
            reclaimed: (0..values).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Reads what `pointer` points to.
    pub(crate) fn read(&self, pointer: usize) -> u32 {
        let reclaimed = self.reclaimed[pointer].load(Ordering::Relaxed);
        assert_eq!(reclaimed, 0, "a read of a value that was reclaimed");
        // SAFETY: loom checks that nobody writes the value meanwhile.
        self.values[pointer].with(|value| unsafe { *value })
    }

    /// Reclaims what `pointer` points to.
    pub(crate) fn reclaim(&self, pointer: usize) {
        self.reclaimed[pointer].store(1, Ordering::Relaxed);
        // SAFETY: loom checks that nobody reads the value meanwhile.
        self.values[pointer].with_mut(|value| unsafe { *value = u32::MAX });
    }
}

/// Copies what `source` points to, in one sequence.
///
/// # Safety
/// As shipped, except that `source` is the address of a [`Source`] and `target` that of a `u32`.
pub(crate) unsafe fn copy_through(
    handle: Handle,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) -> Outcome {
    assert_eq!(size, size_of::<u32>());
    if arm(handle).is_none() {
        return Outcome::Aborted;
    }
    let goes_on = faulty(Fault::SnapshotGoesOn);
    // SAFETY: the caller's.
    let source = unsafe { &*source.cast::<Source>() };
    let pointer = source.current.load(Ordering::Acquire);
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    let value = source.read(pointer);
    // SAFETY: the caller's.
    unsafe { target.cast::<u32>().write(value) };
    if interrupted() && !goes_on {
        return Outcome::Aborted;
    }
    Outcome::Committed
}

/// Makes the calling thread's next barrier one that the kernel refuses. Only while no other thread
/// of the model lives: loom may switch threads while this one unwinds.
pub(crate) fn refuse_next_barrier() {
    REFUSED.with(|refused| refused.set(true));
}

/// A full barrier on all CPUs that run this process, which restarts all sequences in flight.
pub(crate) fn restart_sequences() {
    if REFUSED.with(Cell::take) {
        // Without the panic hook, which would print a line in every execution.
        std::panic::resume_unwind(Box::new("refused"));
    }
    fence(Ordering::SeqCst);
    if mode() == Mode::Atomics || faulty(Fault::NoBarrier) {
        return;
    }
    let kernel = kernel();
    let _barrier = kernel.barrier.lock().expect("no panic");
    let requests = kernel
        .cpus
        .iter()
        .filter(|cpu| {
            // Relaxed, as where the interrupt is taken: the fences do it.
            let posted = cpu.mailbox.compare_exchange(
                RUNNING,
                REQUESTED,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            posted.is_ok()
        })
        .count();
    if requests > 0 {
        kernel.await_acknowledgements(requests);
    }
    fence(Ordering::SeqCst);
}

/// One turn of a short wait.
pub(crate) fn spin() {
    loom::thread::yield_now();
}

/// Sleeps while `word` holds `value`.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    let kernel = kernel();
    let bucket = kernel.bucket.lock().expect("no panic");
    if word.load(Ordering::Relaxed) == value {
        drop(kernel.sleepers.wait(bucket).expect("no panic"));
    }
}

/// Wakes whoever sleeps on the word.
pub(crate) fn futex_wake(_word: &AtomicU32) {
    if faulty(Fault::NoWake) {
        return;
    }
    step();
    let kernel = kernel();
    let _bucket = kernel.bucket.lock().expect("no panic");
    kernel.sleepers.notify_all();
}
