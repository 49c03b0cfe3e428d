//! Callbacks: when they may run, and threads that wait until they have run.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::domains::{BENCH, Owned, on_cpu, run_to_the_end, take_job};
use super::witness;
use crate::cell::{Rcu, RcuCell};
use crate::domain::Domain;
use crate::driver::job::Runner;
use crate::kernel::{
    ALL_THREADS, AtomicUsize, Mode, Ordering, Value, abort_next, run_on, step, without_time_limits,
};

/// The callbacks that have run. Cells, so that a thread that does not see that a callback has run races with it.
struct Runs(Vec<(AtomicUsize, UnsafeCell<u32>)>);

// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Sync for Runs {}
// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Send for Runs {}

impl Runs {
    fn new(count: usize) -> Arc<Runs> {
        let runs = (0..count).map(|_| (AtomicUsize::new(0), UnsafeCell::new(0)));
        Arc::new(Runs(runs.collect()))
    }

    /// Queues callback `n`.
    fn call(self: &Arc<Self>, domain: &Domain, n: usize) {
        let runs = Arc::clone(self);
        domain.call(move || runs.run(n));
    }

    /// Runs callback `n`.
    fn run(&self, n: usize) {
        assert_eq!(self.0[n].0.swap(1, Ordering::Relaxed), 0, "run twice");
        // SAFETY: loom checks that nobody else uses it meanwhile.
        self.0[n].1.with_mut(|run| unsafe { *run += 1 });
    }

    /// Queues callback `n` from a CPU.
    fn call_on(self: &Arc<Self>, cpu: usize, domain: &Domain, n: usize) {
        let _running = run_on(cpu);
        self.call(domain, n);
    }

    /// Checks that callback `n` has run, and that its effect is visible.
    fn has_run(&self, n: usize) {
        assert_eq!(self.0[n].0.load(Ordering::Relaxed), 1, "not run");
        // SAFETY: loom checks that nobody writes it meanwhile.
        assert_eq!(self.0[n].1.with(|run| unsafe { *run }), 1);
    }
}

/// Starts a thread on no CPU.
fn spawn(program: impl FnOnce() + 'static) -> thread::JoinHandle<()> {
    thread::spawn(program)
}

/// Queues a callback that does nothing, so that this CPU has a chunk with one callback in it.
fn call_on(cpu: usize, domain: &Domain) {
    let _running = run_on(cpu);
    domain.call(|| ());
}

/// Returns a cell with the value 0, which readers follow.
fn cell(domain: &'static Domain) -> Arc<Rcu<Value, &'static Domain>> {
    Arc::new(RcuCell::new_in(Value::new(0), domain))
}

/// Starts a reader of one section on CPU 0.
fn reader(cell: &Arc<Rcu<Value, &'static Domain>>) -> thread::JoinHandle<()> {
    let cell = Arc::clone(cell);
    on_cpu(0, move || {
        let guard = cell.domain().read_lock();
        let seen = cell.load(&guard);
        step();
        seen.read();
    })
}

/// Runs ready callbacks, and begins no grace period.
fn run_ready(domain: &Domain) {
    let (_, driver) = domain.driver();
    driver
        .callbacks
        .run_ready(driver.progress.sequence.done(), 4);
}

/// A chunk that a grace period collects waits for the next grace period: a section may have begun after the flip of
/// the collecting one and still see what was unpublished.
pub(super) fn what_a_flip_collects_waits_for_the_next() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let runs = Runs::new(1);
    runs.call_on(1, domain, 0);
    let cell = cell(domain);
    let reader = reader(&cell);
    let leader = spawn(move || domain.synchronize());
    let running = run_on(1);
    cell.store(Value::new(1));
    drop(running);
    leader.join().expect("the leader");
    run_ready(domain);
    reader.join().expect("the reader");
    drop(cell);
    drop(owned);
    runs.has_run(0);
}

/// A full chunk waits for a grace period that begins after the chunk was taken, not for one that has already flipped.
pub(super) fn a_full_chunk_waits_for_the_next_to_begin() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    call_on(1, domain);
    let cell = cell(domain);
    let reader = reader(&cell);
    let leader = spawn(move || domain.synchronize());
    let running = run_on(1);
    cell.store(Value::new(1));
    domain.call(|| ());
    drop(running);
    leader.join().expect("the leader");
    run_ready(domain);
    reader.join().expect("the reader");
}

/// The same without sequences.
pub(super) fn a_chunk_of_a_stripe_waits_for_the_next_to_begin() {
    let owned = Owned::new(Mode::Atomics);
    let domain = owned.get();
    call_on(1, domain);
    let cell = cell(domain);
    let reader = reader(&cell);
    let theirs = Arc::clone(&cell);
    let updater = on_cpu(1, move || theirs.store(Value::new(1)));
    domain.synchronize();
    domain.run_callbacks(2);
    updater.join().expect("the updater");
    reader.join().expect("the reader");
}

/// A barrier waits for callbacks of one chunk that another thread runs, and of another CPU's.
pub(super) fn a_barrier_waits_for_batches_in_flight() {
    let owned = Owned::new(ALL_THREADS);
    without_time_limits();
    let domain = owned.get();
    let runs = Runs::new(2);
    runs.call_on(1, domain, 0);
    runs.call_on(1, domain, 1);
    domain.synchronize();
    domain.synchronize();
    let other = spawn(move || {
        domain.run_callbacks(1);
    });
    domain.barrier();
    runs.has_run(0);
    runs.has_run(1);
    other.join().expect("the other");
}

/// A barrier waits for callbacks that two CPUs have queued and two threads run.
pub(super) fn a_barrier_waits_for_every_cpu() {
    let owned = Owned::new(ALL_THREADS);
    without_time_limits();
    let domain = owned.get();
    let runs = Runs::new(2);
    let first = Arc::clone(&runs);
    first.call_on(0, domain, 0);
    runs.call_on(1, domain, 1);
    let other = spawn(move || {
        domain.barrier();
        first.has_run(0);
        first.has_run(1);
    });
    domain.barrier();
    runs.has_run(0);
    runs.has_run(1);
    other.join().expect("the other");
}

/// A barrier waits for a chunk that its CPU is taking out of its slot, and is told when the chunk is sealed.
pub(super) fn a_barrier_waits_for_a_chunk_on_its_way() {
    let owned = Owned::new(ALL_THREADS);
    without_time_limits();
    let domain = owned.get();
    let runs = Runs::new(3);
    runs.call_on(1, domain, 0);
    runs.call_on(1, domain, 1);
    let theirs = Arc::clone(&runs);
    let other = on_cpu(1, move || theirs.call(domain, 2));
    domain.barrier();
    runs.has_run(0);
    runs.has_run(1);
    other.join().expect("the other");
    drop(owned);
    runs.has_run(2);
}

/// A barrier waits for callbacks that were queued without sequences, on every stripe.
pub(super) fn a_barrier_without_sequences() {
    let owned = Owned::new(Mode::Atomics);
    without_time_limits();
    let domain = owned.get();
    let runs = Runs::new(3);
    runs.call_on(0, domain, 0);
    runs.call_on(1, domain, 1);
    let theirs = Arc::clone(&runs);
    let other = on_cpu(1, move || theirs.call(domain, 2));
    domain.barrier();
    runs.has_run(0);
    runs.has_run(1);
    other.join().expect("the other");
    drop(owned);
    runs.has_run(2);
}

/// The end of a domain runs the callbacks that are left: in the slots of both CPUs and phases, under the stripes'
/// locks, and in sealed chunks.
pub(super) fn the_end_of_a_domain_runs_what_is_left() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let runs = Runs::new(6);
    runs.call_on(0, domain, 0);
    domain.synchronize();
    runs.call_on(0, domain, 1);
    runs.call_on(1, domain, 2);
    let running = run_on(1);
    abort_next(100);
    runs.call(domain, 3);
    abort_next(0);
    drop(running);
    runs.call_on(0, domain, 4);
    runs.call_on(0, domain, 5);
    drop(owned);
    (0..6).for_each(|n| runs.has_run(n));
}

/// The same where there are no sequences.
pub(super) fn the_end_of_a_domain_without_sequences() {
    let owned = Owned::new(Mode::Atomics);
    let domain = owned.get();
    let runs = Runs::new(4);
    runs.call_on(0, domain, 0);
    (1..4).for_each(|n| runs.call_on(1, domain, n));
    drop(owned);
    (0..4).for_each(|n| runs.has_run(n));
}

/// A domain ends in the middle of a grace period, with callbacks only in the slots of its old phase.
pub(super) fn the_end_of_a_domain_in_a_grace_period() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let runs = Runs::new(1);
    runs.call_on(1, domain, 0);
    let running = run_on(0);
    let guard = domain.read_lock();
    drop(running);
    assert_eq!(domain.run_callbacks(1), 0, "a section is open");
    let running = run_on(0);
    drop(guard);
    drop(running);
    drop(owned);
    runs.has_run(0);
}

/// The end of a domain waits for callbacks that an executor's thread is running.
pub(super) fn the_end_of_a_domain_waits_for_batches_in_flight() {
    let owned = Owned::with(ALL_THREADS, Runner::Executor(&BENCH));
    without_time_limits();
    let domain = owned.get();
    let runs = Runs::new(2);
    runs.call_on(1, domain, 0);
    domain.synchronize();
    domain.synchronize();
    let mut job = take_job().expect("a job");
    let other = spawn(move || {
        job.run();
    });
    drop(owned);
    runs.has_run(0);
    other.join().expect("the other");
}

/// Obligation 5 for jobs: either the thread that does the work sees the new work, or the thread that requests it sees
/// that nobody does the work any more, and hands it over again.
pub(super) fn nothing_is_forgotten_between_two_jobs() {
    let owned = Owned::with(ALL_THREADS, Runner::Executor(&BENCH));
    let domain = owned.get();
    domain.start_poll();
    let mut job = take_job().expect("a job");
    let other = spawn(move || while job.run().is_some() {});
    domain.start_poll();
    other.join().expect("the executor");
    let again = take_job().is_some();
    let (_, driver) = domain.driver();
    assert!(again || !driver.wants_more(), "nobody does the work");
    witness(0, again);
    witness(1, !again);
}

/// Obligation 5 for jobs, with the first callback of a CPU, which only a slot records.
pub(super) fn a_first_callback_is_not_forgotten() {
    let owned = Owned::with(ALL_THREADS, Runner::Executor(&BENCH));
    let domain = owned.get();
    let runs = Runs::new(1);
    domain.start_poll();
    let job = take_job().expect("a job");
    let other = spawn(move || run_to_the_end(job));
    runs.call_on(1, domain, 0);
    other.join().expect("the executor");
    let next = take_job();
    witness(0, next.is_some());
    witness(1, next.is_none());
    if let Some(job) = next {
        run_to_the_end(job);
    }
    runs.has_run(0);
}
