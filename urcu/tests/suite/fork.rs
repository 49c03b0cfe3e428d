//! Children of a fork can do everything at once, and their parents do not notice.
//!
//! Each test is a process of its own: in this one, other tests' threads may be inside the heap's
//! locks, which children that libc does not know of would find held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, GracePeriod, Rcu, ReadGuard};

use crate::forked::{
    Fork, WAYS, assert_child, assert_ends_well, block_on, fork, shared, spawn, use_everything,
};
use crate::support::{SetOnDrop, assert_child_passes, assert_waits, length};

static DOMAIN: Domain = Domain::named("forked");
static OTHER: Domain = Domain::named("forked too");

/// Both kinds: a static's state is elsewhere.
fn domains() -> [&'static Domain; 3] {
    [urcu::global(), &DOMAIN, &OTHER]
}

/// Waits until `true`, or for ever: tests have deadlines.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

macro_rules! in_a_process_of_its_own {
    ($($test:ident: $child:ident,)*) => { $(
        #[test]
        fn $test() {
            assert_child_passes(concat!("fork::", stringify!($child)));
        }
    )* };
}

in_a_process_of_its_own! {
    a_child_does_not_wait_for_sections_of_other_threads: child_with_open_sections,
    a_child_is_free_while_other_threads_wait: child_while_others_wait,
    a_child_is_free_at_any_instant: child_at_any_instant,
    there_may_be_three_generations: child_of_three_generations,
    a_guard_from_before_the_fork_is_harmless: child_with_guards,
    grace_periods_from_before_the_fork_are_over: child_with_cookies,
    a_future_from_before_the_fork_is_dropped_at_any_instant: child_with_futures,
    a_child_may_drop_its_parents_domains: child_that_drops_domains,
    a_callback_may_fork: child_in_a_callback,
    a_callback_that_forks_in_a_dropped_domain_ends_the_drop: child_in_a_drop,
    a_stall_hook_may_fork: child_in_a_hook,
    a_child_of_a_stall_hook_may_read_and_retire_and_return: child_in_a_hook_with_a_section,
    a_child_forked_before_the_first_use_is_on_its_own: child_before_the_first_use,
}

#[test]
#[ignore = "a child process"]
fn child_with_open_sections() {
    let release = AtomicBool::new(false);
    let inside = AtomicUsize::new(0);
    thread::scope(|scope| {
        let _release = SetOnDrop(&release);
        for number in 0..6 {
            let (release, inside) = (&release, &inside);
            scope.spawn(move || {
                let guard = domains()[number % 3].read_lock();
                let nested = domains()[number % 3].read_lock();
                inside.fetch_add(1, Ordering::SeqCst);
                until(|| release.load(Ordering::SeqCst));
                drop((guard, nested));
            });
        }
        until(|| inside.load(Ordering::SeqCst) == 6);
        for (name, way) in WAYS {
            println!("{name}");
            assert_child(way, || {
                for domain in domains() {
                    use_everything(domain);
                    let guard = domain.read_lock();
                    assert_waits(domain, || drop(guard));
                }
            });
        }
        // The parent's sections are open still.
        for domain in domains() {
            let grace_period = domain.start_poll();
            assert!(!grace_period.wait_timeout(Duration::from_millis(1)));
        }
    });
    domains().into_iter().for_each(use_everything);
}

#[test]
#[ignore = "a child process"]
fn child_while_others_wait() {
    let (held, hold) = mpsc::channel::<()>();
    let (started, start) = mpsc::channel::<()>();
    // A callback that does not end keeps the worker.
    OTHER.call(move || {
        started.send(()).unwrap();
        let _ = hold.recv();
    });
    start.recv().unwrap();
    let guard = DOMAIN.read_lock();
    let returned = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..8 {
            let returned = &returned;
            scope.spawn(move || {
                match number % 4 {
                    0 => DOMAIN.synchronize(),
                    1 => DOMAIN.start_poll().wait(),
                    2 => block_on(DOMAIN.synchronize_async()),
                    _ => {
                        DOMAIN.call(|| ());
                        DOMAIN.barrier();
                    }
                }
                returned.fetch_add(1, Ordering::SeqCst);
            });
        }
        thread::sleep(Duration::from_millis(50));
        for (name, way) in WAYS {
            println!("{name}");
            assert_child(way, || domains().into_iter().for_each(use_everything));
        }
        assert_eq!(returned.load(Ordering::SeqCst), 0);
        drop((guard, held));
    });
    assert_eq!(returned.load(Ordering::SeqCst), 8);
    domains().into_iter().for_each(use_everything);
}

/// Does what keeps locks and the lead busy, until `over`.
fn keep_busy(number: usize, over: &AtomicBool, ran: &'static AtomicUsize) -> usize {
    let mut queued = 0;
    let cell = Rcu::new_in([7u64; 4], &DOMAIN);
    while !over.load(Ordering::Relaxed) {
        match number % 4 {
            0 => {
                drop(DOMAIN.read_lock());
                DOMAIN.synchronize();
                drop(urcu::read_lock());
                assert_eq!(cell.snapshot(), [7; 4]);
                urcu::synchronize();
            }
            1 => {
                DOMAIN.call(move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
                queued += 1;
                DOMAIN.barrier();
            }
            2 => {
                // The first use of a domain, and its end.
                let domain = Domain::new();
                drop(domain.read_lock());
                domain.synchronize();
                domain.call(|| ());
            }
            _ => {
                let guard = DOMAIN.read_lock();
                assert!(!DOMAIN.start_poll().is_over());
                drop(guard);
                block_on(DOMAIN.synchronize_async());
            }
        }
    }
    queued
}

/// Forks again and again while other threads are busy; the children do `body`.
fn fork_under_load(way: Fork, time: Duration, body: fn()) {
    static RAN: AtomicUsize = AtomicUsize::new(0);
    #[cfg(feature = "delay-injection")]
    {
        use urcu::testing::{Point, set_delay};
        set_delay(Point::AddThroughLoaded, 300);
        set_delay(Point::SubIfCurrentCommit, 300);
    }
    let over = AtomicBool::new(false);
    let (before, mut queued, mut forks) = (RAN.load(Ordering::SeqCst), 0, 0);
    thread::scope(|scope| {
        let _over = SetOnDrop(&over);
        let threads: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn({
                    let over = &over;
                    move || keep_busy(number, over, &RAN)
                })
            })
            .collect();
        let end = Instant::now() + time;
        while Instant::now() < end || forks < 20 {
            let children: Vec<_> = (0..3).map(|_| spawn(way, body)).collect();
            children.into_iter().for_each(assert_ends_well);
            forks += 3;
        }
        over.store(true, Ordering::SeqCst);
        queued = threads.into_iter().map(|t| t.join().unwrap()).sum();
    });
    println!("{forks} forks, {queued} callbacks");
    DOMAIN.barrier();
    assert_eq!(RAN.load(Ordering::SeqCst) - before, queued, "callbacks");
    for domain in domains() {
        let guard = domain.read_lock();
        assert_waits(domain, || drop(guard));
    }
}

#[test]
#[ignore = "a child process"]
fn child_at_any_instant() {
    // Only libc's `fork` sees to the locks of the heap, which these threads use.
    fork_under_load(fork, length(1_000), || {
        use_everything(&DOMAIN);
        use_everything(urcu::global());
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        use_everything(domain);
    });
}

#[test]
#[ignore = "a child process"]
fn child_of_three_generations() {
    fn generation(left: usize) {
        domains().into_iter().for_each(use_everything);
        let release = AtomicBool::new(false);
        let inside = AtomicBool::new(false);
        thread::scope(|scope| {
            let _release = SetOnDrop(&release);
            scope.spawn(|| {
                let guards = domains().map(Domain::read_lock);
                inside.store(true, Ordering::SeqCst);
                until(|| release.load(Ordering::SeqCst));
                drop(guards);
            });
            until(|| inside.load(Ordering::SeqCst));
            let mine = domains().map(Domain::read_lock);
            if left > 0 {
                assert_child(fork, || generation(left - 1));
            }
            drop(mine);
        });
        domains().into_iter().for_each(use_everything);
    }
    generation(3);
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
            crate::forked::child_does(move || {
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
                crate::forked::child_does(move || {
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
            crate::forked::child_does(move || {
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

#[test]
#[ignore = "a child process"]
fn child_in_a_callback() {
    for returns in [false, true] {
        for (name, way) in WAYS {
            println!("{name}, returns: {returns}");
            let ran = shared();
            let (sender, receiver) = mpsc::channel();
            // All ripe at once, behind a section.
            let guards = domains().map(Domain::read_lock);
            DOMAIN.call(move || {
                let process = way();
                if process == 0 {
                    crate::forked::limit_child();
                    let used = || domains().into_iter().for_each(use_everything);
                    if catch_unwind(used).is_err() {
                        crate::forked::leave(8);
                    }
                    if !returns {
                        crate::forked::leave(0);
                    }
                    // This thread is not the child's worker, and leaves its parent's work alone.
                    thread::spawn(|| {
                        thread::sleep(Duration::from_millis(50));
                        domains().into_iter().for_each(use_everything);
                        crate::forked::leave(0);
                    });
                    return;
                }
                sender.send(process).unwrap();
            });
            for domain in domains() {
                for _ in 0..10 {
                    domain.call(|| {
                        ran.fetch_add(1, Ordering::SeqCst);
                    });
                }
            }
            drop(guards);
            assert_ends_well(receiver.recv().unwrap());
            domains().into_iter().for_each(Domain::barrier);
            assert_eq!(ran.load(Ordering::SeqCst), 30, "in the parent alone, once");
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_in_a_drop() {
    let ran = shared();
    let (started, start) = mpsc::channel();
    let (held, hold) = mpsc::channel::<()>();
    OTHER.call(move || {
        started.send(()).unwrap();
        let _ = hold.recv();
    });
    // The worker is kept, so that the callbacks below run where the domain is dropped.
    start.recv().unwrap();
    let domain = Domain::new();
    let (sender, receiver) = mpsc::channel();
    domain.call(move || sender.send(fork()).unwrap());
    domain.call(|| {
        ran.fetch_add(1, Ordering::SeqCst);
    });
    drop(domain);
    let process = receiver.recv().unwrap();
    if process == 0 {
        crate::forked::child_does(|| domains().into_iter().for_each(use_everything));
    }
    assert_ends_well(process);
    assert_eq!(ran.load(Ordering::SeqCst), 1, "in the parent alone");
    drop(held);
    OTHER.barrier();
}

#[test]
#[ignore = "a child process"]
fn child_in_a_hook() {
    static CHILD: AtomicBool = AtomicBool::new(false);
    urcu::stall::set_timeout(Duration::from_millis(20));
    // Some grace periods first, so that the child's numbers and the parent's differ.
    for rounds in [0, 5] {
        (0..rounds).for_each(|_| DOMAIN.synchronize());
        for (name, way) in WAYS {
            for waits_itself in [true, false] {
                println!("{name} after {rounds}, the hook's thread waits: {waits_itself}");
                let (sender, receiver) = mpsc::channel();
                let forked = AtomicBool::new(false);
                urcu::stall::set_hook(move |_| {
                    if forked.swap(true, Ordering::SeqCst) {
                        return;
                    }
                    let process = way();
                    if process == 0 {
                        crate::forked::limit_child();
                        CHILD.store(true, Ordering::SeqCst);
                        if rounds == 0 || !waits_itself {
                            domains().into_iter().for_each(use_everything);
                        }
                        if !waits_itself {
                            crate::forked::leave(0);
                        }
                        return;
                    }
                    sender.send(process).unwrap();
                });
                let (guard_in, guard_out) = mpsc::channel();
                let holder = thread::spawn(move || {
                    let guard = DOMAIN.read_lock();
                    guard_in.send(()).unwrap();
                    let process = receiver.recv().unwrap();
                    drop(guard);
                    process
                });
                guard_out.recv().unwrap();
                if waits_itself {
                    DOMAIN.synchronize();
                    if CHILD.load(Ordering::SeqCst) {
                        // Out of the very call in which it was forked.
                        crate::forked::child_does(|| {
                            domains().into_iter().for_each(use_everything);
                        });
                    }
                } else {
                    let cookie = DOMAIN.start_poll();
                    until(|| DOMAIN.stats().grace_periods > 0 && cookie.is_over());
                }
                assert_ends_well(holder.join().unwrap());
                urcu::stall::remove_hook();
            }
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_in_a_hook_with_a_section() {
    static CHILD: AtomicBool = AtomicBool::new(false);
    static GUARD: Mutex<Option<ReadGuard<'static>>> = Mutex::new(None);
    urcu::stall::set_timeout(Duration::from_millis(20));
    // The child's numbers of grace periods are the parent's, or not; and who leads, leads a caller's
    // or the background thread's.
    for (rounds, waits_itself) in [(0, true), (2, true), (5, false)] {
        (0..rounds).for_each(|_| DOMAIN.synchronize());
        let (sender, receiver) = mpsc::channel();
        let forked = AtomicBool::new(false);
        urcu::stall::set_hook(move |_| {
            if forked.swap(true, Ordering::SeqCst) {
                return;
            }
            let process = fork();
            if process > 0 {
                return sender.send(process).unwrap();
            }
            crate::forked::limit_child();
            urcu::stall::set_timeout(Duration::MAX);
            CHILD.store(true, Ordering::SeqCst);
            *GUARD.lock().unwrap() = Some(DOMAIN.read_lock());
            // A grace period that the child's background thread begins.
            let grace_period = DOMAIN.start_poll();
            DOMAIN.call(|| ());
            if !waits_itself {
                // Behind this thread's back: it goes on as the parent's background thread.
                thread::spawn(|| check_in_child(&GUARD));
            }
            assert!(!grace_period.wait_timeout(Duration::from_millis(30)));
        });
        let (open, opened) = mpsc::channel();
        let holder = thread::spawn(move || {
            let guard = DOMAIN.read_lock();
            open.send(()).unwrap();
            let process: libc::pid_t = receiver.recv().unwrap();
            drop(guard);
            process
        });
        opened.recv().unwrap();
        if waits_itself {
            DOMAIN.synchronize();
        } else {
            DOMAIN.call(|| ());
        }
        if CHILD.load(Ordering::SeqCst) {
            check_in_child(&GUARD);
        }
        assert_ends_well(holder.join().unwrap());
        urcu::stall::remove_hook();
        domains().into_iter().for_each(use_everything);
    }
}

/// In a child that has a section open: it is waited for, until it ends.
fn check_in_child(guard: &Mutex<Option<ReadGuard<'static>>>) {
    crate::forked::child_does(|| {
        thread::scope(|scope| {
            let waits = scope.spawn(|| DOMAIN.synchronize());
            thread::sleep(Duration::from_millis(100));
            let early = waits.is_finished();
            drop(guard.lock().unwrap().take());
            assert!(
                !early,
                "a grace period of the child ended before its section"
            );
        });
        domains().into_iter().for_each(use_everything);
    })
}

#[test]
#[ignore = "a child process"]
fn child_before_the_first_use() {
    for _ in 0..3 {
        assert_child(fork, || {
            domains().into_iter().for_each(use_everything);
            assert_child(fork, || domains().into_iter().for_each(use_everything));
        });
    }
    domains().into_iter().for_each(use_everything);
}
