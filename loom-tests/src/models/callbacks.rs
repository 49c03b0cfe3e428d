//! Callbacks: when they may run, and who waits until they have run.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use super::domains::{Owned, on_cpu};
use super::witness;
use crate::domain::Domain;
use crate::machine::{
    self, ALL_THREADS, AtomicUsize, Mode, Ordering, Value, run_on, step, without_time_limits,
};
use crate::rcu::{Rcu, RcuCell};

/// Which callbacks have run. Cells, so that who does not see that one has run races with it.
struct Runs(Vec<(AtomicUsize, UnsafeCell<u32>)>);

// SAFETY: loom's cells are not `Sync`, but loom reports every access that races.
unsafe impl Sync for Runs {}
// SAFETY: as above.
unsafe impl Send for Runs {}

impl Runs {
    fn new(count: usize) -> Arc<Runs> {
        let runs = (0..count).map(|_| (AtomicUsize::new(0), UnsafeCell::new(0)));
        Arc::new(Runs(runs.collect()))
    }

    /// Queues number `n`.
    fn call(self: &Arc<Self>, domain: &Domain, n: usize) {
        let runs = Arc::clone(self);
        domain.call(move || {
            assert_eq!(runs.0[n].0.swap(1, Ordering::Relaxed), 0, "run twice");
            // SAFETY: loom checks that nobody else uses it meanwhile.
            runs.0[n].1.with_mut(|run| unsafe { *run += 1 });
        });
    }

    /// The same from a CPU.
    fn call_on(self: &Arc<Self>, cpu: usize, domain: &Domain, n: usize) {
        let _running = run_on(cpu);
        self.call(domain, n);
    }

    /// Number `n` has run, and what it did is seen.
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

/// A barrier waits for callbacks that another thread runs.
pub(super) fn a_barrier_waits_for_batches_in_flight() {
    let owned = Owned::new(ALL_THREADS);
    without_time_limits();
    let domain = owned.get();
    let runs = Runs::new(2);
    runs.call_on(0, domain, 0);
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

/// A barrier waits for a chunk that its CPU has just taken out of its slot.
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
