//! Virtual CPUs, interrupts, and the barrier that uses them.

use std::cell::Cell;
use std::time::Duration;

use super::lock::{Lock, Tally};
use super::{AtomicUsize, CPUS, Fault, Mode, Ordering, faulty, fence, kernel, mode, two};

/// The states of a mailbox.
const IDLE: usize = 0;
const RUNNING: usize = 1;
const REQUESTED: usize = 2;

struct Cpu {
    /// Held by the thread that runs.
    turn: Lock,
    mailbox: AtomicUsize,
}

pub(super) struct Cpus {
    cpus: [Cpu; CPUS],
    /// Held while a request is pending: there is one at a time.
    barrier: Lock,
    /// Acknowledgements of the pending request.
    acknowledged: Tally,
    /// True if callers share barriers, as in the library. Otherwise each caller issues its own, which explores less.
    shared: Cell<bool>,
}

impl Cpus {
    pub(super) fn new() -> Self {
        Cpus {
            cpus: two(|| Cpu {
                turn: Lock::new(),
                mailbox: AtomicUsize::new(IDLE),
            }),
            barrier: Lock::new(),
            acknowledged: Tally::new(),
            shared: Cell::new(false),
        }
    }
}

loom::thread_local! {
    pub(super) static HERE: Cell<Option<usize>> = Cell::new(None);
    pub(super) static UNREGISTERED: Cell<bool> = Cell::new(false);
    static REFUSED: Cell<u32> = Cell::new(0);
}

/// Makes the calling thread one that could not be registered or whose registration has ended.
pub(crate) fn leave_unregistered() {
    UNREGISTERED.with(|unregistered| unregistered.set(true));
}

/// The calling thread's time on a CPU.
pub(crate) struct Running(());

/// Waits until the CPU is free, and occupies it.
pub(crate) fn run_on(cpu: usize) -> Running {
    come(cpu);
    Running(())
}

fn come(cpu: usize) {
    let kernel = kernel();
    kernel.cpus.cpus[cpu].turn.lock();
    kernel.cpus.cpus[cpu]
        .mailbox
        .swap(RUNNING, Ordering::Relaxed);
    // A thread that found the CPU idle has fenced before: this fence makes visible what it did before that.
    fence(Ordering::SeqCst);
    HERE.with(|here| here.set(Some(cpu)));
}

fn go(cpu: usize) {
    let kernel = kernel();
    HERE.with(Cell::take);
    // A thread that finds the CPU idle and fences sees what happened here.
    fence(Ordering::SeqCst);
    if kernel.cpus.cpus[cpu].mailbox.swap(IDLE, Ordering::Relaxed) == REQUESTED {
        kernel.cpus.acknowledged.add();
    }
    kernel.cpus.cpus[cpu].turn.unlock();
}

fn here() -> usize {
    HERE.with(Cell::get).expect("a thread on a CPU")
}

/// Gives the calling thread's CPU to another thread, and waits to get it back.
pub(super) fn give_way() {
    let cpu = here();
    go(cpu);
    come(cpu);
}

impl Running {
    /// Moves the thread to another CPU.
    pub(crate) fn migrate(&self, cpu: usize) {
        go(here());
        come(cpu);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A model that has failed unwinds without further steps. But the unwinding thread may be another one that
        // panics on purpose: loom runs all of them on one thread of the system.
        if !is_unwinding() {
            go(here());
        }
    }
}

/// Returns whether the model has failed, and the calling thread unwinds.
pub(super) fn is_unwinding() -> bool {
    std::thread::panicking() && PANICS.get() == 0
}

/// Does something that may block. A thread that runs on a CPU leaves it meanwhile.
pub(super) fn blocked<R>(f: impl FnOnce() -> R) -> R {
    let Some(cpu) = HERE.with(Cell::get) else {
        return f();
    };
    go(cpu);
    let result = f();
    come(cpu);
    result
}

/// Takes an interrupt if there is one. Returns whether it restarts a sequence.
pub(super) fn interrupted() -> bool {
    let Some(cpu) = HERE.with(Cell::get) else {
        return false;
    };
    let kernel = kernel();
    // Relaxed: only the interrupt's fence orders anything, and it runs only if there is one.
    let request = kernel.cpus.cpus[cpu].mailbox.compare_exchange(
        REQUESTED,
        RUNNING,
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    if request.is_err() {
        return false;
    }
    fence(Ordering::SeqCst);
    kernel.cpus.acknowledged.add();
    // The kernel restarts no sequence of a thread that is not registered.
    !faulty(Fault::PlainBarrier) && !UNREGISTERED.with(Cell::get)
}

/// Marks a point outside sequences at which an interrupt can land.
pub(crate) fn step() {
    interrupted();
}

/// Makes the calling thread's next barrier one that the kernel refuses; called twice, the next two.
pub(crate) fn refuse_next_barrier() {
    REFUSED.with(|refused| refused.set(refused.get() + 1));
}

thread_local! {
    /// The number of the model's threads that unwind on purpose.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Panics without the hook, which would print a line in every execution.
pub(crate) fn panic_on_purpose() -> ! {
    PANICS.set(PANICS.get() + 1);
    std::panic::resume_unwind(Box::new(OnPurpose));
}

struct OnPurpose;

/// Catches panics on purpose, and no others: those are failures of a model, or loom's.
pub(crate) fn catch_unwind<R>(
    f: impl FnOnce() -> R + std::panic::UnwindSafe,
) -> std::thread::Result<R> {
    match std::panic::catch_unwind(f) {
        Err(payload) if payload.is::<OnPurpose>() => {
            PANICS.set(PANICS.get() - 1);
            Err(payload)
        }
        Err(payload) => std::panic::resume_unwind(payload),
        returned => returned,
    }
}

/// Returns whether `f` returned; false if it panicked on purpose.
pub(crate) fn survive(f: impl FnOnce()) -> bool {
    catch_unwind(std::panic::AssertUnwindSafe(f)).is_ok()
}

/// From now on callers share barriers.
pub(crate) fn share_barriers() {
    kernel().cpus.shared.set(true);
}

/// The error of a barrier that the kernel refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MembarrierError;

impl MembarrierError {
    /// Returns false: a caller that waits does not try again what models refuse.
    pub(crate) fn is_passing(self) -> bool {
        false
    }
}

/// As shipped.
pub(crate) const PATIENCE: Duration = Duration::ZERO;

/// As shipped.
pub(crate) fn cannot_end(_: MembarrierError) -> ! {
    panic_on_purpose();
}

/// Issues a full barrier on all CPUs that run this process, which restarts all sequences in flight. Returns whether
/// the barrier was issued for this caller.
pub(crate) fn restart_sequences(
    share: impl FnOnce(fn() -> Result<(), MembarrierError>) -> Result<bool, MembarrierError>,
) -> Result<bool, MembarrierError> {
    if mode() == Mode::Atomics {
        fence(Ordering::SeqCst);
        return Ok(false);
    }
    if kernel().cpus.shared.get() {
        return share(issue_barrier);
    }
    issue_barrier().map(|()| true)
}

/// Makes the emulated system call.
fn issue_barrier() -> Result<(), MembarrierError> {
    let refused = REFUSED.with(Cell::get);
    if refused > 0 {
        REFUSED.with(|left| left.set(refused - 1));
        return Err(MembarrierError);
    }
    fence(Ordering::SeqCst);
    if !faulty(Fault::NoBarrier) {
        blocked(interrupt_all);
    }
    Ok(())
}

fn interrupt_all() {
    let kernel = kernel();
    let cpus = &kernel.cpus;
    cpus.barrier.lock();
    let requests = cpus
        .cpus
        .iter()
        .filter(|cpu| {
            // Relaxed, as where the interrupt is taken: the fences order it.
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
        cpus.acknowledged.await_count(requests);
    }
    cpus.barrier.unlock();
    fence(Ordering::SeqCst);
}
