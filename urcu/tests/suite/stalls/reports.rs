//! What reports say, and when there is one.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use urcu::stall;
use urcu::{Domain, ReadGuard};

use super::{DOMAIN, TRACED, reports};
use crate::support::in_a_process_of_its_own;

in_a_process_of_its_own! {
    a_report_says_what_is_waited_for: child_with_a_report,
    a_stalled_grace_period_is_reported_again_at_twice_its_age: child_with_doubling,
    grace_periods_that_nobody_waits_for_are_reported: child_with_a_worker,
    a_report_lists_sites_the_oldest_first: child_with_sites_in_order,
    sections_that_are_not_waited_for_are_told_apart: child_with_later_sections,
    a_report_of_many_sections_is_short: child_with_many_sections,
    without_a_timeout_there_is_no_report: child_without_a_timeout,
    a_forgotten_guard_is_reported: child_with_a_forgotten_guard,
    a_domain_inherits_no_sections: child_with_one_domain_after_another,
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
            // SAFETY: takes nothing.
            let tid = unsafe { libc::gettid() } as u32;
            assert_eq!((site.tid, site.name.is_some()), (Some(tid), true));
            assert!(text.contains(&format!(", tid {tid})")), "{text}");
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

#[test]
#[ignore = "a child process"]
fn child_with_later_sections() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    let old_line = line!() + 1;
    let guard = DOMAIN.read_lock();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    let first = reports.recv().unwrap().to_string();
    assert!(!first.contains("begun since then"), "{first}");
    let later_line = line!() + 1;
    let later = DOMAIN.read_lock();
    // It may have been made before that guard was.
    let text = loop {
        let report = reports.recv().unwrap();
        if report.sites.len() != 1 {
            break report.to_string();
        }
    };
    assert!(text.contains("for 1 open read-side section; "), "{text}");
    if TRACED {
        let file = file!();
        let since = format!("; begun since then, and mostly not waited for: {file}:{later_line}:");
        let (before, _) = text.split_once(&since).expect(&text);
        assert!(before.contains(&format!("; begun at {file}:{old_line}:")));
        assert!(!before.contains(&format!("{file}:{later_line}:")), "{text}");
    }
    drop((guard, later));
    waiter.join().unwrap();
}

#[test]
#[ignore = "a child process"]
fn child_with_many_sections() {
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    let guards: Vec<_> = (0..100).map(|_| DOMAIN.read_lock()).collect();
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    let report = reports.recv().unwrap();
    if TRACED {
        let text = report.to_string();
        // Fewer are noted where the table is full around a thread's own place.
        let more = format!(" and {} more", report.sites.len() - 8);
        assert!(report.sites.len() > 20 && text.ends_with(&more), "{text}");
        assert_eq!(text.matches(file!()).count(), 8, "{text}");
    }
    drop(guards);
    waiter.join().unwrap();
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
