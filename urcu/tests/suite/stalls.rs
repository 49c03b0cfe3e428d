//! Reports of grace periods that take long, and of threads that may wait for themselves. The hook and the timeout are the process's, so each test here is a process of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use urcu::stall::{self, Report};
use urcu::{Domain, ReadGuard};

use crate::forked::block_on;
use crate::support::assert_child_passes;
#[cfg(not(any(feature = "log", feature = "tracing")))]
use crate::support::{child, run};

static DOMAIN: Domain = Domain::named("stalled");

/// Whether sections are traced in this build.
const TRACED: bool = cfg!(any(debug_assertions, feature = "stall-trace"));

macro_rules! in_a_process_of_its_own {
    ($($test:ident: $child:ident,)*) => { $(
        #[test]
        fn $test() {
            assert_child_passes(concat!("stalls::", stringify!($child)));
        }
    )* };
}

in_a_process_of_its_own! {
    a_report_says_what_is_waited_for: child_with_a_report,
    a_stalled_grace_period_is_reported_again_at_twice_its_age: child_with_doubling,
    grace_periods_that_nobody_waits_for_are_reported: child_with_a_worker,
    a_hook_may_panic_and_use_the_domain: child_with_a_bad_hook,
    a_report_lists_sites_the_oldest_first: child_with_sites_in_order,
    a_hook_may_wait_for_what_it_is_told_of: child_whose_hook_waits,
    a_hook_may_drop_the_domain_that_it_is_told_of: child_whose_hook_drops,
    a_hook_that_never_returns_holds_up_its_own_thread_alone: child_whose_hook_never_returns,
    without_a_timeout_there_is_no_report: child_without_a_timeout,
    a_forgotten_guard_is_reported: child_with_a_forgotten_guard,
    a_thread_that_may_wait_for_itself_is_reported_once: child_that_waits_for_itself,
    a_thread_that_may_wait_for_itself_is_reported_when_a_stall_would_be: child_that_is_suspected_soon,
    whoever_leads_after_a_report_goes_on: child_whose_leaders_report,
    a_guard_that_rests_elsewhere_is_waited_for: child_with_a_resting_guard,
    guards_that_move_are_no_deadlock: child_with_moving_guards,
    a_domain_inherits_no_sections: child_with_one_domain_after_another,
    a_hook_is_replaced_under_load: child_that_replaces_hooks,
}

fn reports() -> mpsc::Receiver<Report> {
    let (sender, receiver) = mpsc::channel();
    stall::set_hook(move |report| {
        let _ = sender.send(report.clone());
    });
    receiver
}

#[test]
#[ignore = "a child process"]
fn child_with_a_report() {
    assert_eq!(stall::timeout(), Duration::from_secs(10));
    stall::set_timeout(Duration::from_millis(30));
    assert_eq!(stall::timeout(), Duration::from_millis(30));
    let reports = reports();
    DOMAIN.synchronize();
    let start = Instant::now();
    let line = line!() + 1;
    let guards: Vec<_> = (0..3).map(|_| DOMAIN.read_lock()).collect();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    let report = reports.recv().unwrap();
    let most = start.elapsed();
    assert_eq!(report.domain, "RCU domain \"stalled\"");
    assert_eq!(report.grace_period, 2);
    assert_eq!(report.open, 3);
    assert!(report.age >= Duration::from_millis(30) && report.age <= most);
    assert_eq!(report.by_cpu.iter().map(|(_, open)| open).sum::<i64>(), 3);
    assert!(report.by_cpu.iter().all(|(_, open)| *open != 0));
    let text = report.to_string();
    let start = "grace period 2 of RCU domain \"stalled\" has waited ";
    assert!(text.starts_with(start), "{text}");
    assert!(
        text.contains("for 3 open read-side sections; by CPU: "),
        "{text}"
    );
    if TRACED {
        assert_eq!(report.sites.len(), 3, "{text}");
        for site in &report.sites {
            assert_eq!((site.place.file(), site.place.line()), (file!(), line));
            assert!(site.age >= report.age && site.age <= most + Duration::from_secs(1));
            assert_eq!(site.thread, report.sites[0].thread);
        }
        assert!(text.contains(&format!("{}:{line}:", file!())), "{text}");
    } else {
        assert!(
            report.sites.is_empty() && text.contains("stall-trace"),
            "{text}"
        );
    }
    assert_eq!(DOMAIN.stats().stalls, 1);
    drop(guards);
    waiter.join().unwrap();
    DOMAIN.synchronize();
    assert_eq!(DOMAIN.stats().stalls, 1);
}

#[test]
#[ignore = "a child process"]
fn child_with_doubling() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    for _ in 0..2 {
        let guard = DOMAIN.read_lock();
        let waiters: Vec<_> = (0..3)
            .map(|_| thread::spawn(|| DOMAIN.synchronize()))
            .collect();
        let mut ages: Vec<_> = (0..4).map(|_| reports.recv().unwrap().age).collect();
        // Each is told by a thread that leads no more: a later one may overtake it.
        ages.sort();
        assert!(ages[0] >= Duration::from_millis(20));
        // Those who wait together report together.
        assert!(ages.windows(2).all(|two| two[1] >= two[0] * 2), "{ages:?}");
        drop(guard);
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
        while reports.try_recv().is_ok() {}
    }
    assert_eq!(
        DOMAIN.stats().stalls,
        2,
        "once each, however often reported"
    );
}

#[test]
#[ignore = "a child process"]
fn child_with_a_worker() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    let guard = DOMAIN.read_lock();
    DOMAIN.call(|| ());
    assert_eq!(reports.recv().unwrap().open, 1);
    drop(guard);
    DOMAIN.barrier();
    let guard = urcu::read_lock();
    let _cookie = urcu::global().start_poll();
    // Of the other one there are as many as the guard above has outlasted.
    let global = || reports.recv().unwrap().domain == "RCU domain \"global\"";
    while !global() {}
    drop(guard);
}

#[test]
#[ignore = "a child process"]
fn child_with_a_bad_hook() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    stall::set_timeout(Duration::from_millis(10));
    stall::set_hook(|report| {
        drop(DOMAIN.read_lock());
        DOMAIN.call(|| ());
        assert_eq!(DOMAIN.stats().stalls, 1);
        stall::set_hook(|_| {
            CALLED.fetch_add(1, Ordering::SeqCst);
            std::panic::resume_unwind(Box::new("again"));
        });
        CALLED.fetch_add(1, Ordering::SeqCst);
        std::panic::resume_unwind(Box::new(report.to_string()));
    });
    let guard = DOMAIN.read_lock();
    let over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&over);
    let waiter = thread::spawn(move || {
        DOMAIN.synchronize();
        flag.store(true, Ordering::SeqCst);
    });
    while CALLED.load(Ordering::SeqCst) < 3 {
        assert!(!over.load(Ordering::SeqCst), "a panic ended a grace period");
        thread::sleep(Duration::from_millis(1));
    }
    drop(guard);
    waiter.join().unwrap();
    DOMAIN.barrier();
}

#[test]
#[ignore = "a child process"]
fn child_with_sites_in_order() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    // In the table, which is looked through from its beginning, they lie in another order: threads
    // begin at places of their own.
    let line = line!() + 1;
    let open: [fn() -> ReadGuard<'static>; 6] = [
        || DOMAIN.read_lock(),
        || DOMAIN.read_lock(),
        || DOMAIN.read_lock(),
        || DOMAIN.read_lock(),
        || DOMAIN.read_lock(),
        || DOMAIN.read_lock(),
    ];
    for backwards in [false, true] {
        let opened = (0..6).map(|number| {
            let open = open[number];
            let other = move || {
                thread::sleep(Duration::from_millis(1));
                open()
            };
            // This thread's come last in the table, or first.
            if (number < 3) == backwards {
                thread::spawn(other).join().unwrap()
            } else {
                other()
            }
        });
        let guards: Vec<_> = opened.collect();
        let waiter = thread::spawn(|| DOMAIN.synchronize());
        let report = reports.recv().unwrap();
        if TRACED {
            let lines: Vec<_> = report.sites.iter().map(|site| site.place.line()).collect();
            assert_eq!(
                lines,
                (1..=6).map(|n| line + n).collect::<Vec<_>>(),
                "{report}"
            );
            let ages = report.sites.windows(2);
            assert!(
                ages.into_iter().all(|two| two[0].age > two[1].age),
                "{report}"
            );
        }
        drop(guards);
        waiter.join().unwrap();
        while reports.try_recv().is_ok() {}
    }
}

/// A way to wait, with a name.
type Wait = (&'static str, fn(&'static Domain));

/// Whatever waits for a grace period of a domain.
fn waits() -> [Wait; 7] {
    [
        ("synchronize", Domain::synchronize),
        ("a cookie", |domain| domain.start_poll().wait()),
        ("a cookie with a limit", |domain| {
            assert!(domain.start_poll().wait_timeout(Duration::from_secs(60)));
        }),
        ("polling", |domain| {
            let grace_period = domain.start_poll();
            while !domain.poll(&grace_period) {
                thread::sleep(Duration::from_millis(1));
            }
        }),
        ("a future", |domain| block_on(domain.synchronize_async())),
        ("a barrier", |domain| {
            domain.call(|| ());
            domain.barrier();
        }),
        ("a cell", |domain| {
            assert_eq!(urcu::Rcu::new_in(1, domain).replace(2), 1);
        }),
    ]
}

/// The hook waits for the very grace period that it is told of, whoever calls it.
#[test]
#[ignore = "a child process"]
fn child_whose_hook_waits() {
    stall::set_timeout(Duration::from_millis(10));
    // Who waits, and so is called: a caller by each means, or a background thread.
    let mut callers = waits().to_vec();
    callers.push(("the background thread", |domain| domain.call(|| ())));
    for (name, call) in callers {
        for (inner, wait) in waits() {
            println!("{name}, whose hook waits by {inner}");
            let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
            let calls = Arc::new(AtomicUsize::new(0));
            let (called, hook_called) = mpsc::channel();
            let (ended, hook_ended) = mpsc::channel();
            let count = Arc::clone(&calls);
            stall::set_hook(move |report| {
                // One hook for each: others may be told of the same meanwhile.
                if report.domain.contains(&format!("{domain}")[..])
                    && count.fetch_add(1, Ordering::SeqCst) == 0
                {
                    called.send(()).unwrap();
                    wait(domain);
                    ended.send(()).unwrap();
                }
            });
            let guard = domain.read_lock();
            let caller = thread::spawn(move || call(domain));
            hook_called.recv().unwrap();
            // It waits as anybody else would.
            assert!(hook_ended.recv_timeout(Duration::from_millis(20)).is_err());
            drop(guard);
            hook_ended.recv().unwrap();
            caller.join().unwrap();
            domain.barrier();
        }
    }
}

#[test]
#[ignore = "a child process"]
fn child_whose_hook_drops() {
    static DROPPED: Mutex<Option<Domain>> = Mutex::new(None);
    stall::set_timeout(Duration::from_millis(10));
    let own = || Domain::new().run_by(urcu::Runner::OwnThread);
    let caller = || Domain::new().run_by(urcu::Runner::Caller);
    // By the background thread, by one of its own, by who polls, by who waits.
    type Case = (fn() -> Domain, fn(urcu::GracePeriod));
    let cases: [Case; 4] = [
        (Domain::new, drop),
        (own, drop),
        (caller, |grace_period| {
            while !grace_period.is_over() {
                thread::sleep(Duration::from_millis(1));
            }
        }),
        (caller, |grace_period| grace_period.wait()),
    ];
    for (make, wait) in cases {
        let (dropped, is_dropped) = mpsc::channel();
        stall::set_hook(move |_| {
            let domain = DROPPED.lock().unwrap().take();
            if domain.is_some() {
                drop(domain);
                dropped.send(()).unwrap();
            }
        });
        // Without callbacks it goes although a section of it is open.
        let domain = make();
        std::mem::forget(domain.read_lock());
        let grace_period = domain.start_poll();
        *DROPPED.lock().unwrap() = Some(domain);
        wait(grace_period);
        is_dropped.recv().unwrap();
    }
    stall::remove_hook();
    urcu::synchronize();
}

#[test]
#[ignore = "a child process"]
fn child_whose_hook_never_returns() {
    stall::set_timeout(Duration::from_millis(10));
    for by_worker in [false, true] {
        let domain: &'static Domain = Box::leak(Box::new(Domain::new()));
        let (called, hook_called) = mpsc::channel();
        let stuck = AtomicBool::new(false);
        stall::set_hook(move |_| {
            if !stuck.swap(true, Ordering::SeqCst) {
                called.send(()).unwrap();
                loop {
                    thread::park();
                }
            }
        });
        let guard = domain.read_lock();
        let (returned, returns) = mpsc::channel();
        if by_worker {
            domain.call(|| ());
            hook_called.recv().unwrap();
            drop(guard);
            let theirs = returned.clone();
            domain.call(move || theirs.send(()).unwrap());
            returns.recv().unwrap();
            continue;
        }
        // Whoever leads is called, and the others wait for it, or for the next.
        for _ in 0..3 {
            let returned = returned.clone();
            thread::spawn(move || {
                domain.synchronize();
                returned.send(()).unwrap();
            });
        }
        hook_called.recv().unwrap();
        drop(guard);
        (0..2).for_each(|_| returns.recv().unwrap());
        domain.synchronize();
    }
}

#[test]
#[ignore = "a child process"]
fn child_without_a_timeout() {
    stall::set_timeout(Duration::MAX);
    assert_eq!(stall::timeout(), Duration::MAX);
    let reports = reports();
    let guard = DOMAIN.read_lock();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    DOMAIN.call(|| ());
    assert!(reports.recv_timeout(Duration::from_millis(200)).is_err());
    drop(guard);
    waiter.join().unwrap();
    DOMAIN.barrier();
    assert_eq!(DOMAIN.stats().stalls, 0);
}

#[test]
#[ignore = "a child process"]
fn child_with_a_forgotten_guard() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    let line = line!() + 1;
    std::mem::forget(DOMAIN.read_lock());
    let cookie = DOMAIN.start_poll();
    for _ in 0..3 {
        let report = reports.recv().unwrap();
        assert_eq!(report.open, 1);
        assert!(!TRACED || report.sites[0].place.line() == line, "{report}");
    }
    assert!(!cookie.is_over());
    // Others are not concerned.
    urcu::synchronize();
}

#[test]
#[ignore = "a child process"]
fn child_that_waits_for_itself() {
    if !TRACED {
        return;
    }
    let file = |place: &std::panic::Location<'_>| place.file().ends_with("stalls.rs");
    let waits: [(fn(), u32); 4] = [
        (|| DOMAIN.synchronize(), line!()),
        (|| DOMAIN.start_poll().wait(), line!()),
        (
            || {
                DOMAIN.call(|| ());
                DOMAIN.barrier()
            },
            line!() - 2,
        ),
        (
            || assert_eq!(urcu::Rcu::new_in(1, &DOMAIN).replace(2), 1),
            line!() - 1,
        ),
    ];
    for (wait, wait_line) in waits {
        for follows in [false, true] {
            stall::set_timeout(Duration::from_millis(50));
            let reports = reports();
            let (guard, moved) = mpsc::channel::<ReadGuard<'static>>();
            // While another leads, or alone: it leads.
            let (ready, go) = mpsc::channel::<()>();
            let other = thread::spawn(move || {
                if follows {
                    go.recv().unwrap();
                    DOMAIN.synchronize();
                }
            });
            let line = line!() + 2;
            let waiter = thread::spawn(move || {
                guard.send(DOMAIN.read_lock()).unwrap();
                if follows {
                    ready.send(()).unwrap();
                    thread::sleep(Duration::from_millis(20));
                }
                wait();
            });
            // Not used here, so for all that is known it is in that thread.
            let guard = moved.recv().unwrap();
            let suspicion = |report: &Report| report.deadlock.is_some();
            let report = reports.iter().find(suspicion).expect("a report");
            let deadlock = report.deadlock.clone().unwrap();
            let (section, wait) = (deadlock.section.place, deadlock.wait);
            assert!(file(section) && file(wait), "{report}");
            assert_eq!((section.line(), wait.line()), (line, wait_line), "{report}");
            let text = report.to_string();
            for part in [
                "RCU domain \"stalled\"",
                &section.to_string(),
                &wait.to_string(),
            ] {
                assert!(text.contains(part), "{text}: not {part}");
            }
            // Once, and it goes on.
            thread::sleep(Duration::from_millis(200));
            assert!(!waiter.is_finished());
            drop(guard);
            waiter.join().unwrap();
            other.join().unwrap();
            assert!(!reports.try_iter().any(|report| suspicion(&report)));
            DOMAIN.barrier();
        }
    }
    // Of another domain: none of this one's business. And never where nothing is to be reported.
    let reports = reports();
    let guard = urcu::read_lock();
    DOMAIN.synchronize();
    stall::set_timeout(Duration::MAX);
    let waiter = thread::spawn(|| {
        let guard = DOMAIN.read_lock();
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            drop(guard);
        });
        DOMAIN.synchronize();
        holder.join().unwrap();
    });
    waiter.join().unwrap();
    drop(guard);
    assert!(reports.try_recv().is_err());
}

#[test]
#[ignore = "a child process"]
fn child_whose_leaders_report() {
    stall::set_timeout(Duration::from_micros(100));
    // Some that panic, some that wait themselves.
    static TURN: AtomicUsize = AtomicUsize::new(0);
    stall::set_hook(|_| match TURN.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => std::panic::resume_unwind(Box::new(())),
        1 => DOMAIN.synchronize(),
        _ => {}
    });
    let end = Instant::now() + crate::support::length(500).max(Duration::from_millis(500));
    thread::scope(|scope| {
        for number in 0..5 {
            scope.spawn(move || {
                while Instant::now() < end {
                    match number {
                        0 | 1 => {
                            let guard = DOMAIN.read_lock();
                            thread::sleep(Duration::from_micros(500));
                            drop(guard);
                        }
                        2 => {
                            let grace_period = DOMAIN.start_poll();
                            while !grace_period.is_over() {}
                        }
                        _ => DOMAIN.synchronize(),
                    }
                }
            });
        }
    });
    // Led or followed: nobody sleeps on.
    assert_ne!(TURN.load(Ordering::Relaxed), 0);
    DOMAIN.synchronize();
}

#[test]
#[ignore = "a child process"]
fn child_with_a_resting_guard() {
    stall::set_timeout(Duration::from_millis(20));
    stall::set_hook(|_| ());
    static CELL: urcu::RcuOption<String> = urcu::RcuOption::empty();
    CELL.store(Some("a".into()));
    // Begun here, and read there: a correct program, of which little is seen here.
    let value = CELL.read().unwrap();
    let reader = thread::spawn(move || {
        for _ in 0..20 {
            assert_eq!(&*value, "a");
            thread::sleep(Duration::from_millis(10));
        }
    });
    assert_eq!(CELL.replace(Some("b".into())).unwrap(), "a");
    reader.join().unwrap();
}

#[test]
#[ignore = "a child process"]
fn child_that_is_suspected_soon() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    thread::spawn(|| {
        let _guard = DOMAIN.read_lock();
        DOMAIN.synchronize();
    });
    // Of the stall at once, and again at twice its age.
    let suspected = (0..2).any(|_| reports.recv().unwrap().deadlock.is_some());
    assert_eq!(suspected, TRACED);
}

#[test]
#[ignore = "a child process"]
fn child_with_moving_guards() {
    stall::set_timeout(Duration::from_millis(50));
    let reports = reports();
    static CELL: std::sync::OnceLock<urcu::Rcu<u64, &'static Domain>> = std::sync::OnceLock::new();
    let cell = CELL.get_or_init(|| urcu::Rcu::new_in(1, &DOMAIN));
    for _ in 0..3 {
        let guard: ReadGuard<'static> = DOMAIN.read_lock();
        let (used, is_used) = mpsc::channel();
        let holder = thread::spawn(move || {
            assert_eq!(*cell.load(&guard), 1);
            used.send(()).unwrap();
            thread::sleep(Duration::from_millis(300));
            drop(guard);
        });
        is_used.recv().unwrap();
        // This thread began the section, but another has it.
        DOMAIN.synchronize();
        holder.join().unwrap();
    }
    assert!(reports.try_iter().all(|report| report.deadlock.is_none()));
}

#[test]
#[ignore = "a child process"]
fn child_with_one_domain_after_another() {
    stall::set_timeout(Duration::from_millis(50));
    let reports = reports();
    // Without work to do it goes although a section of it is open.
    let gone = Domain::new();
    std::mem::forget(gone.read_lock());
    drop(gone);
    // Likely to be where that one was.
    let domain = Domain::new();
    thread::scope(|scope| {
        let (inside, is_inside) = mpsc::channel();
        let domain = &domain;
        scope.spawn(move || {
            let guard = domain.read_lock();
            inside.send(()).unwrap();
            thread::sleep(Duration::from_millis(300));
            drop(guard);
        });
        is_inside.recv().unwrap();
        domain.synchronize();
    });
    let report = reports.recv().unwrap();
    assert_eq!(
        (report.open, report.sites.len()),
        (1, usize::from(TRACED)),
        "{report}"
    );
}

#[test]
#[ignore = "a child process"]
fn child_that_replaces_hooks() {
    stall::set_timeout(Duration::from_micros(50));
    let alive = Arc::new(Mutex::new(0u64));
    let end = Instant::now() + crate::support::length(400);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while Instant::now() < end {
                    let held = Arc::clone(&alive);
                    stall::set_hook(move |_| *held.lock().unwrap() += 1);
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < end {
                let guard = DOMAIN.read_lock();
                thread::sleep(Duration::from_micros(300));
                drop(guard);
            }
        });
        while Instant::now() < end {
            DOMAIN.synchronize();
        }
    });
    // On a slow machine no section may have met a grace period for so long.
    let held = Arc::clone(&alive);
    stall::set_hook(move |_| *held.lock().unwrap() += 1);
    while *alive.lock().unwrap() == 0 {
        let guard = DOMAIN.read_lock();
        thread::scope(|scope| {
            scope.spawn(|| DOMAIN.synchronize());
            thread::sleep(Duration::from_millis(50));
            drop(guard);
        });
    }
    stall::remove_hook();
    assert!(*alive.lock().unwrap() > 0);
    assert_eq!(Arc::strong_count(&alive), 1, "replaced hooks are dropped");
}

/// Where the default hook's line goes.
const LINE: &str = "grace period 1 of RCU domain \"stalled\" has waited ";

#[cfg(not(any(feature = "log", feature = "tracing")))]
#[test]
fn without_a_hook_a_line_is_written_on_standard_error() {
    let mut command = child("stalls::child_without_a_hook");
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(&format!("urcu: {LINE}")), "{output}");
}

#[cfg(not(any(feature = "log", feature = "tracing")))]
#[test]
fn without_standard_error_nothing_happens() {
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "exec 2>&-; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "stalls::child_without_a_hook",
            "--include-ignored",
        ]);
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{output}");
}

fn stall_once() {
    stall::set_timeout(Duration::from_millis(20));
    let guard = DOMAIN.read_lock();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    while DOMAIN.stats().stalls == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(10));
    drop(guard);
    waiter.join().unwrap();
}

#[test]
#[ignore = "a child process of the tests above"]
fn child_without_a_hook() {
    stall_once();
}

#[cfg(all(feature = "log", not(feature = "tracing")))]
mod with_log {
    use super::*;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Collect;

    impl log::Log for Collect {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            let line = format!("{} {} {}", record.level(), record.target(), record.args());
            LINES.lock().unwrap().push(line);
        }
        fn flush(&self) {}
    }

    #[test]
    fn a_report_goes_to_the_log() {
        assert_child_passes("stalls::with_log::child_with_a_logger");
    }

    #[test]
    #[ignore = "a child process"]
    fn child_with_a_logger() {
        log::set_logger(&Collect).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
        stall_once();
        let lines = LINES.lock().unwrap();
        assert!(
            lines[0].starts_with(&format!("WARN urcu {LINE}")),
            "{lines:?}"
        );
    }
}

#[cfg(feature = "tracing")]
mod with_tracing {
    use super::*;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Collect;

    impl Visit for Collect {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            LINES.lock().unwrap().push(format!("{field} {value:?}"));
        }
    }

    impl Subscriber for Collect {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            assert_eq!(event.metadata().target(), "urcu");
            assert_eq!(*event.metadata().level(), tracing::Level::WARN);
            event.record(&mut Collect);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_report_is_an_event() {
        assert_child_passes("stalls::with_tracing::child_with_a_subscriber");
    }

    #[test]
    #[ignore = "a child process"]
    fn child_with_a_subscriber() {
        tracing::subscriber::set_global_default(Collect).unwrap();
        stall_once();
        let lines = LINES.lock().unwrap();
        assert!(
            lines[0].starts_with(&format!("message {LINE}")),
            "{lines:?}"
        );
    }
}
