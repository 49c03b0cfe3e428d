//! Read-side sections: what a grace period waits for, and what it does not.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, ReadGuard};

use crate::support::{assert_waits, length, sleeps, storm};

#[test]
fn a_grace_period_waits_for_an_open_section() {
    let domain = Domain::new();
    for _ in 0..2 {
        let guard = domain.read_lock();
        assert_waits(&domain, || drop(guard));
    }
}

#[test]
fn a_section_without_its_guard_is_open_until_the_guard_is_made_again_and_dropped() {
    let domain = Domain::new();
    for nested in [0, 3] {
        let _others: Vec<_> = (0..nested).map(|_| Domain::read_lock(&domain)).collect();
        let section = domain.read_lock().into_raw();
        let late = domain.start_poll();
        drop(_others);
        assert!(!domain.poll(&late));
        let end = || {
            // SAFETY: of a guard of this domain, once.
            drop(unsafe { ReadGuard::from_raw(&domain, section) });
        };
        thread::scope(|scope| scope.spawn(end).join().unwrap());
        late.wait();
    }
    // SAFETY: of a guard of this domain, once.
    let guard = unsafe { ReadGuard::from_raw(&domain, domain.read_lock().into_raw()) };
    assert!(guard.is_of(&domain));
    assert_waits(&domain, || drop(guard));
}

#[test]
fn a_grace_period_waits_for_the_outermost_of_nested_sections() {
    let domain = Domain::new();
    let outer = domain.read_lock();
    let inner: Vec<_> = (0..50).map(|_| domain.read_lock()).collect();
    drop(inner);
    assert_waits(&domain, || drop(outer));
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    let domain = Domain::new();
    let (first, second, third) = (domain.read_lock(), domain.read_lock(), domain.read_lock());
    drop(first);
    drop(third);
    assert_waits(&domain, || drop(second));
    domain.synchronize();
}

#[test]
fn a_section_nested_across_a_flip_belongs_to_the_next_grace_period() {
    let domain = Domain::new();
    // `inner` begins when the grace period has flipped, which cannot be seen from here: on a busy
    // machine it may come too early, so wait longer then. But sometime it must come after.
    let in_time = (0..6).any(|attempt| {
        let pause = Duration::from_millis(20) * 3u32.pow(attempt);
        thread::scope(|scope| {
            let outer = domain.read_lock();
            let (over, is_over) = mpsc::channel();
            let writer = &domain;
            scope.spawn(move || {
                writer.synchronize();
                let _ = over.send(());
            });
            thread::sleep(pause);
            let inner = domain.read_lock();
            drop(outer);
            // `outer` alone is released: the grace period must not wait for `inner`.
            let in_time = is_over.recv_timeout(10 * pause).is_ok();
            if in_time {
                assert_waits(&domain, || drop(inner));
            } // Else it is dropped here, so that the thread can end.
            in_time
        })
    });
    assert!(
        in_time,
        "grace periods wait for sections that began after their flip"
    );
}

#[test]
fn a_guard_may_be_dropped_in_another_thread() {
    let domain = Domain::new();
    thread::scope(|scope| {
        for _ in 0..100 {
            let guard = domain.read_lock();
            scope.spawn(move || drop(guard));
        }
    });
    domain.synchronize();
    let guard = thread::scope(|scope| scope.spawn(|| domain.read_lock()).join().unwrap());
    assert_waits(&domain, || drop(guard));
    domain.synchronize();
}

#[test]
fn ten_thousand_open_sections_are_all_waited_for() {
    let domain = Domain::new();
    let mut guards: Vec<_> = (0..10_000).map(|_| domain.read_lock()).collect();
    let last = guards.swap_remove(5_000);
    drop(guards);
    assert_waits(&domain, || drop(last));
    domain.synchronize();
}

#[test]
fn a_panic_ends_the_sections_it_unwinds_through() {
    let domain = Domain::new();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _outer = domain.read_lock();
        let _inner = domain.read_lock();
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(caught.is_err());
    domain.synchronize();
}

#[test]
fn a_section_may_live_across_an_await_on_two_threads() {
    struct Once(bool);
    impl Future for Once {
        type Output = ();
        fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }
    }
    static DOMAIN: Domain = Domain::named("await");
    let mut future = Box::pin(async {
        let _guard = DOMAIN.read_lock();
        Once(false).await;
    });
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(future.as_mut()).poll(&mut context).is_pending());
    assert_waits(&DOMAIN, || {
        let elsewhere = thread::spawn(move || {
            let ready = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(ready.is_ready());
        });
        elsewhere.join().unwrap();
    });
    DOMAIN.synchronize();
}

/// The processor time of this is checked by `sharing::waiting_takes_no_time_of_the_processor`.
#[test]
fn a_grace_period_that_waits_sleeps() {
    let domain = Domain::new();
    let guard = domain.read_lock();
    let waiting = AtomicI32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: no arguments.
            waiting.store(unsafe { libc::gettid() }, Ordering::SeqCst);
            domain.synchronize();
        });
        let number = || waiting.load(Ordering::SeqCst);
        while number() == 0 || !sleeps(number()) {
            thread::sleep(Duration::from_millis(1));
        }
        drop(guard);
    });
}

#[test]
fn a_grace_period_that_sleeps_is_woken_by_the_last_section() {
    let domain = Domain::new();
    let (sender, receiver) = mpsc::sync_channel(0);
    let stop = &AtomicBool::new(false);
    let domain = &domain;
    thread::scope(|scope| {
        scope.spawn(move || {
            for guard in receiver {
                // Long enough for the writer to have gone to sleep, mostly.
                thread::sleep(Duration::from_micros(120));
                drop(guard);
            }
            stop.store(true, Ordering::SeqCst);
        });
        scope.spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                domain.synchronize();
            }
        });
        let end = Instant::now() + length(300);
        while Instant::now() < end {
            sender.send(domain.read_lock()).unwrap();
        }
        drop(sender);
    });
}

#[test]
fn many_writers_at_once_all_wait_and_all_return() {
    let domain = Domain::new();
    let open = AtomicBool::new(true);
    let guard = domain.read_lock();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                domain.synchronize();
                assert!(!open.load(Ordering::SeqCst), "a grace period ended early");
            });
        }
        thread::sleep(Duration::from_millis(30));
        open.store(false, Ordering::SeqCst);
        drop(guard);
    });
}

#[test]
fn the_counters_balance_after_any_mixture() {
    let domain = Domain::new();
    let (sender, receiver) = mpsc::channel();
    let writing = AtomicBool::new(true);
    thread::scope(|scope| {
        let (domain, writing) = (&domain, &writing);
        // Takes guards as long as the writer may wait for one.
        scope.spawn(move || {
            while writing.load(Ordering::SeqCst) {
                drop(receiver.recv_timeout(Duration::from_millis(1)));
            }
        });
        scope.spawn(move || {
            let end = Instant::now() + length(300);
            while Instant::now() < end {
                domain.synchronize();
            }
            writing.store(false, Ordering::SeqCst);
        });
        storm(length(300), 2, |number| {
            if number == 0 {
                let _ = sender.send(domain.read_lock());
            } else {
                let outer = domain.read_lock();
                let inner = domain.read_lock();
                drop(outer);
                drop(inner);
            }
        });
    });
    domain.synchronize();
}

#[test]
fn a_forgotten_guard_does_not_keep_its_domain_from_being_dropped() {
    let domain = Domain::new();
    std::mem::forget(domain.read_lock());
    drop(domain);
}

#[test]
fn the_global_domain_has_sections_and_grace_periods_too() {
    let guard = urcu::read_lock();
    assert_waits(urcu::global(), || drop(guard));
    urcu::synchronize();
}

/// As on processors that do not rename memory: all the tests above, in a process that counts so.
#[cfg(rseq_ops_delay_injection)]
#[test]
fn sections_may_be_counted_by_guesses() {
    crate::support::assert_child_passes("sections::child_that_guesses");
}

#[cfg(rseq_ops_delay_injection)]
#[test]
#[ignore = "a child process of sections_may_be_counted_by_guesses"]
fn child_that_guesses() {
    urcu::testing::count_by_guesses(true);
    a_grace_period_waits_for_an_open_section();
    a_grace_period_waits_for_the_outermost_of_nested_sections();
    guards_may_be_dropped_in_any_order();
    a_section_nested_across_a_flip_belongs_to_the_next_grace_period();
    a_guard_may_be_dropped_in_another_thread();
    ten_thousand_open_sections_are_all_waited_for();
    the_counters_balance_after_any_mixture();
    let domain = Domain::new();
    (0..1000).for_each(|_| drop(domain.read_lock()));
    // The other way is not the slow one, which this would be if the sequences aborted.
    let most = if crate::support::sequences() { 500 } else { 0 };
    let stats = domain.stats();
    assert!(
        stats.aborts <= most && stats.fallback_reads <= most,
        "{stats:?}"
    );
}
