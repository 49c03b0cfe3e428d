//! What guards, handles and collectors promise.

#[macro_use]
extern crate test_deadline;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

use crossbeam_epoch::{self as epoch, Collector, Guard, Owned};

/// Waits for what comes by itself; the test's deadline is the limit.
fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Defers the drop of a `Counted`, and returns its counter.
fn defer_one(guard: &Guard) -> Arc<AtomicUsize> {
    let dropped = Arc::new(AtomicUsize::new(0));
    let node = Owned::new(Counted(Arc::clone(&dropped))).into_shared(guard);
    // SAFETY: nobody else has it, and it is `Send`.
    unsafe { guard.defer_destroy(node) };
    dropped
}

/// Tries hard to have everything run.
fn flush(collector: &Collector) {
    let handle = collector.register();
    (0..4).for_each(|_| handle.pin().flush());
}

#[test]
fn a_quiet_program_is_collected_without_another_call() {
    let dropped = defer_one(&epoch::pin());
    until(|| dropped.load(SeqCst) == 1);
    let collector = Collector::new();
    let dropped = defer_one(&collector.register().pin());
    until(|| dropped.load(SeqCst) == 1);
    assert!(collector.grace_periods() >= 1);
}

#[test]
fn nothing_runs_while_a_guard_is_there_that_was_there_before() {
    let collector = Collector::new();
    let handle = collector.register();
    let guard = handle.pin();
    let dropped = defer_one(&guard);
    let theirs = collector.clone();
    thread::spawn(move || (0..100).for_each(|_| flush(&theirs)))
        .join()
        .unwrap();
    assert_eq!(dropped.load(SeqCst), 0);
    drop(guard);
    until(|| dropped.load(SeqCst) == 1);
}

#[test]
fn two_flushes_do_where_nobody_else_is() {
    for _ in 0..100 {
        let collector = Collector::new();
        let handle = collector.register();
        let dropped: Vec<_> = (0..300).map(|_| defer_one(&handle.pin())).collect();
        handle.pin().flush();
        handle.pin().flush();
        // But for what the background thread is running right now.
        until(|| dropped.iter().all(|dropped| dropped.load(SeqCst) == 1));
    }
}

/// Mostly: the background thread may come first, but not always.
#[test]
fn two_flushes_run_what_the_thread_has_deferred_themselves() {
    until(|| {
        let collector = Collector::new();
        let handle = collector.register();
        let (sender, receiver) = mpsc::channel();
        handle
            .pin()
            .defer(move || sender.send(thread::current().id()));
        handle.pin().flush();
        handle.pin().flush();
        receiver.recv() == Ok(thread::current().id())
    });
}

#[test]
fn flush_does_not_wait_for_other_guards() {
    let collector = Collector::new();
    let (handle, other) = (collector.register(), collector.register());
    let long = other.pin();
    let dropped = defer_one(&handle.pin());
    for _ in 0..100 {
        let guard = handle.pin();
        guard.flush();
    }
    assert_eq!(dropped.load(SeqCst), 0);
    drop(long);
    until(|| dropped.load(SeqCst) == 1);
}

#[test]
fn guards_count_in_whatever_order_they_go() {
    let collector = Collector::new();
    let handle = collector.register();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut guards: [_; 3] = std::array::from_fn(|_| Some(handle.pin()));
        let dropped = defer_one(guards[0].as_ref().unwrap());
        for (gone, place) in order.into_iter().enumerate() {
            assert!(handle.is_pinned());
            flush(&collector);
            assert_eq!(dropped.load(SeqCst), 0, "{gone} of {order:?} are gone");
            guards[place] = None;
        }
        assert!(!handle.is_pinned());
        until(|| dropped.load(SeqCst) == 1);
    }
}

#[test]
fn is_pinned_tells_of_the_thread_and_of_the_handle() {
    assert!(!epoch::is_pinned());
    let guard = epoch::pin();
    assert!(epoch::is_pinned());
    thread::scope(|scope| {
        scope.spawn(|| assert!(!epoch::is_pinned()));
    });
    let collector = Collector::new();
    let (one, two) = (collector.register(), epoch::default_collector().register());
    let theirs = one.pin();
    assert!(one.is_pinned() && !two.is_pinned());
    drop(guard);
    assert!(!epoch::is_pinned() && one.is_pinned());
    drop(theirs);
    assert!(!one.is_pinned());
}

#[test]
fn collectors_keep_to_themselves() {
    let (one, two) = (Collector::new(), Collector::new());
    let (keeps, handle) = (one.register(), two.register());
    let _guard = keeps.pin();
    let dropped = defer_one(&handle.pin());
    until(|| dropped.load(SeqCst) == 1);
    assert_ne!(one, two);
    assert_ne!(&one, epoch::default_collector());
    assert_eq!(one.clone(), one);
    assert_eq!(handle.collector(), &two);
    assert_eq!(handle.pin().collector(), Some(&two));
    assert_eq!(epoch::pin().collector(), Some(epoch::default_collector()));
}

#[test]
fn a_guard_outlives_its_handle_and_its_collector_and_runs_what_is_left() {
    let collector = Collector::new();
    let handle = collector.register();
    let (guard, nested) = (handle.pin(), handle.pin());
    let dropped = defer_one(&guard);
    drop((collector, handle));
    drop(guard);
    assert_eq!(nested.collector(), nested.collector());
    assert_eq!(dropped.load(SeqCst), 0);
    drop(nested);
    assert_eq!(
        dropped.load(SeqCst),
        1,
        "the last one that goes runs what is left"
    );
}

#[test]
fn a_handle_outlives_its_collector() {
    let handle = Collector::new().register();
    let dropped = defer_one(&handle.pin());
    drop(handle);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn repin_lets_garbage_go_if_it_is_the_only_guard() {
    let collector = Collector::new();
    let handle = collector.register();
    let mut guard = handle.pin();
    let nested = handle.pin();
    let dropped = defer_one(&guard);
    for _ in 0..10 {
        flush(&collector);
        guard.repin();
    }
    assert_eq!(dropped.load(SeqCst), 0);
    drop(nested);
    until(|| {
        guard.repin();
        dropped.load(SeqCst) == 1
    });
    assert!(handle.is_pinned());
}

#[test]
fn flush_and_repin_run_what_the_guard_has_deferred() {
    let collector = Collector::new();
    let handle = collector.register();
    let mut guard = handle.pin();
    let dropped = defer_one(&guard);
    for _ in 0..2 {
        guard.flush();
        guard.repin();
    }
    guard.flush();
    until(|| dropped.load(SeqCst) == 1);
}

#[test]
fn repin_after_unpins_if_it_is_the_only_guard() {
    let collector = Collector::new();
    let handle = collector.register();
    let mut guard = handle.pin();
    let dropped = defer_one(&guard);
    let seven = guard.repin_after(|| {
        assert!(!handle.is_pinned());
        until(|| dropped.load(SeqCst) == 1);
        7
    });
    assert_eq!(seven, 7);
    assert!(handle.is_pinned());

    let dropped = defer_one(&guard);
    let nested = handle.pin();
    guard.repin_after(|| {
        assert!(handle.is_pinned());
        flush(&collector);
        assert_eq!(dropped.load(SeqCst), 0);
        drop(nested);
        assert!(!handle.is_pinned());
    });
    assert!(handle.is_pinned());
    drop(guard);
    assert!(!handle.is_pinned());
}

#[test]
fn repin_after_pins_again_after_a_panic_and_without_its_handle() {
    let collector = Collector::new();
    let handle = collector.register();
    let mut guard = handle.pin();
    drop(collector);
    let panicking = std::panic::AssertUnwindSafe(|| {
        guard.repin_after(|| {
            drop(handle);
            std::panic::resume_unwind(Box::new(7));
        });
    });
    assert!(std::panic::catch_unwind(panicking).is_err());
    let dropped = defer_one(&guard);
    flush(guard.collector().unwrap());
    assert_eq!(dropped.load(SeqCst), 0, "the guard protects");
    drop(guard);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn unprotected_guards_run_at_once_and_pin_nothing() {
    // SAFETY: nothing is loaded with it.
    let guard = unsafe { epoch::unprotected() };
    assert!(!epoch::is_pinned() && guard.collector().is_none());
    assert_eq!(defer_one(guard).load(SeqCst), 1);
    let ran = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&ran);
    guard.defer(move || theirs.store(true, SeqCst));
    assert!(ran.load(SeqCst));
    guard.flush();
    // SAFETY: what it borrows is here.
    unsafe { guard.defer_unchecked(|| ran.store(false, SeqCst)) };
    assert!(!ran.load(SeqCst));
}

/// The order in which thread-local data dies is not known, so it is made in both.
#[test]
fn guards_can_be_made_and_dropped_while_thread_local_data_dies() {
    struct Pins(Arc<AtomicUsize>);
    impl Drop for Pins {
        fn drop(&mut self) {
            let guard = epoch::pin();
            assert!(epoch::is_pinned());
            let dropped = Counted(Arc::clone(&self.0));
            guard.defer(move || drop(dropped));
            guard.flush();
        }
    }
    thread_local! {
        static PINS: RefCell<Option<Pins>> = const { RefCell::new(None) };
        static GUARD: RefCell<Option<Guard>> = const { RefCell::new(None) };
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    for pins_first in [false, true] {
        let theirs = Arc::clone(&dropped);
        let program = move || {
            let set = || PINS.set(Some(Pins(theirs)));
            let keep = || GUARD.set(Some(epoch::pin()));
            if pins_first {
                set();
                keep();
            } else {
                keep();
                set();
            }
        };
        thread::spawn(program).join().unwrap();
    }
    until(|| dropped.load(SeqCst) == 2);
}

#[test]
fn closures_of_every_size_and_alignment_run_once() {
    #[repr(align(64))]
    struct Aligned(u8, Counted);
    let count = Arc::new(AtomicUsize::new(0));
    let guard = epoch::pin();
    let counted = || Counted(Arc::clone(&count));
    let (small, large, aligned) = (counted(), (counted(), [7_u8; 1000]), Aligned(3, counted()));
    guard.defer(move || drop(small));
    guard.defer(move || assert_eq!(large.1[999], 7, "{}", large.0.0.load(SeqCst)));
    guard.defer(move || {
        let aligned = aligned;
        assert!((&raw const aligned).is_aligned());
        assert_eq!(aligned.0, 3);
        drop(aligned.1);
    });
    drop(guard);
    until(|| count.load(SeqCst) == 3);
}

#[test]
fn what_is_deferred_may_pin_defer_and_flush() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let theirs = Counted(Arc::clone(&dropped));
    epoch::pin().defer(move || {
        let guard = epoch::pin();
        guard.flush();
        guard.defer(move || drop(theirs));
    });
    until(|| dropped.load(SeqCst) == 1);
}

/// Two threads that each store and then look at the other's: with a fence between, not both look first.
#[cfg(not(feature = "relaxed-pin"))]
#[test]
fn pin_is_a_fence() {
    use std::sync::atomic::Ordering::Relaxed;
    const TURNS: usize = if cfg!(debug_assertions) {
        20_000
    } else {
        200_000
    };
    /// Of a cache line of its own: so the other's is at hand while one's own has to be fetched.
    #[repr(align(128))]
    struct Line(AtomicUsize);
    static STORED: [Line; 2] = [const { Line(AtomicUsize::new(0)) }; 2];
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);

    /// Returns when both are here, at nearly the same moment.
    fn meet(number: usize) {
        ARRIVED.fetch_add(1, SeqCst);
        let mut looks = 0;
        while ARRIVED.load(SeqCst) < 2 * number {
            looks += 1;
            if looks > 1000 {
                thread::yield_now();
            }
        }
    }
    /// In which turns this thread saw the other's store.
    fn one(me: usize) -> Vec<bool> {
        let turn = |turn| {
            meet(turn);
            // Now this one is a little late, now that one.
            (0..(turn >> (5 * me)) % 32).for_each(|_| std::hint::black_box(()));
            STORED[me].0.store(turn, Relaxed);
            let _guard = epoch::pin();
            STORED[1 - me].0.load(Relaxed) >= turn
        };
        (1..=TURNS).map(turn).collect()
    }
    let other = thread::spawn(|| one(1));
    let (this, other) = (one(0), other.join().unwrap());
    let both_first = this
        .iter()
        .zip(&other)
        .filter(|saw| *saw == (&false, &false))
        .count();
    assert_eq!(
        both_first, 0,
        "turns in which both looked before they stored"
    );
}

/// The child has the guard too, but the section is the parent's.
#[cfg(target_os = "linux")]
#[test]
fn a_guard_from_before_a_fork_is_one_again_when_it_is_pinned_again() {
    let collector = Collector::new();
    let handle = collector.register();
    let mut guard = handle.pin();
    // SAFETY: the child makes and drops guards, allocates (which glibc allows), and ends.
    match unsafe { libc::fork() } {
        0 => {
            guard.repin();
            let nested = handle.pin();
            let dropped = defer_one(&nested);
            flush(&collector);
            let early = dropped.load(SeqCst);
            drop((guard, nested));
            flush(&collector);
            until(|| dropped.load(SeqCst) == 1);
            // SAFETY: ends the child, without what the parent has registered.
            unsafe { libc::_exit(if early == 0 { 42 } else { 1 }) };
        }
        child => {
            assert!(child > 0, "fork");
            let mut status = 0;
            // SAFETY: this process's child.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(libc::WIFEXITED(status), "{status:#x}");
            assert_eq!(libc::WEXITSTATUS(status), 42);
        }
    }
    let dropped = defer_one(&guard);
    flush(&collector);
    assert_eq!(dropped.load(SeqCst), 0, "the parent's is as it was");
    drop(guard);
    until(|| dropped.load(SeqCst) == 1);
}

mod memory {
    use super::*;
    use std::time::{Duration, Instant};
    use urcu::Budget;

    /// A collector that is over its budget from a thousand on.
    fn small() -> Collector {
        let collector = Collector::new();
        let budget = Budget::new(1000, 1 << 20).patience(Duration::ZERO);
        collector.domain().set_budget(budget);
        collector
    }

    #[test]
    fn is_bounded_in_the_long_run_while_another_thread_is_pinned() {
        const MANY: u64 = 60_000;
        let collector = small();
        let (pinned, handle) = (collector.register(), collector.register());
        let guard = pinned.pin();
        let begun = Instant::now();
        let mut held = 0;
        while begun.elapsed() < Duration::from_millis(500) && held < MANY {
            held += 64;
            (0..64).for_each(|_| drop(defer_one(&handle.pin())));
        }
        // Without waiting it is many more in that time.
        assert!(held < MANY, "{held} were deferred");
        assert!(collector.domain().stats().callbacks_excess > 0);
        drop(guard);
    }

    /// Waiting for oneself: if each of them waited this would take a quarter of an hour.
    #[test]
    fn of_a_thread_that_is_itself_pinned_is_not_and_it_is_not_held_up() {
        let collector = small();
        let handle = collector.register();
        let mut guard = handle.pin();
        (0..100_000).for_each(|_| drop(defer_one(&guard)));
        guard.repin();
        (0..100_000).for_each(|_| drop(defer_one(&guard)));
        drop(guard);
        until(|| collector.domain().stats().callbacks_pending == 0);
    }
}
