//! Futures of grace periods, and guards in tasks.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Duration;

use urcu::{Domain, Runner};
use urcu_host::poison::SMALL;
use urcu_host::stamped::Stamped;

use crate::support::fork::block_on;
use crate::support::{assert_waits, length};

#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counting() -> (Arc<Counting>, Waker) {
    let count = Arc::new(Counting::default());
    (Arc::clone(&count), Waker::from(count))
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn tasks_hold_guards_and_await_grace_periods_on_a_runtime() {
    const TASKS: usize = 4_000;
    static DOMAIN: Domain = Domain::named("tasks");
    static MOVED: AtomicUsize = AtomicUsize::new(0);
    type Value = Stamped<SMALL>;
    static PLACE: AtomicPtr<Value> = AtomicPtr::new(std::ptr::null_mut());

    async fn update(stamp: u64) {
        let new = Box::into_raw(Box::new(Value::new(stamp)));
        // An address, because pointers stay on their thread.
        let old = PLACE.swap(new, Ordering::AcqRel).expose_provenance();
        DOMAIN.synchronize_async().await;
        // SAFETY: unpublished, and a grace period has passed.
        drop(unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut::<Value>(old)) });
    }

    async fn read(turn: usize, pause: Duration) {
        let guard = DOMAIN.read_lock();
        // SAFETY: what the test is about: it is freed after a grace period.
        let value = unsafe { &*PLACE.load(Ordering::Acquire) };
        let before = thread::current().id();
        assert!(value.check().is_some());
        if turn.is_multiple_of(2) {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(pause).await;
        }
        // Perhaps on another thread now, where the section ends.
        assert!(value.check().is_some(), "freed while a guard was held");
        if thread::current().id() != before {
            MOVED.fetch_add(1, Ordering::Relaxed);
        }
        drop(guard);
    }

    PLACE.store(Box::into_raw(Box::new(Value::new(0))), Ordering::Release);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .unwrap();
    let pause = length(400) / 40;
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                tokio::spawn(async move {
                    for turn in 0..5 {
                        if number % 20 == 0 {
                            update((number * 8 + turn) as u64).await;
                        } else {
                            read(turn, pause).await;
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        update(1).await;
    });
    println!("{} guards moved", MOVED.load(Ordering::Relaxed));
    assert!(MOVED.load(Ordering::Relaxed) > 0);
    let guard = DOMAIN.read_lock();
    assert_waits(&DOMAIN, || drop(guard));
}

#[test]
fn a_future_is_woken_at_the_end_of_its_grace_period() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let (count, waker) = counting();
    let mut future = pin!(domain.synchronize_async());
    let mut context = Context::from_waker(&waker);
    assert!(future.as_mut().poll(&mut context).is_pending());
    thread::sleep(Duration::from_millis(20));
    assert_eq!(count.0.load(Ordering::SeqCst), 0, "woken too early");
    assert!(future.as_mut().poll(&mut context).is_pending());
    drop(guard);
    until(|| count.0.load(Ordering::SeqCst) == 1);
    assert!(future.as_mut().poll(&mut context).is_ready());
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let ((first, one), (second, two)) = (counting(), counting());
    let mut future = pin!(domain.synchronize_async());
    let polled = future.as_mut().poll(&mut Context::from_waker(&one));
    assert!(polled.is_pending());
    let polled = future.as_mut().poll(&mut Context::from_waker(&two));
    assert!(polled.is_pending());
    drop(one);
    assert_eq!(Arc::strong_count(&first), 1, "the old waker is kept");
    drop(guard);
    until(|| second.0.load(Ordering::SeqCst) == 1);
    assert_eq!(first.0.load(Ordering::SeqCst), 0);
}

#[test]
fn futures_that_are_dropped_leave_nothing() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let (count, waker) = counting();
    let mut context = Context::from_waker(&waker);
    let mut futures: Vec<_> = (0..1_000)
        .map(|_| Box::pin(domain.synchronize_async()))
        .collect();
    for future in &mut futures {
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(Arc::strong_count(&count), 1_002);
    futures.truncate(1);
    assert_eq!(Arc::strong_count(&count), 3);
    drop(guard);
    until(|| count.0.load(Ordering::SeqCst) == 1);
    until(|| Arc::strong_count(&count) == 2);
    let ready = futures[0].as_mut().poll(&mut context).is_ready();
    assert!(ready);
    // Never polled, or dropped when it is over.
    drop(domain.synchronize_async());
    drop(futures);
    domain.synchronize();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_hand_made_executor_does() {
    let domain = Arc::new(Domain::new());
    let holder = thread::spawn({
        let domain = Arc::clone(&domain);
        move || {
            for _ in 0..200 {
                let guard = domain.read_lock();
                thread::sleep(Duration::from_micros(50));
                drop(guard);
            }
        }
    });
    for _ in 0..200 {
        block_on(domain.synchronize_async());
    }
    holder.join().unwrap();
}

/// A waker whose every use may panic.
mod worst {
    use super::*;

    /// The operations that panic: 1 clone, 2 wake, 4 drop.
    pub(super) static PANICS: AtomicUsize = AtomicUsize::new(0);
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, end);

    fn perhaps(bit: usize) {
        if PANICS.load(Ordering::SeqCst) & bit != 0 {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    }

    fn clone(_: *const ()) -> RawWaker {
        perhaps(1);
        RawWaker::new(std::ptr::null(), &TABLE)
    }

    fn wake(_: *const ()) {
        perhaps(2);
    }

    fn end(_: *const ()) {
        perhaps(4);
    }

    pub(super) fn waker() -> Waker {
        // SAFETY: there is no data; each function may be called anywhere and any number of times.
        unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
    }
}

#[test]
fn wakers_that_panic_harm_nobody_else() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let domain = Domain::new();
    for bits in 0..8 {
        let guard = domain.read_lock();
        let mut bad: Vec<_> = (0..3)
            .map(|_| Box::pin(domain.synchronize_async()))
            .collect();
        let waker = worst::waker();
        worst::PANICS.store(0, Ordering::SeqCst);
        for future in &mut bad[..2] {
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        worst::PANICS.store(bits, Ordering::SeqCst);
        for future in &mut bad[1..] {
            let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
            let _ = catch_unwind(AssertUnwindSafe(poll));
        }
        let (count, good) = counting();
        let mut future = pin!(domain.synchronize_async());
        let polled = future.as_mut().poll(&mut Context::from_waker(&good));
        assert!(polled.is_pending());
        drop(guard);
        until(|| count.0.load(Ordering::SeqCst) == 1);
        for future in bad {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(future)));
        }
        worst::PANICS.store(0, Ordering::SeqCst);
        drop(waker);
        domain.synchronize();
        domain.call(|| ());
        domain.barrier();
    }
}

#[test]
fn whoever_ends_a_grace_period_of_a_callers_domain_wakes_those_who_await_it() {
    let (count, waker) = counting();
    let woken = || count.0.load(Ordering::SeqCst);
    let ends: [fn(&Domain); 3] = [
        |domain| {
            let grace_period = domain.start_poll();
            until(|| domain.poll(&grace_period));
        },
        |domain| domain.start_poll().wait(),
        |domain| domain.synchronize(),
    ];
    // Or its end with the domain.
    for end in ends.map(Some).into_iter().chain([None]) {
        let domain = Domain::new().run_by(Runner::Caller);
        let guard = domain.read_lock();
        let mut future = Box::pin(domain.synchronize_async());
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        // If nobody drives, it is woken at once; then again, as it was not polled since.
        let before = woken();
        drop(guard);
        match end {
            Some(end) => end(&domain),
            None => drop(domain),
        }
        assert!(woken() > before, "nobody was woken");
    }
}
