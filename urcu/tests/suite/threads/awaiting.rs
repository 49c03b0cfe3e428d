//! Who drives the grace periods that others await, and on which thread wakers run.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, Runner};

use super::{Counting, ONE_THREAD, Says, all_domains, domains};
use crate::support::fork::block_on;

#[test]
fn a_callback_may_await_a_grace_period_of_any_domain() {
    for called in domains() {
        for awaited in all_domains().into_iter().chain([called]) {
            let (sender, done) = mpsc::channel();
            let guard = awaited.read_lock();
            let (begun, inside) = mpsc::channel();
            called.call(move || {
                begun.send(()).unwrap();
                block_on(awaited.synchronize_async());
                sender.send(()).unwrap();
            });
            if std::ptr::eq(called, awaited) {
                drop(guard);
                done.recv().unwrap();
            } else {
                inside.recv().unwrap();
                thread::sleep(Duration::from_millis(5));
                assert!(done.try_recv().is_err(), "over too early");
                drop(guard);
                done.recv().unwrap();
            }
        }
    }
}

#[test]
fn what_was_awaited_before_a_callback_blocks_is_driven_too() {
    static HELD: Domain = Domain::named("held");
    for (number, called) in domains().into_iter().enumerate() {
        // Not those of one executor that has no thread left for the other's job.
        let others = all_domains().into_iter().enumerate();
        let others = others.filter(|(other, _)| (number, *other) != (3, 3));
        for awaited in others.map(|(_, other)| other).chain([called]) {
            let section = awaited.read_lock();
            let (waits, waiting) = mpsc::channel();
            // Awaits with a guard for which the callback waits.
            let waiter = thread::spawn(move || {
                let guard = HELD.read_lock();
                let mut future = pin!(awaited.synchronize_async());
                let mut context = Context::from_waker(Waker::noop());
                assert!(future.as_mut().poll(&mut context).is_pending());
                waits.send(()).unwrap();
                block_on(future);
                drop(guard);
            });
            waiting.recv().unwrap();
            let (begun, inside) = mpsc::channel();
            let (sender, done) = mpsc::channel();
            called.call(move || {
                begun.send(()).unwrap();
                HELD.synchronize();
                sender.send(()).unwrap();
            });
            if std::ptr::eq(called, awaited) {
                drop(section);
            } else {
                inside.recv().unwrap();
                drop(section);
            }
            waiter.join().unwrap();
            done.recv().unwrap();
        }
    }
}

/// A callback waits for a grace period that others ask for all the time. The longest time in which
/// nobody did.
fn longest_pause_between_questions() -> Duration {
    let [called, awaited] = [(); 2].map(|()| &*Box::leak(Box::new(Domain::new())));
    let section = awaited.read_lock();
    let (waits, waiting) = mpsc::channel();
    let (sender, woken) = mpsc::channel();
    let (returns, done) = mpsc::channel();
    called.call(move || {
        let waker = Waker::from(Arc::new(Says(Mutex::new(sender))));
        let mut future = pin!(awaited.synchronize_async());
        let mut context = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
        waits.send(()).unwrap();
        woken.recv().unwrap();
        returns.send(()).unwrap();
    });
    waiting.recv().unwrap();
    let over = AtomicBool::new(false);
    let pauses = Mutex::new((Instant::now(), Duration::ZERO));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = awaited.start_poll();
                    let (last, longest) = &mut *pauses.lock().unwrap();
                    *longest = last.elapsed().max(*longest);
                    *last = Instant::now();
                }
            });
        }
        drop(section);
        let answer = done.recv_timeout(Duration::from_secs(30));
        over.store(true, Ordering::Relaxed);
        answer.expect("nobody drives while a callback waits");
    });
    pauses.into_inner().unwrap().1
}

#[test]
fn who_asks_again_and_again_does_not_keep_others_from_driving() {
    // On a busy machine all those who ask may have paused: then nothing was seen.
    let seen = (0..40).any(|_| longest_pause_between_questions() < Duration::from_millis(5));
    assert!(seen, "nobody drives unless the others pause");
}

/// A waker that awaits something itself.
struct Blocking(&'static Domain, mpsc::Sender<()>);

impl Wake for Blocking {
    fn wake(self: Arc<Self>) {
        block_on(self.0.synchronize_async());
        self.1.send(()).unwrap();
    }
}

#[test]
fn wakers_and_callbacks_that_block_do_not_stop_one_another() {
    let domain = || -> &'static Domain { Box::leak(Box::new(Domain::new())) };
    let (awaited, called) = (domain(), domain());
    let (sender, done) = mpsc::channel();
    let guard = awaited.read_lock();
    let waker = Waker::from(Arc::new(Blocking(domain(), sender.clone())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(awaited.synchronize_async());
    assert!(future.as_mut().poll(&mut context).is_pending());
    called.call(move || {
        // Whose waker blocks in turn, and the one after it.
        let (inner, woken) = mpsc::channel();
        let mut futures: Vec<_> = (0..3)
            .map(|_| Box::pin(awaited.synchronize_async()))
            .collect();
        for future in &mut futures {
            let waker = Waker::from(Arc::new(Blocking(domain(), inner.clone())));
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        sender.send(()).unwrap();
        futures.iter().for_each(|_| woken.recv().unwrap());
        sender.send(()).unwrap();
    });
    done.recv().unwrap();
    drop(guard);
    (0..2).for_each(|_| done.recv().unwrap());
}

#[test]
fn whoever_waits_wakes_those_who_await_the_same_domain() {
    static DOMAIN: Domain = Domain::named("awaited by one").run_by(Runner::Caller);
    let ways: [fn(); 4] = [
        || DOMAIN.start_poll().wait(),
        || assert!(DOMAIN.start_poll().wait_timeout(Duration::MAX)),
        || DOMAIN.synchronize(),
        || {
            DOMAIN.call(|| ());
            DOMAIN.barrier();
        },
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let count = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let guard = DOMAIN.read_lock();
        let mut future = pin!(DOMAIN.synchronize_async());
        assert!(future.as_mut().poll(&mut context).is_pending());
        // Nobody drives yet, so it asks to be polled again.
        let asked = count.0.load(Ordering::SeqCst);
        assert_eq!(asked, 1, "way {number}");
        drop(guard);
        way();
        assert_eq!(count.0.load(Ordering::SeqCst), 2, "way {number}");
        assert!(future.as_mut().poll(&mut context).is_ready());
    }
}

#[test]
fn while_another_waits_who_awaits_does_not_ask_to_be_polled_again() {
    static DOMAIN: Domain = Domain::named("driven by a waiter").run_by(Runner::Caller);
    let count = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let guard = DOMAIN.read_lock();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    let mut future = pin!(DOMAIN.synchronize_async());
    // Until the other one waits.
    loop {
        let before = count.0.load(Ordering::SeqCst);
        assert!(future.as_mut().poll(&mut context).is_pending());
        if count.0.load(Ordering::SeqCst) == before {
            break;
        }
        thread::yield_now();
    }
    let before = count.0.load(Ordering::SeqCst);
    drop(guard);
    waiter.join().unwrap();
    // At the latest when the last waiter has left.
    assert_eq!(count.0.load(Ordering::SeqCst), before + 1);
    block_on(future);
}

/// A waker that takes a lock.
struct Locking(Arc<Mutex<()>>, mpsc::Sender<()>);

impl Wake for Locking {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap());
        self.1.send(()).unwrap();
    }
}

#[test]
fn nobody_is_woken_by_a_thread_of_the_programs() {
    for runner in [Runner::Shared, Runner::OwnThread] {
        let lock = Arc::new(Mutex::new(()));
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Locking(Arc::clone(&lock), sender)));
        let mut context = Context::from_waker(&waker);
        let domain: &Domain = Box::leak(Box::new(Domain::new().run_by(runner)));
        let ways: [&dyn Fn(); 5] = [
            &|| domain.synchronize(),
            &|| domain.start_poll().wait(),
            &|| while !domain.poll(&domain.start_poll()) {},
            &|| domain.barrier(),
            // As many as begin a grace period.
            &|| (0..10_000).for_each(|number| domain.defer_drop(number)),
        ];
        for way in ways {
            let guard = domain.read_lock();
            let mut future = pin!(domain.synchronize_async());
            assert!(future.as_mut().poll(&mut context).is_pending());
            let locked = lock.lock().unwrap();
            drop(guard);
            way();
            drop(locked);
            woken.recv().unwrap();
        }
    }
}

#[test]
fn while_a_callback_keeps_an_executor_busy_those_who_await_its_domain_drive() {
    let domain: &Domain = Box::leak(Box::new(
        Domain::new().run_by(Runner::Executor(&ONE_THREAD)),
    ));
    let (begun, inside) = mpsc::channel();
    let (done, end) = mpsc::channel::<()>();
    domain.call(move || {
        begun.send(()).unwrap();
        let _ = end.recv();
    });
    inside.recv().unwrap();
    let count = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&count));
    let guard = domain.read_lock();
    let mut future = pin!(domain.synchronize_async());
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    assert_ne!(count.0.load(Ordering::SeqCst), 0, "left to the executor");
    drop(guard);
    block_on(future);
    drop(done);
}
