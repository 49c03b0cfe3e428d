//! What a child has of its parent: guards, cookies, futures and domains.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, GracePeriod, Rcu};

use super::{DOMAIN, domains, until};
use crate::support::fork::{assert_child, assert_ends_well, fork, shared, use_everything};
use crate::support::{SetOnDrop, assert_waits, in_a_process_of_its_own, length};

in_a_process_of_its_own! {
    a_guard_from_before_the_fork_is_harmless: child_with_guards,
    grace_periods_from_before_the_fork_are_over: child_with_cookies,
    a_future_from_before_the_fork_is_dropped_at_any_instant: child_with_futures,
    a_child_may_drop_its_parents_domains: child_that_drops_domains,
}

#[test]
#[ignore = "a child process"]
fn child_with_guards() {
    let cell = Rcu::new_in(1, &DOMAIN);
    for in_use_first in [false, true] {
        let guards = domains().map(|domain| [domain.read_lock(), domain.read_lock()]);
        let cell = &cell;
        let process = fork();
        if process == 0 {
            crate::support::fork::child_does(move || {
                if in_use_first {
                    domains().into_iter().for_each(use_everything);
                }
                let old = &guards[1][0];
                let loaded = catch_unwind(AssertUnwindSafe(|| *cell.load(old)));
                if cfg!(debug_assertions) {
                    let message = *loaded.unwrap_err().downcast::<&str>().expect("a message");
                    assert!(message.contains("before a fork"), "{message}");
                }
                // They protect nothing ...
                domains().into_iter().for_each(Domain::synchronize);
                let new = domains().map(Domain::read_lock);
                // ... and their ends are not those of others.
                drop(guards);
                for (domain, guard) in domains().into_iter().zip(new) {
                    assert_waits(domain, || drop(guard));
                }
                domains().into_iter().for_each(use_everything);
            });
        }
        assert_ends_well(process);
        assert_eq!(*cell.load(&guards[1][0]), 1);
        for (domain, guards) in domains().into_iter().zip(guards) {
            assert_waits(domain, || drop(guards));
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_with_cookies() {
    let guard = DOMAIN.read_lock();
    let cookies: Vec<GracePeriod> = (0..3).map(|_| DOMAIN.start_poll()).collect();
    assert!(cookies.iter().all(|cookie| !DOMAIN.poll(cookie)));
    assert_child(fork, || {
        assert!(cookies.iter().all(|cookie| DOMAIN.poll(cookie)));
        cookies[0].wait();
        assert!(cookies[1].wait_timeout(Duration::ZERO));
        // Also once there are grace periods of the child's.
        let guard = DOMAIN.read_lock();
        let new = DOMAIN.start_poll();
        assert!(!DOMAIN.poll(&new));
        assert!(cookies.iter().all(GracePeriod::is_over));
        assert_eq!(new.partial_cmp(&cookies[0]), None);
        drop(guard);
        new.wait();
    });
    assert!(cookies.iter().all(|cookie| !DOMAIN.poll(cookie)));
    drop(guard);
    cookies.iter().for_each(GracePeriod::wait);
}

#[test]
#[ignore = "a child process"]
fn child_with_futures() {
    use std::task::{Context, Waker};
    let over = AtomicBool::new(false);
    let _guard = DOMAIN.read_lock();
    thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        for _ in 0..2 {
            // Busy with the place where wakers are.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut future = std::pin::pin!(DOMAIN.synchronize_async());
                    let mut context = Context::from_waker(Waker::noop());
                    for _ in 0..100 {
                        assert!(future.as_mut().poll(&mut context).is_pending());
                    }
                }
            });
        }
        let end = Instant::now() + length(500);
        while Instant::now() < end {
            let mut futures: Vec<_> = (0..2)
                .map(|_| Box::pin(DOMAIN.synchronize_async()))
                .collect();
            let mut context = Context::from_waker(Waker::noop());
            for future in &mut futures {
                assert!(future.as_mut().poll(&mut context).is_pending());
            }
            let [mut first, second] = <[_; 2]>::try_from(futures).expect("two");
            let process = fork();
            if process == 0 {
                crate::support::fork::child_does(move || {
                    drop(second);
                    let mut context = Context::from_waker(Waker::noop());
                    assert!(first.as_mut().poll(&mut context).is_ready());
                });
            }
            assert_ends_well(process);
        }
    });
}

#[test]
#[ignore = "a child process"]
fn child_that_drops_domains() {
    let ran = shared();
    for used_in_the_child in [false, true] {
        ran.store(0, Ordering::SeqCst);
        let unused = Domain::new();
        let domain = Domain::new();
        let other = Domain::new();
        drop(other.read_lock());
        let guard = domain.read_lock();
        let cookie = domain.start_poll();
        for _ in 0..10 {
            domain.call(|| {
                ran.fetch_add(1, Ordering::SeqCst);
            });
        }
        drop(guard);
        until(|| ran.load(Ordering::SeqCst) == 10);
        std::mem::forget(domain.read_lock());
        domain.call(|| {
            ran.fetch_add(1, Ordering::SeqCst);
        });
        let domains = (unused, domain, other);
        let process = fork();
        if process == 0 {
            crate::support::fork::child_does(move || {
                if used_in_the_child {
                    domains.1.synchronize();
                    domains.1.call(|| {
                        ran.fetch_add(100, Ordering::SeqCst);
                    });
                    domains.2.synchronize();
                }
                drop(domains);
                assert!(cookie.is_over());
                // Their memory is another's now.
                for _ in 0..100 {
                    let domain = Domain::new();
                    let guard = domain.read_lock();
                    let cookie = domain.start_poll();
                    assert!(!domain.poll(&cookie));
                    drop(guard);
                    domain.synchronize();
                }
            });
        }
        assert_ends_well(process);
        let expected = if used_in_the_child { 110 } else { 10 };
        assert_eq!(ran.load(Ordering::SeqCst), expected, "callbacks of both");
        // For the parent its end would wait for the forgotten section.
        std::mem::forget(domains);
    }
}
