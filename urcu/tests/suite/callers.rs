//! What runs on a thread that queues a callback or retires a value, and what never does. Each test is
//! a process of its own, in which the background thread is kept busy: what is ready stays, for whoever
//! would take it.

use std::cell::Cell;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use urcu::{Budget, Domain, Rcu};
use urcu_host::affinity::{cpus, run_on};

use crate::support::assert_child_passes;

macro_rules! in_a_process_of_its_own {
    ($($test:ident: $child:ident,)*) => { $(
        #[test]
        fn $test() {
            assert_child_passes(concat!("callers::", stringify!($child)));
        }
    )* };
}

in_a_process_of_its_own! {
    call_and_try_call_run_nobodys_destructor: child_that_calls,
    call_and_try_call_take_no_lock_of_a_destructor: child_that_calls_under_a_lock,
    call_wakes_no_future: child_that_calls_while_a_future_waits,
    closures_never_run_where_values_are_retired: child_that_retires_beside_closures,
    drops_that_retire_more_are_not_nested: child_with_a_chain_of_drops,
    large_values_and_closures_are_dropped_and_called_where_they_lie: child_with_large_callbacks,
}

/// Keeps the background thread inside a callback until this is dropped.
struct Busy {
    _release: Sender<()>,
}

impl Busy {
    /// And keeps this thread on one CPU: a thread drops what was retired on the CPU that it runs on.
    fn new() -> Busy {
        run_on(&cpus()[..1]);
        static ELSEWHERE: Domain = Domain::named("busy");
        let (release, released) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        ELSEWHERE.call(move || {
            begin.send(()).unwrap();
            let _ = released.recv();
        });
        begun.recv().unwrap();
        Busy { _release: release }
    }
}

/// On which threads it was dropped.
#[derive(Default)]
struct Drops(Mutex<Vec<ThreadId>>);

impl Drops {
    fn here(&self) -> usize {
        let (drops, here) = (self.0.lock().unwrap(), thread::current().id());
        drops.iter().filter(|thread| **thread == here).count()
    }

    fn all(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

struct Noted(Arc<Drops>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().push(thread::current().id());
    }
}

fn until(done: impl Fn() -> bool) {
    while !done() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
#[ignore = "a child process"]
fn child_that_calls() {
    static DOMAIN: Domain = Domain::named("calls");
    let tight = Budget::new(1, 1).patience(Duration::from_micros(10));
    for (budget, large) in [
        (Budget::DEFAULT, false),
        (Budget::DEFAULT, true),
        (tight, false),
    ] {
        let busy = Busy::new();
        let drops = Arc::new(Drops::default());
        DOMAIN.set_budget(Budget::DEFAULT);
        let guard = DOMAIN.read_lock();
        (0..3000).for_each(|_| DOMAIN.defer_drop(Noted(Arc::clone(&drops))));
        drop(guard);
        // Two are enough for whatever was queued before.
        (0..3).for_each(|_| DOMAIN.synchronize());
        let before = drops.here();
        DOMAIN.set_budget(budget);
        let ran = Arc::new(AtomicUsize::new(0));
        let mut queued = 0;
        for turn in 0..1000 {
            let (one, two) = (Arc::clone(&ran), Arc::clone(&ran));
            let size = [turn; 700];
            if large {
                DOMAIN.call(move || {
                    one.fetch_add(usize::from(size[9] == turn), Ordering::SeqCst);
                });
            } else {
                DOMAIN.call(move || {
                    one.fetch_add(1, Ordering::SeqCst);
                });
            }
            queued += 1;
            let two = move || {
                two.fetch_add(1, Ordering::SeqCst);
            };
            queued += usize::from(DOMAIN.try_call(two).is_ok());
        }
        assert_eq!(drops.here(), before, "`call` ran destructors, {budget:?}");
        assert_eq!(ran.load(Ordering::SeqCst), 0);
        // That there was something to run: others may.
        DOMAIN.set_budget(Budget::DEFAULT);
        (0..100).for_each(|_| DOMAIN.defer_drop(0));
        assert!(drops.here() > before, "nothing was ready");
        drop(busy);
        until(|| drops.all() == 3000 && ran.load(Ordering::SeqCst) == queued);
    }
}

#[test]
#[ignore = "a child process"]
fn child_that_calls_under_a_lock() {
    static LOCK: Mutex<u32> = Mutex::new(0);
    struct Locks;
    impl Drop for Locks {
        fn drop(&mut self) {
            *LOCK.lock().unwrap() += 1;
        }
    }
    let busy = Busy::new();
    let cell = Rcu::new(Locks);
    for _ in 0..100 {
        let guard = urcu::read_lock();
        (0..20).for_each(|_| cell.store(Locks));
        drop(guard);
        (0..3).for_each(|_| urcu::synchronize());
        // Not `store`, which says that it would.
        let held = LOCK.lock().unwrap();
        (0..20).for_each(|_| urcu::call(|| ()));
        (0..20).for_each(|_| assert!(urcu::global().try_call(|| ()).is_ok()));
        drop(held);
    }
    drop(busy);
    urcu::barrier();
    assert_eq!(*LOCK.lock().unwrap(), 2000);
}

#[test]
#[ignore = "a child process"]
fn child_that_calls_while_a_future_waits() {
    static DOMAIN: Domain = Domain::named("future");
    static WOKEN_BY: Mutex<Option<ThreadId>> = Mutex::new(None);
    struct Noting;
    impl Wake for Noting {
        fn wake(self: Arc<Self>) {
            *WOKEN_BY.lock().unwrap() = Some(thread::current().id());
        }
    }
    let busy = Busy::new();
    let guard = DOMAIN.read_lock();
    let mut future = pin!(DOMAIN.synchronize_async());
    let waker = Waker::from(Arc::new(Noting));
    let mut context = Context::from_waker(&waker);
    assert!(future.as_mut().poll(&mut context).is_pending());
    let woken_here = || *WOKEN_BY.lock().unwrap() == Some(thread::current().id());
    assert!(!woken_here(), "by itself");
    drop(guard);
    // Enough for several grace periods.
    (0..100_000).for_each(|_| DOMAIN.call(|| ()));
    assert!(!woken_here(), "`call` ran a waker");
    drop(busy);
    until(|| WOKEN_BY.lock().unwrap().is_some());
    assert!(!woken_here());
}

#[test]
#[ignore = "a child process"]
fn child_that_retires_beside_closures() {
    static DOMAIN: Domain = Domain::named("mixed");
    let busy = Busy::new();
    let (closures, drops) = (Arc::new(Drops::default()), Arc::new(Drops::default()));
    let guard = DOMAIN.read_lock();
    // Closures first, between values, and last.
    for number in 0..3000 {
        let (closure, value) = (Noted(Arc::clone(&closures)), Noted(Arc::clone(&drops)));
        if number % 50 < 7 {
            DOMAIN.call(move || drop(closure));
        } else {
            drop(closure);
            DOMAIN.defer_drop(value);
        }
    }
    drop(guard);
    (0..3).for_each(|_| DOMAIN.synchronize());
    let before = closures.here();
    (0..3000).for_each(|_| DOMAIN.defer_drop(0));
    assert_eq!(
        closures.here(),
        before,
        "a closure ran where values are retired"
    );
    drop(busy);
    until(|| DOMAIN.stats().callbacks_pending == 0);
    assert_eq!(closures.here(), before);
}

thread_local!(static DEPTH: Cell<usize> = const { Cell::new(0) });

#[test]
#[ignore = "a child process"]
fn child_with_a_chain_of_drops() {
    static DOMAIN: Domain = Domain::named("chain");
    static DEEPEST: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    /// Retires two more when it is dropped, which retire two more, so many times.
    struct Node(u32);
    impl Drop for Node {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() + 1);
            DEEPEST.fetch_max(DEPTH.get(), Ordering::SeqCst);
            DROPPED.fetch_add(1, Ordering::SeqCst);
            if self.0 > 0 {
                (0..2).for_each(|_| DOMAIN.defer_drop(Node(self.0 - 1)));
            }
            DEPTH.set(DEPTH.get() - 1);
        }
    }
    let busy = Busy::new();
    let guard = DOMAIN.read_lock();
    // If they were nested they could be 2,000 deep.
    (0..6000).for_each(|_| DOMAIN.defer_drop(Node(2)));
    drop(guard);
    (0..3).for_each(|_| DOMAIN.synchronize());
    (0..100).for_each(|_| DOMAIN.defer_drop(Node(0)));
    assert!(DROPPED.load(Ordering::SeqCst) > 0, "nothing was ready");
    assert_eq!(DEEPEST.load(Ordering::SeqCst), 1, "drops inside drops");
    drop(busy);
    until(|| DROPPED.load(Ordering::SeqCst) == 6000 * 7 + 100);
    assert_eq!(DEEPEST.load(Ordering::SeqCst), 1, "drops inside drops");
}

/// A stack that has no room for them, whoever runs them.
#[test]
#[ignore = "a child process"]
fn child_with_large_callbacks() {
    const SIZE: usize = 3 << 20;
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Big([u8; SIZE]);
    impl Drop for Big {
        fn drop(&mut self) {
            let [first, last] = [self.0[0], self.0[SIZE - 1]];
            DROPPED.fetch_add(usize::from(first == 1 && last == 1), Ordering::SeqCst);
        }
    }
    let thread = |size| thread::Builder::new().stack_size(size);
    let own = Domain::named("large").run_by(urcu::Runner::OwnThread);
    let callers = Domain::named("by hand").run_by(urcu::Runner::Caller);
    let shared = Domain::new();
    for (domain, by_barrier) in [
        (&shared, false),
        (&own, false),
        (&callers, false),
        (&callers, true),
    ] {
        DROPPED.store(0, Ordering::SeqCst);
        thread::scope(|scope| {
            let queue = || {
                // So that others run them.
                let _guard = domain.read_lock();
                domain.defer_drop(Big([1; SIZE]));
                let captured = Big([1; SIZE]);
                domain.call(move || assert_eq!(captured.0[5], 1));
                let captured = Big([1; SIZE]);
                assert!(
                    domain
                        .try_call(move || assert_eq!(captured.0[5], 1))
                        .is_ok()
                );
                let cell = Rcu::new_in(Big([1; SIZE]), domain);
                cell.store(Big([1; SIZE]));
            };
            thread(256 << 20)
                .spawn_scoped(scope, queue)
                .unwrap()
                .join()
                .unwrap();
        });
        // One was in the cell.
        let done = || DROPPED.load(Ordering::SeqCst) == 5;
        if by_barrier {
            thread::scope(|scope| {
                let wait = || domain.barrier();
                thread(1 << 20).spawn_scoped(scope, wait).unwrap();
            });
            assert!(done());
        }
        until(|| {
            thread::scope(|scope| {
                let run = || domain.run_callbacks(1);
                if std::ptr::eq(domain, &callers) {
                    thread(1 << 20).spawn_scoped(scope, run).unwrap();
                }
            });
            done()
        });
    }
}
