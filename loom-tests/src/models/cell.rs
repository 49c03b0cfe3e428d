//! The cell: who reads what, and who reclaims it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed as Uncounted};

use loom::thread;

use super::domains::{Owned, on_cpu};
use super::witness;
use crate::cell::{Rcu, RcuArc, RcuCell};
use crate::domain::Domain;
use crate::kernel::{ALL_THREADS, Number, Value, leave_unregistered, run_on, step};
use crate::part;

/// A cell of a domain that is there as long as the model runs.
type Cell<T> = Arc<Rcu<T, &'static Domain>>;

fn cell<T>(domain: &Owned, value: T) -> Cell<T> {
    Arc::new(RcuCell::new_in(value, domain.get()))
}

/// A section that follows the pointer twice.
fn two_reads(cell: &Cell<Value>) {
    let guard = cell.domain().read_lock();
    let seen = cell.load(&guard);
    step();
    let first = seen.read();
    let second = cell.load(&guard).read();
    assert!(first <= second, "an older value after a newer one");
    assert_eq!(seen.read(), first);
}

/// Whoever replaces a value and waits has it alone; a reader sees each value whole.
pub(super) fn a_replaced_value_is_its_owners() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || two_reads(&theirs));
    let old = cell.replace(Value::new(1));
    assert_eq!(old.read(), 0);
    drop(old);
    reader.join().expect("the reader");
}

/// The same for a guard that the cell takes itself.
pub(super) fn a_value_that_carries_its_guard() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        let seen = theirs.read();
        step();
        let number = seen.read();
        witness(0, number == 0);
        witness(1, number == 1);
    });
    drop(cell.replace(Value::new(1)));
    reader.join().expect("the reader");
}

/// A section that is doubled, in whichever phase, keeps what it saw when the first one ends elsewhere.
pub(super) fn a_doubled_section() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let theirs = Arc::clone(&cell);
    // Not loom's: it orders nothing.
    let replacing = Arc::new(Count::new(0));
    let seen_replacing = Arc::clone(&replacing);
    let reader = thread::spawn(move || {
        let running = run_on(0);
        let seen = theirs.read();
        let number = seen.read();
        // The grace period may begin here, and wait for this one.
        step();
        let other = crate::cell::Ref::clone(&seen);
        drop(running);
        // On another CPU, and so with another counter.
        let running = run_on(1);
        drop(seen);
        step();
        assert_eq!(other.read(), number);
        witness(0, number == 0 && seen_replacing.load(Uncounted) > 0);
        drop(other);
        drop(running);
    });
    replacing.fetch_add(1, Uncounted);
    drop(cell.replace(Value::new(1)));
    reader.join().expect("the reader");
}

/// A section is doubled with a counter that the sum may have passed, and ends with one that it may be yet
/// to come to.
pub(super) fn a_section_doubled_beside_the_sum() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    // SAFETY: the reader ends before the cell goes.
    let theirs = unsafe { &*Arc::as_ptr(&cell) };
    let running = run_on(0);
    let seen = theirs.read();
    drop(running);
    // Not loom's: it orders nothing.
    let replacing = Arc::new(Count::new(0));
    let seen_replacing = Arc::clone(&replacing);
    let reader = thread::spawn(move || {
        let running = run_on(0);
        let other = crate::cell::Ref::clone(&seen);
        running.migrate(1);
        drop(seen);
        step();
        assert_eq!(other.read(), 0);
        witness(0, seen_replacing.load(Uncounted) > 0);
        drop(other);
        drop(running);
    });
    replacing.fetch_add(1, Uncounted);
    drop(cell.replace(Value::new(1)));
    reader.join().expect("the reader");
}

/// A guard that is refreshed protects what is loaded after that, whenever the two grace periods begin; and
/// holds up neither of them for longer.
pub(super) fn a_refreshed_guard() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let theirs = Arc::clone(&cell);
    // Not loom's: it orders nothing.
    let replaced = Arc::new(Count::new(0));
    let seen = Arc::clone(&replaced);
    let reader = on_cpu(0, move || {
        let mut guard = theirs.domain().read_lock();
        let first = theirs.load(&guard).read();
        guard.refresh();
        let value = theirs.load(&guard);
        step();
        let second = value.read();
        assert!(first <= second, "an older value after a newer one");
        witness(0, first == second);
        // Both grace periods have ended, or the first has, in spite of the guard.
        witness(1, first == 0 && seen.load(Uncounted) > 0);
    });
    for number in 1..=2 {
        drop(cell.replace(Value::new(number)));
        replaced.fetch_add(1, Uncounted);
    }
    reader.join().expect("the reader");
}

/// Retired values are dropped, once, and after their sections.
pub(super) fn a_stored_value_is_dropped_after_its_sections() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || two_reads(&theirs));
    let running = run_on(1);
    cell.store(Value::new(1));
    drop(running);
    domain.get().barrier();
    reader.join().expect("the reader");
}

/// Neither of two updates is lost, and each drops what it replaced.
pub(super) fn no_update_is_lost() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let add = |cpu| {
        let cell = Arc::clone(&cell);
        on_cpu(cpu, move || cell.update(|old| Value::new(old.read() + 1)))
    };
    let updaters = [add(0), add(1)];
    for updater in updaters {
        updater.join().expect("an updater");
    }
    assert_eq!(cell.read_off_cpu(), 2, "an update is lost");
}

/// A reader finds whole what an update publishes.
pub(super) fn an_update_meets_a_reader() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || two_reads(&theirs));
    let running = run_on(1);
    cell.update(|old| Value::new(old.read() + 1));
    drop(running);
    reader.join().expect("the reader");
}

/// Whoever gets a value that another has published may look at it.
pub(super) fn two_owners_of_replaced_values() {
    let domain = Owned::new(ALL_THREADS);
    // Every CPU has a chunk, so that retiring what was replaced takes no fence.
    for cpu in [0, 1] {
        let _running = run_on(cpu);
        domain.get().call(|| ());
    }
    let cell = arcs(&domain);
    let theirs = Arc::clone(&cell);
    let other = on_cpu(1, move || theirs.swap(Arc::new(Value::new(1))).read());
    let running = run_on(0);
    let first = cell.swap(Arc::new(Value::new(2))).read();
    drop(running);
    let second = other.join().expect("the other");
    assert_ne!(first, second, "one value for two");
}

/// Returns a cell of an `Arc`.
fn arcs(domain: &Owned) -> Arc<RcuArc<Value, &'static Domain>> {
    Arc::new(RcuCell::new_in(Arc::new(Value::new(0)), domain.get()))
}

/// An `Arc` that is kept is there after its section, and after the cell has got another.
pub(super) fn a_kept_value_outlives_its_cell() {
    let owned = Owned::new(ALL_THREADS);
    let domain = owned.get();
    let cell = arcs(&owned);
    let theirs = Arc::clone(&cell);
    let updater = thread::spawn(move || {
        let running = run_on(1);
        let old = theirs.swap(Arc::new(Value::new(1)));
        drop(running);
        assert_eq!(old.read(), 0);
        drop(old);
        domain.barrier();
    });
    let running = run_on(0);
    let kept = cell.load_full();
    step();
    kept.read();
    drop(running);
    drop(kept);
    updater.join().expect("the updater");
}

/// One of two exchanges of the same value succeeds; the other sees why.
pub(super) fn one_of_two_exchanges_succeeds() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Value::new(0));
    let exchange = |cpu| {
        let cell = Arc::clone(&cell);
        on_cpu(cpu, move || {
            let guard = cell.domain().read_lock();
            let seen = cell.load(&guard);
            let number = seen.read();
            step();
            match cell.compare_exchange(seen, Value::new(number + 1), &guard) {
                Ok(published) => {
                    assert_eq!(published.read(), number + 1);
                    true
                }
                Err(error) => {
                    assert_eq!((number, error.current.read()), (0, 1));
                    assert_eq!(error.new.read(), 1);
                    false
                }
            }
        })
    };
    let exchanges = [exchange(0), exchange(1)];
    let done = exchanges.map(|exchange| exchange.join().expect("an exchange"));
    let count = done.into_iter().filter(|done| *done).count();
    assert_eq!(cell.read_off_cpu() as usize, count);
    witness(0, count == 1);
    witness(1, count == 2);
}

trait ReadOffCpu {
    fn read_off_cpu(&self) -> u32;
}

impl ReadOffCpu for Cell<Value> {
    fn read_off_cpu(&self) -> u32 {
        let _running = run_on(0);
        self.read().read()
    }
}

/// Obligation 1 for reads that are one sequence: nobody counts them, the restart ends them.
pub(super) fn snapshots() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Number::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        let first = theirs.snapshot();
        let second = theirs.snapshot();
        assert!(first.number() <= second.number());
    });
    for number in [1, 2] {
        cell.replace(Number::new(number)).end();
    }
    reader.join().expect("the reader");
}

/// A value that owns another one, by a pointer.
#[repr(C)]
struct Owner {
    own: Number,
    inner: Box<Number>,
}

impl Owner {
    fn new(number: u32) -> Self {
        Owner {
            own: Number::new(number),
            inner: Box::new(Number::new(number)),
        }
    }
}

/// The same through one pointer more, whose target ends with the value that it is in.
pub(super) fn snapshots_behind_a_second_pointer() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Owner::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        let first = theirs.snapshot_of(part!(Owner, inner).target());
        let second = theirs.snapshot_of(part!(Owner, inner).target());
        assert!(first.number() <= second.number());
        witness(0, first.number() == 0);
        witness(1, second.number() == 1);
    });
    let old = cell.replace(Owner::new(1));
    old.own.end();
    old.inner.end();
    reader.join().expect("the reader");
}

/// The same on a thread without a registration, whose sequences nothing restarts.
pub(super) fn snapshots_without_a_registration() {
    let domain = Owned::new(ALL_THREADS);
    let cell = cell(&domain, Number::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        leave_unregistered();
        let first = theirs.snapshot();
        let second = theirs.snapshot();
        assert!(first.number() <= second.number());
    });
    for number in [1, 2] {
        cell.replace(Number::new(number)).end();
    }
    reader.join().expect("the reader");
}

/// A snapshot finds a domain that another thread sets up.
pub(super) fn a_snapshot_meets_the_first_use() {
    let domain = Owned::unused(ALL_THREADS);
    let cell = cell(&domain, Number::new(0));
    let theirs = Arc::clone(&cell);
    let reader = on_cpu(0, move || {
        theirs.snapshot();
    });
    cell.replace(Number::new(1)).end();
    reader.join().expect("the reader");
}
