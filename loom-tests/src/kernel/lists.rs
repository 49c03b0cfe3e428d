//! The words, locks and sequences of per-CPU lists, as `rseq-ops/src/percpu/sys.rs` has them.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr;

use loom::thread::{self, Thread};

pub(crate) use super::NO_HANDLE;
use super::cpu::{HERE, Running, give_way, interrupted, run_on};
use super::sequences::arm;
use super::{
    AtomicUsize, CPUS, Fault, Handle, Mode, Ordering, Outcome, faulty, kernel, mode,
    restart_sequences, two,
};

/// The answer of a pop that was aborted.
pub(crate) const ABORTED: usize = 1;

/// Bytes from one CPU's words to the next CPU's, as a power of two.
pub(crate) const SHIFT: u32 = 6;

/// An atomic word, as large as a real one. Loom's are larger; sequences compute addresses.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Word(Box<AtomicUsize>);

impl Word {
    pub(crate) fn new(value: usize) -> Self {
        Word(Box::new(AtomicUsize::new(value)))
    }

    /// # Safety
    /// There must be a word at the address that outlives the reference.
    unsafe fn at<'w>(address: usize) -> &'w Word {
        // SAFETY: a word of that address outlives the reference, as the caller promises.
        unsafe { &*ptr::with_exposed_provenance::<Word>(address) }
    }
}

/// As the standard library's.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct AtomicPtr<T>(Word, PhantomData<*mut T>);

impl<T> AtomicPtr<T> {
    pub(crate) fn new(pointer: *mut T) -> Self {
        AtomicPtr(Word::new(pointer.expose_provenance()), PhantomData)
    }

    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        ptr::with_exposed_provenance_mut(self.0.0.load(order))
    }

    pub(crate) fn store(&self, pointer: *mut T, order: Ordering) {
        self.0.0.store(pointer.expose_provenance(), order);
    }

    pub(crate) fn swap(&self, pointer: *mut T, order: Ordering) -> *mut T {
        ptr::with_exposed_provenance_mut(self.0.0.swap(pointer.expose_provenance(), order))
    }

    pub(crate) fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        let (current, new) = (current.addr(), new.expose_provenance());
        self.0
            .0
            .compare_exchange(current, new, success, failure)
            .map(ptr::with_exposed_provenance_mut)
            .map_err(ptr::with_exposed_provenance_mut)
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.compare_exchange(current, new, success, failure)
    }

    /// Loom checks that nobody else accesses it meanwhile.
    pub(crate) fn get_mut(&mut self) -> Box<*mut T> {
        let address = self.0.0.with_mut(|address| *address);
        Box::new(ptr::with_exposed_provenance_mut(address))
    }
}

/// As the standard library's, for locks: a thread that waits for one sleeps until somebody stores to it.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct AtomicU32(Word);

impl AtomicU32 {
    pub(crate) fn new(value: u32) -> Self {
        AtomicU32(Word::new(value as usize))
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.0.0.store(value as usize, order);
        let address = ptr::from_ref(self).addr();
        let kernel = kernel();
        let mut waiting = kernel.lists.waiting.borrow_mut();
        for (_, thread) in waiting.extract_if(.., |(lock, _)| *lock == address) {
            thread.unpark();
        }
    }

    pub(crate) fn compare_exchange(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        self.0
            .0
            .compare_exchange(current as usize, new as usize, success, failure)
            .map(|value| value as u32)
            .map_err(|value| value as u32)
    }
}

impl Default for AtomicU32 {
    fn default() -> Self {
        AtomicU32::new(0)
    }
}

/// Waits until somebody stores to a lock's word, which was not free.
pub(crate) fn wait_for(lock: &AtomicU32) {
    // Loom has done no operation since the word was found taken, and does none until this thread is parked.
    let this = (ptr::from_ref(lock).addr(), thread::current());
    kernel().lists.waiting.borrow_mut().push(this);
    thread::park();
}

pub(super) struct Lists {
    /// The number of threads that want each CPU.
    wanted: [AtomicUsize; CPUS],
    /// The threads that wait, with the lock that each waits for.
    waiting: RefCell<Vec<(usize, Thread)>>,
}

impl Lists {
    pub(super) fn new() -> Self {
        Lists {
            wanted: two(|| AtomicUsize::new(0)),
            waiting: RefCell::default(),
        }
    }
}

loom::thread_local! {
    static PREEMPTED: Cell<bool> = Cell::new(false);
    static REFUSALS: Cell<u32> = Cell::new(0);
}

/// Returns whether the calling thread was preempted in a sequence.
pub(crate) fn was_preempted() -> bool {
    PREEMPTED.with(Cell::get)
}

/// As [`run_on`], but preempts a thread that is in a sequence on that CPU.
pub(crate) fn preempt(cpu: usize) -> Running {
    let wanted = &kernel().lists.wanted[cpu];
    wanted.fetch_add(1, Ordering::Relaxed);
    let running = run_on(cpu);
    wanted.fetch_sub(1, Ordering::Relaxed);
    running
}

/// Takes a step inside a sequence of lists. Returns whether the sequence must start over, because of an interrupt or
/// because another thread ran on this CPU.
fn aborts() -> bool {
    let cpu = HERE.with(Cell::get).expect("a sequence runs on a CPU");
    let interrupted = interrupted();
    // Relaxed: only the passing of the CPU to another thread orders anything.
    if kernel().lists.wanted[cpu].load(Ordering::Relaxed) == 0 {
        return interrupted;
    }
    PREEMPTED.with(|preempted| preempted.set(true));
    give_way();
    true
}

/// Returns the head of a CPU's list in the bank that `source` names.
///
/// # Safety
/// As for the sequences.
unsafe fn head<'w>(cpu: usize, source: &AtomicUsize) -> &'w AtomicUsize {
    let bank = source.load(if faulty(Fault::RelaxedBank) {
        Ordering::Relaxed
    } else {
        Ordering::Acquire
    });
    let cpu = if faulty(Fault::SameList) { 0 } else { cpu };
    // SAFETY: a bank has a word for each emulated CPU at this distance, and outlives the model's threads.
    unsafe { &Word::at(bank + (cpu << SHIFT)).0 }
}

/// Pushes a node, whose first word becomes the link.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn push_through(handle: Handle, source: &AtomicUsize, node: usize) -> Outcome {
    let Some(cpu) = arm(handle) else {
        return Outcome::Aborted;
    };
    let goes_on = faulty(Fault::PushGoesOn);
    // SAFETY: the source names a bank with a head for each CPU, and `node` is the address of a word, as the
    // caller promises; both outlive the model.
    let (head, link) = unsafe { (head(cpu, source), &Word::at(node).0) };
    if aborts() && !goes_on {
        return Outcome::Aborted;
    }
    let first = head.load(Ordering::Relaxed);
    if faulty(Fault::PushCommitsFirst) {
        head.store(node, Ordering::Relaxed);
        if aborts() {
            return Outcome::Committed;
        }
        link.store(first, Ordering::Relaxed);
        return Outcome::Committed;
    }
    link.store(first, Ordering::Relaxed);
    if aborts() && !goes_on {
        return Outcome::Aborted;
    }
    head.store(node, Ordering::Relaxed);
    Outcome::Committed
}

/// Pops a node. Returns 0 if there is none, and [`ABORTED`] after an abort.
///
/// # Safety
/// As shipped.
pub(crate) unsafe fn pop_through(handle: Handle, source: &AtomicUsize) -> usize {
    let Some(cpu) = arm(handle) else {
        return ABORTED;
    };
    let goes_on = faulty(Fault::PopGoesOn);
    // SAFETY: the source names a bank with a head for each CPU, as the caller promises; it outlives the
    // model.
    let head = unsafe { head(cpu, source) };
    if aborts() && !goes_on {
        return ABORTED;
    }
    let node = head.load(Ordering::Relaxed);
    if node == 0 {
        return 0;
    }
    if aborts() && !goes_on {
        return ABORTED;
    }
    // SAFETY: only nodes are pushed, and the memory of a node that another thread has popped meanwhile stays until
    // the model ends.
    let next = unsafe { &Word::at(node).0 }.load(Ordering::Relaxed);
    if aborts() && !goes_on {
        let same = faulty(Fault::PopComparesHead) && head.load(Ordering::Relaxed) == node;
        if !same {
            return ABORTED;
        }
    }
    head.store(next, Ordering::Relaxed);
    node
}

/// Returns the handle of all threads, or [`NO_HANDLE`].
pub(crate) fn shared_handle() -> Handle {
    match mode() {
        Mode::AllThreads(handle) => handle,
        _ => NO_HANDLE,
    }
}

/// Returns whether sequences can be restarted.
pub(crate) fn can_restart() -> bool {
    mode() != Mode::Atomics
}

/// As `rseq_ops::membarrier::MembarrierError`.
#[derive(Debug)]
pub(crate) struct MembarrierError;

/// Makes the kernel refuse some of the calling thread's next barriers: the first one if the lowest
/// bit is set, and so on.
pub(crate) fn refuse_barriers(which: u32) {
    REFUSALS.with(|refusals| refusals.set(which));
}

/// As `rseq_ops::membarrier::restart`.
pub(crate) fn restart() -> Result<(), MembarrierError> {
    let refusals = REFUSALS.with(|refusals| refusals.replace(refusals.get() >> 1));
    if refusals & 1 != 0 {
        return Err(MembarrierError);
    }
    restart_sequences(|issue| issue().map(|()| true)).expect("a barrier");
    Ok(())
}

/// Returns the CPU's number, or a stripe.
pub(crate) fn index_hint() -> usize {
    super::stripe()
}

/// As shipped, but with fewer attempts: one for every thread that can cause an abort, and one more.
pub(crate) fn try_sequence<T>(mut attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
    let handle = super::current_thread()?;
    (0..ATTEMPTS).find_map(|_| attempt(handle))
}

/// The number of attempts at a sequence out of line.
pub(crate) const ATTEMPTS: u32 = 3;

/// Returns how many CPUs there are.
pub(crate) fn possible_cpus() -> usize {
    CPUS
}
