//! Cookies: grace periods that nobody waits for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, GracePeriod};
use urcu_host::seccomp::Filter;

use crate::support::fork::block_on;
use crate::support::{assert_child_passes, length};

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_grace_period_ends_after_the_sections_that_were_open() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let cookie = domain.start_poll();
    for _ in 0..20 {
        assert!(!domain.poll(&cookie) && !cookie.is_over());
        thread::sleep(Duration::from_millis(1));
    }
    let after = domain.read_lock();
    drop(guard);
    // The section that began later does not matter.
    until(|| domain.poll(&cookie));
    drop(after);
}

#[test]
fn there_is_progress_without_any_caller() {
    let domain = Domain::new();
    for open_at_first in [false, true] {
        let before = domain.stats().grace_periods;
        let guard = open_at_first.then(|| domain.read_lock());
        let cookie = domain.start_poll();
        if open_at_first {
            thread::sleep(Duration::from_millis(20));
            assert_eq!(domain.stats().grace_periods, before);
        }
        drop(guard);
        // Looking at the statistics drives nothing.
        until(|| domain.stats().grace_periods > before);
        assert!(domain.poll(&cookie));
    }
}

#[test]
fn cookies_are_ordered_and_never_come_back() {
    let domain = Domain::named("first");
    let guard = domain.read_lock();
    let first = domain.start_poll();
    assert!(!domain.poll(&first)); // It has begun: the next one is another.
    let second = domain.start_poll();
    let same = domain.start_poll();
    assert!(first < second && second == same && first != second);
    assert_eq!(first, first.clone());
    drop(guard);
    second.wait();
    for _ in 0..1_000 {
        domain.synchronize();
        assert!(first.is_over() && domain.poll(&second));
    }
    let later = domain.start_poll();
    assert!(later > same);
    let other = Domain::new().start_poll();
    assert!(other.partial_cmp(&later).is_none() && other != later);
    assert!(format!("{first:?}").contains("first"), "{first:?}");
}

#[test]
fn waiting_may_be_given_up() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let cookie = domain.start_poll();
    for milliseconds in [0, 1, 10] {
        assert!(!cookie.wait_timeout(Duration::from_millis(milliseconds)));
    }
    thread::scope(|scope| {
        let waiters = [
            scope.spawn(|| cookie.wait_timeout(Duration::MAX)),
            scope.spawn(|| cookie.wait_timeout(Duration::from_secs(3_000))),
            scope.spawn(|| {
                cookie.wait();
                true
            }),
        ];
        thread::sleep(Duration::from_millis(20));
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        drop(guard);
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
    assert!(cookie.wait_timeout(Duration::ZERO));
}

#[test]
fn waiting_leaves_the_threads_own_token_alone() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let cookie = domain.start_poll();
    thread::current().unpark();
    assert!(!cookie.wait_timeout(Duration::from_millis(20)));
    thread::park(); // Returns at once, or the deadline is missed.
    drop(guard);
}

#[test]
fn a_cookie_of_another_domain_panics_and_names_both() {
    let (mine, other) = (Domain::named("mine"), Domain::named("other"));
    let unnamed = Domain::new();
    for (cookie, name) in [
        (other.start_poll(), "other"),
        (unnamed.start_poll(), "without a name"),
        (urcu::global().start_poll(), "global"),
    ] {
        let payload = catch_unwind(AssertUnwindSafe(|| mine.poll(&cookie))).unwrap_err();
        let message = payload.downcast_ref::<String>().expect("a message");
        assert!(message.contains("RCU domain \"mine\""), "{message}");
        assert!(message.contains(name), "{message}");
    }
    assert!(catch_unwind(AssertUnwindSafe(|| urcu::global().poll(&mine.start_poll()))).is_err());
}

#[test]
fn the_end_of_a_domain_is_the_end_of_its_grace_periods() {
    for polled in [false, true] {
        let domain = Domain::new();
        let guard = domain.read_lock();
        let cookie = domain.start_poll();
        let waiting = thread::spawn({
            let cookie = cookie.clone();
            move || {
                cookie.wait();
                assert!(cookie.wait_timeout(Duration::ZERO));
            }
        });
        let future = domain.synchronize_async();
        let awaiting = thread::spawn(move || block_on(future));
        assert!(!polled || !domain.poll(&cookie));
        thread::sleep(Duration::from_millis(10));
        drop(guard);
        drop(domain);
        assert!(cookie.is_over());
        cookie.wait();
        waiting.join().unwrap();
        awaiting.join().unwrap();
    }
}

/// Something that a waker does, once.
struct OnWake(AtomicUsize, Box<dyn Fn(usize) + Send + Sync>);

impl Wake for OnWake {
    fn wake(self: Arc<Self>) {
        (self.1)(self.0.fetch_add(1, Ordering::SeqCst));
    }
}

#[test]
fn work_that_comes_in_a_turn_of_the_workers_is_not_missed() {
    assert_child_passes("polling::child_whose_wakers_ask_for_more");
}

#[test]
#[ignore = "a child process of work_that_comes_in_a_turn_of_the_workers_is_not_missed"]
fn child_whose_wakers_ask_for_more() {
    static DOMAIN: Domain = Domain::named("asked in its turn");
    // Nothing else makes the worker look around.
    urcu::stall::set_timeout(Duration::MAX);
    for asks in 0..3 {
        let (sender, receiver) = mpsc::channel();
        let waker = Waker::from(Arc::new(OnWake(
            AtomicUsize::new(0),
            Box::new(move |_| {
                let sender = sender.clone();
                let before = DOMAIN.stats().grace_periods;
                match asks {
                    0 => DOMAIN.call(move || sender.send(()).unwrap()),
                    1 => {
                        let cookie = DOMAIN.start_poll();
                        thread::spawn(move || {
                            until(|| DOMAIN.stats().grace_periods > before);
                            assert!(cookie.is_over());
                            sender.send(()).unwrap();
                        });
                    }
                    _ => {
                        let future = DOMAIN.synchronize_async();
                        thread::spawn(move || {
                            block_on(future);
                            sender.send(()).unwrap();
                        });
                    }
                }
            }),
        )));
        let guard = DOMAIN.read_lock();
        let mut future = std::pin::pin!(DOMAIN.synchronize_async());
        let mut context = Context::from_waker(&waker);
        assert!(future.as_mut().poll(&mut context).is_pending());
        thread::sleep(Duration::from_millis(20));
        // The worker finds it over, and wakes.
        drop(guard);
        receiver.recv().unwrap();
    }
}

#[test]
fn a_callback_that_comes_as_the_worker_is_about_to_sleep_runs() {
    assert_child_passes("polling::child_that_calls_at_any_moment");
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_calls_at_any_moment() {
    static DOMAIN: Domain = Domain::named("called at any moment");
    static RAN: AtomicBool = AtomicBool::new(false);
    // Nothing else makes the worker look around.
    urcu::stall::set_timeout(Duration::MAX);
    let end = Instant::now() + length(1_000);
    let mut turns = 0usize;
    while Instant::now() < end {
        RAN.store(false, Ordering::SeqCst);
        // The worker takes a turn for this, and the callback comes in the middle of it.
        drop(DOMAIN.start_poll());
        (0..turns * 7 % 600).for_each(|_| std::hint::spin_loop());
        DOMAIN.call(|| RAN.store(true, Ordering::SeqCst));
        // Not asleep, to be quick with the next one.
        let mut spins = 0u32;
        while !RAN.load(Ordering::SeqCst) {
            spins += 1;
            if spins.is_multiple_of(1_000) {
                thread::yield_now();
            }
        }
        turns += 1;
    }
    println!("{turns} callbacks");
}

#[test]
fn without_a_thread_those_who_wait_drive() {
    assert_child_passes("polling::child_without_a_worker");
}

#[test]
#[ignore = "a child process of without_a_thread_those_who_wait_drive"]
fn child_without_a_worker() {
    static DOMAIN: Domain = Domain::named("without a worker");
    static GO: AtomicBool = AtomicBool::new(false);
    // Made before no more can be.
    let holder = thread::spawn(|| {
        for _ in 0..3 {
            until(|| GO.load(Ordering::SeqCst));
            let guard = DOMAIN.read_lock();
            GO.store(false, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(30));
            drop(guard);
        }
    });
    Filter::new(&[libc::SYS_clone, libc::SYS_clone3], libc::EAGAIN)
        .install()
        .unwrap();
    let open_a_section = || {
        GO.store(true, Ordering::SeqCst);
        until(|| !GO.load(Ordering::SeqCst));
        DOMAIN.start_poll()
    };
    assert!(open_a_section().wait_timeout(Duration::MAX));
    let _: GracePeriod = open_a_section();
    block_on(DOMAIN.synchronize_async());
    let cookie = open_a_section();
    until(|| DOMAIN.poll(&cookie));
    holder.join().unwrap();
}
