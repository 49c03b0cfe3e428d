//! Virtual CPUs, interrupts, and the barrier that is made of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use loom::sync::{Condvar, Mutex, MutexGuard};

use super::{
    AtomicUsize, CPUS, Fault, Kernel, Mode, Ordering, Watch, faulty, fence, kernel, mode, two,
};
use crate::rounds::Rounds;

/// The states of a mailbox.
const IDLE: usize = 0;
const RUNNING: usize = 1;
const REQUESTED: usize = 2;

struct Cpu {
    /// Held by the thread that runs.
    turn: Mutex<()>,
    mailbox: AtomicUsize,
}

pub(super) struct Cpus {
    cpus: [Cpu; CPUS],
    /// One request at a time is out.
    barrier: Mutex<()>,
    /// Acknowledgements of the request that is out.
    acknowledged: Mutex<usize>,
    acknowledgement: Condvar,
    /// Where callers share barriers, as the shipped machine has it; `None` where each issues one
    /// of its own, which explores less.
    shared: RefCell<Option<Rc<Rounds>>>,
}

impl Cpus {
    pub(super) fn new() -> Self {
        Cpus {
            cpus: two(|| Cpu {
                turn: Mutex::new(()),
                mailbox: AtomicUsize::new(IDLE),
            }),
            barrier: Mutex::new(()),
            acknowledged: Mutex::new(0),
            acknowledgement: Condvar::new(),
            shared: RefCell::default(),
        }
    }
}

loom::thread_local! {
    pub(super) static HERE: Cell<Option<usize>> = Cell::new(None);
    static REFUSED: Cell<bool> = Cell::new(false);
}

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
        let turn = self.kernel.cpus.cpus[cpu].turn.lock().expect("a turn");
        // SAFETY: the guard borrows the kernel, which `self` keeps alive: it is the later field,
        // and it is never replaced.
        let turn: MutexGuard<'static, ()> = unsafe { core::mem::transmute(turn) };
        self.turn.replace(Some(turn));
        self.kernel.cpus.cpus[cpu]
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
        if self.kernel.cpus.cpus[cpu]
            .mailbox
            .swap(IDLE, Ordering::Relaxed)
            == REQUESTED
        {
            self.kernel.cpus.acknowledge();
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

impl Cpus {
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
    kernel.cpus.acknowledge();
    !faulty(Fault::PlainBarrier)
}

/// A point outside sequences at which an interrupt can land.
pub(crate) fn step() {
    interrupted();
}

/// Makes the calling thread's next barrier one that the kernel refuses.
pub(crate) fn refuse_next_barrier() {
    REFUSED.with(|refused| refused.set(true));
}

/// From now on callers share barriers.
pub(crate) fn share_barriers() {
    kernel().cpus.shared.replace(Some(Rc::new(Rounds::new())));
}

/// A full barrier on all CPUs that run this process, which restarts all sequences in flight.
/// Whether it was issued for this caller.
pub(crate) fn restart_sequences() -> bool {
    if mode() == Mode::Atomics {
        fence(Ordering::SeqCst);
        return false;
    }
    let shared = kernel().cpus.shared.borrow().clone();
    let Some(barriers) = shared else {
        issue_barrier();
        return true;
    };
    let mut issued = false;
    barriers.wait(barriers.join(), &Watch::none(), |lead| {
        lead.begin();
        issue_barrier();
        lead.finish();
        issued = true;
    });
    issued
}

/// The system call.
fn issue_barrier() {
    if REFUSED.with(Cell::take) {
        // Without the panic hook, which would print a line in every execution.
        std::panic::resume_unwind(Box::new("refused"));
    }
    fence(Ordering::SeqCst);
    if faulty(Fault::NoBarrier) {
        return;
    }
    let kernel = kernel();
    let cpus = &kernel.cpus;
    let _barrier = cpus.barrier.lock().expect("no panic");
    let requests = cpus
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
        cpus.await_acknowledgements(requests);
    }
    fence(Ordering::SeqCst);
}
