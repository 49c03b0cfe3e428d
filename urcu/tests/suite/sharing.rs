//! Grace periods are shared by those who wait for them, and serve each of them.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use urcu::{Domain, GracePeriod};
use urcu_host::poison::SMALL;
use urcu_host::stamped::Stamped;

use crate::support::fork::block_on;
use crate::support::{SetOnDrop, cpu_time, length, slowness};

fn delays() {
    #[cfg(rseq_ops_delay_injection)]
    if std::env::var_os("URCU_TEST_NO_DELAYS").is_none() {
        use urcu::testing::{Point, set_delay};
        set_delay(Point::AddThroughLoaded, 200);
        set_delay(Point::AddThroughCommit, 200);
        set_delay(Point::SubIfCurrentCommit, 200);
    }
}

#[test]
fn many_callers_share_grace_periods_and_none_returns_too_early() {
    const CALLERS: usize = 64;
    delays();
    let domain = Domain::new();
    let over = AtomicBool::new(false);
    // Each caller has a value of its own that readers read, and frees the old one at its return.
    let places: Vec<AtomicPtr<Stamped<SMALL>>> = (0..CALLERS)
        .map(|_| AtomicPtr::new(Box::into_raw(Box::new(Stamped::new(0)))))
        .collect();
    let calls = [const { AtomicU64::new(0) }; CALLERS];
    let wrong = AtomicUsize::new(0);
    thread::scope(|scope| {
        for reader in 0..3 {
            let (domain, places, over, wrong) = (&domain, &places, &over, &wrong);
            scope.spawn(move || {
                for turn in reader.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let guard = domain.read_lock();
                    // SAFETY: what the test is about: it is freed after a grace period.
                    let value = unsafe { &*places[turn * 7 % CALLERS].load(Ordering::Acquire) };
                    if (0..20).any(|_| value.check().is_none()) {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                    drop(guard);
                }
            });
        }
        let _over = SetOnDrop(&over);
        let end = Instant::now() + length(600);
        thread::scope(|scope| {
            for (place, calls) in places.iter().zip(&calls) {
                let domain = &domain;
                scope.spawn(move || {
                    // Once at least, however late the thread starts.
                    while calls.load(Ordering::Relaxed) == 0 || Instant::now() < end {
                        let stamp = calls.fetch_add(1, Ordering::Relaxed) + 1;
                        let new = Box::into_raw(Box::new(Stamped::new(stamp)));
                        let old = place.swap(new, Ordering::AcqRel);
                        domain.synchronize();
                        // SAFETY: unpublished, and a grace period has passed.
                        drop(unsafe { Box::from_raw(old) });
                    }
                });
            }
        });
    });
    for place in places {
        // SAFETY: all readers are gone.
        drop(unsafe { Box::from_raw(place.into_inner()) });
    }
    assert_eq!(wrong.load(Ordering::Relaxed), 0, "reads of freed values");
    let calls: Vec<u64> = calls.into_iter().map(AtomicU64::into_inner).collect();
    let stats = domain.stats();
    println!(
        "{} calls, {} to {} each, {} grace periods, {} barriers",
        calls.iter().sum::<u64>(),
        calls.iter().min().unwrap(),
        calls.iter().max().unwrap(),
        stats.grace_periods,
        stats.membarriers
    );
    assert_eq!(stats.callers, calls.iter().sum::<u64>());
    // The degree of sharing depends on the load; see the test below.
    assert!(stats.callers >= stats.grace_periods, "{stats:?}");
    assert!(calls.iter().all(|calls| *calls > 0));
}

#[test]
fn callers_that_come_while_a_grace_period_waits_share_the_next_one() {
    static DOMAIN: Domain = Domain::named("shared");
    let guard = DOMAIN.read_lock();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| DOMAIN.synchronize());
        }
        // Until all but perhaps a few wait: the first for this section, the others for the next.
        thread::sleep(Duration::from_millis(200));
        drop(guard);
    });
    let stats = DOMAIN.stats();
    assert_eq!(stats.callers, 20);
    assert!(stats.grace_periods < 10, "{stats:?}");
}

#[test]
fn whoever_waits_for_a_grace_period_does_not_wait_for_the_next() {
    static DOMAIN: Domain = Domain::named("one after the other");
    let first = DOMAIN.read_lock();
    let cookie = DOMAIN.start_poll();
    // Begins the first grace period, and leaves it.
    assert!(!DOMAIN.poll(&cookie));
    let second = thread::scope(|scope| {
        // Leads it on, and wants the next one.
        let later = scope.spawn(|| DOMAIN.synchronize());
        thread::sleep(Duration::from_millis(30));
        let waiters: Vec<_> = (0..4)
            .map(|number| {
                let cookie = cookie.clone();
                scope.spawn(move || match number {
                    0 => assert!(cookie.wait_timeout(Duration::MAX)),
                    _ => cookie.wait(),
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(30));
        // Of the next period, for which the first grace period does not wait.
        let second = DOMAIN.read_lock();
        drop(first);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert!(!later.is_finished());
        drop(second);
        later.join().unwrap();
        DOMAIN.read_lock()
    });
    drop(second);
}

#[test]
fn grace_periods_that_overlap_serve_all_who_sleep_for_them() {
    delays();
    // Callers that wait for one number and callers that wait for the next, on one domain, while
    // pollers begin grace periods and leave them.
    let domain = Domain::new();
    let end = Instant::now() + length(600);
    thread::scope(|scope| {
        for number in 0..8 {
            let domain = &domain;
            scope.spawn(move || {
                let mut known: Vec<GracePeriod> = Vec::new();
                while Instant::now() < end {
                    let guard = domain.read_lock();
                    match number % 4 {
                        0 => drop(guard),
                        1 => {
                            let cookie = domain.start_poll();
                            domain.poll(&cookie);
                            drop(guard);
                            known.push(cookie);
                        }
                        _ => {
                            let cookie = domain.start_poll();
                            drop(guard);
                            domain.poll(&cookie);
                            cookie.wait();
                        }
                    }
                    domain.synchronize();
                    known.drain(..).for_each(|cookie| cookie.wait());
                }
            });
        }
    });
}

/// A share of a long wait that is "near zero" on a machine that is busy with other things.
const NEAR_ZERO: f64 = 0.2;

fn worker_time() -> Option<Duration> {
    // The worker's own clock, by its entry in /proc: user and system time in ticks.
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let ticks = tasks
        .filter_map(|task| {
            let text = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
            let fields: Vec<&str> = rest.split_whitespace().collect();
            name.starts_with("urcu-callbacks")
                .then(|| Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?))?
        })
        .next()?;
    // SAFETY: no pointers.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Some(Duration::from_secs_f64(ticks as f64 / a_second))
}

#[test]
fn waiting_takes_no_time_of_the_processor() {
    crate::support::assert_child_passes("sharing::child_that_waits");
}

#[test]
#[ignore = "a child process of waiting_takes_no_time_of_the_processor"]
fn child_that_waits() {
    static DOMAIN: Domain = Domain::named("waited for");
    const LONG: Duration = Duration::from_secs(2);
    DOMAIN.call(|| ());
    DOMAIN.barrier();
    let (before, start) = (worker_time(), Instant::now());
    let guard = DOMAIN.read_lock();
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let sender = sender.clone();
            thread::spawn(move || {
                let before = cpu_time();
                match number {
                    0 | 1 => DOMAIN.synchronize(),
                    2 => DOMAIN.start_poll().wait(),
                    _ => {
                        DOMAIN.call(|| ());
                        DOMAIN.barrier();
                    }
                }
                sender.send((number, cpu_time() - before)).unwrap();
            })
        })
        .collect();
    thread::sleep(LONG);
    drop(guard);
    threads.into_iter().for_each(|t| t.join().unwrap());
    // Looking now and then takes an emulator longer; looking all the time takes all of it everywhere.
    let most = start.elapsed().mul_f64((NEAR_ZERO * slowness()).min(0.5));
    for (number, time) in receiver.try_iter() {
        println!("waiter {number}: {time:?}");
        assert!(time < most, "waiter {number} took {time:?}");
    }
    if let (Some(before), Some(after)) = (before, worker_time()) {
        println!("worker: {:?}", after - before);
        assert!(
            after - before < most,
            "the worker took {:?}",
            after - before
        );
    }
}

#[test]
fn the_end_of_a_section_is_never_missed() {
    delays();
    let domain = Domain::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..3 {
            let (domain, over) = (&domain, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let guard = domain.read_lock();
                    // About as long as a writer spins before it sleeps.
                    (0..number * 400).for_each(|_| std::hint::spin_loop());
                    drop(guard);
                    thread::yield_now();
                }
            });
        }
        let _over = SetOnDrop(&over);
        let end = Instant::now() + length(600);
        let mut waits = 0;
        while Instant::now() < end {
            match waits % 3 {
                0 => domain.synchronize(),
                1 => assert!(domain.start_poll().wait_timeout(Duration::MAX)),
                _ => block_on(domain.synchronize_async()),
            }
            waits += 1;
        }
        println!("{waits} waits");
    });
}
