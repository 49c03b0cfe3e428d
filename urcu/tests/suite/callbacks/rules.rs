//! Which grace period a callback waits for, by the rule, one step after the other; who drops values,
//! and how many grace periods that takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rseq_ops::Owner;
use urcu::{Budget, Domain, Rcu, Runner};

use crate::support::{length, sequences, skip, storm};

fn count(domain: &Domain, ran: &Arc<AtomicUsize>) {
    let ran = Arc::clone(ran);
    domain.call(move || {
        ran.fetch_add(1, Ordering::SeqCst);
    });
}

/// Values that a flip takes away from the CPUs may have been unpublished so late that sections of the new
/// phase saw them: the callback waits for them too, so for the next grace period.
#[test]
fn what_a_flip_collects_waits_for_sections_of_the_new_phase() {
    if !sequences() || rseq_ops::process().owner != Owner::Libc {
        return skip("callbacks are queued under locks in this process");
    }
    let domain = Domain::new().run_by(Runner::Caller);
    let ran = Arc::new(AtomicUsize::new(0));
    let before = domain.read_lock();
    count(&domain, &ran);
    // Flips, and waits for `before`.
    assert_eq!(domain.run_callbacks(100), 0);
    let after = domain.read_lock();
    drop(before);
    for _ in 0..5 {
        domain.run_callbacks(100);
    }
    assert!(domain.stats().grace_periods >= 1, "the first one is over");
    assert_eq!(ran.load(Ordering::SeqCst), 0, "with the first grace period");
    drop(after);
    for _ in 0..5 {
        domain.run_callbacks(100);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

/// A full chunk is sealed by its own CPU, in the middle of a grace period too: that one has flipped.
#[test]
fn a_full_chunk_waits_for_a_grace_period_that_has_not_begun() {
    let domain = Domain::new().run_by(Runner::Caller);
    let ran = Arc::new(AtomicUsize::new(0));
    let before = domain.read_lock();
    let grace_period = domain.start_poll();
    assert!(!domain.poll(&grace_period));
    let after = domain.read_lock();
    // Several chunks, whichever CPUs these go to.
    (0..2000).for_each(|_| count(&domain, &ran));
    drop(before);
    assert!(domain.poll(&grace_period));
    for _ in 0..5 {
        domain.run_callbacks(10_000);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 0, "a section was open");
    drop(after);
    domain.barrier();
    assert_eq!(ran.load(Ordering::SeqCst), 2000);
}

#[test]
fn thousands_of_callbacks_share_a_grace_period() {
    const CALLBACKS: usize = 100_000;
    // Of a quarter of the budget on there are more.
    let domain = Domain::new()
        .run_by(Runner::Caller)
        .with_budget(Budget::new(1 << 20, 1 << 30));
    let ran = Arc::new(AtomicUsize::new(0));
    (0..CALLBACKS).for_each(|_| count(&domain, &ran));
    while ran.load(Ordering::SeqCst) < CALLBACKS {
        domain.run_callbacks(CALLBACKS);
    }
    let stats = domain.stats();
    // One for each 4096, and two for what is left: collected by one, ready after another.
    let most = CALLBACKS / 4096 + 3;
    assert!(stats.grace_periods as usize <= most, "{stats:?}");
    assert!(stats.membarriers as usize <= most, "{stats:?}");
    // And large ones by their bytes, not each its own.
    let cell = Rcu::new_in([0u8; 2000], &domain);
    (0..5000).for_each(|_| cell.store([1; 2000]));
    domain.barrier();
    let more = domain.stats().grace_periods - stats.grace_periods;
    assert!(more <= 5000 * 2100 / (1 << 20) + 6, "{more}");
}

/// Counts on which threads it is dropped.
struct Counted {
    retired_by: thread::ThreadId,
    at_home: Arc<[AtomicUsize; 2]>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let home = self.retired_by == thread::current().id();
        self.at_home[usize::from(home)].fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn threads_that_retire_drop_values_themselves() {
    let domain = Domain::new();
    let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let value = || Counted {
        retired_by: thread::current().id(),
        at_home: Arc::clone(&counts),
    };
    let retired = AtomicUsize::new(0);
    // If the worker is quicker every time, because this thread hardly runs, go on until it is not.
    while counts[1].load(Ordering::Relaxed) == 0 {
        storm(length(300), 1, |_| {
            for _ in 0..1000 {
                domain.defer_drop(value());
            }
            retired.fetch_add(1000, Ordering::Relaxed);
        });
    }
    domain.barrier();
    let [away, home] = [0, 1].map(|at| counts[at].load(Ordering::Relaxed));
    println!("{home} at home, {away} on other threads");
    assert_eq!(home + away, retired.load(Ordering::Relaxed));
}

#[test]
fn other_runners_let_no_other_thread_drop_values() {
    let domain = Domain::named("drops").run_by(Runner::OwnThread);
    let names = Arc::new(Mutex::new(Vec::new()));
    struct Named(Arc<Mutex<Vec<String>>>);
    impl Drop for Named {
        fn drop(&mut self) {
            let name = thread::current().name().unwrap_or_default().to_owned();
            self.0.lock().unwrap().push(name);
        }
    }
    for _ in 0..20_000 {
        domain.defer_drop(Named(Arc::clone(&names)));
    }
    while names.lock().unwrap().len() < 20_000 {
        thread::yield_now();
    }
    assert!(
        names
            .lock()
            .unwrap()
            .iter()
            .all(|name| name == "urcu-drops")
    );
}
