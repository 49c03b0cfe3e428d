//! Reports of grace periods that take long, and panics of threads that wait for themselves. The
//! hook and the timeout are the process's, so each test here is a process of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use urcu::stall::{self, Report};
use urcu::{Domain, ReadGuard};

use crate::support::{assert_child_passes, deadline};
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
    a_hook_that_waits_for_its_own_leader_panics: child_whose_hook_waits,
    without_a_timeout_there_is_no_report: child_without_a_timeout,
    a_forgotten_guard_is_reported: child_with_a_forgotten_guard,
    a_thread_that_waits_for_itself_panics: child_that_waits_for_itself,
    whoever_leads_after_a_panic_goes_on: child_whose_leader_panics,
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
    let _deadline = deadline("child_with_a_report");
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
    let _deadline = deadline("child_with_doubling");
    stall::set_timeout(Duration::from_millis(20));
    let reports = reports();
    for _ in 0..2 {
        let guard = DOMAIN.read_lock();
        let waiters: Vec<_> = (0..3)
            .map(|_| thread::spawn(|| DOMAIN.synchronize()))
            .collect();
        let ages: Vec<_> = (0..4).map(|_| reports.recv().unwrap().age).collect();
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
    let _deadline = deadline("child_with_a_worker");
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
    let _deadline = deadline("child_with_a_bad_hook");
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
fn child_whose_hook_waits() {
    let _deadline = deadline("child_whose_hook_waits");
    static OTHER: Domain = Domain::named("other");
    static DROPPED: Mutex<Option<Domain>> = Mutex::new(None);
    stall::set_timeout(Duration::from_millis(10));
    let (sender, messages) = mpsc::channel();
    stall::set_hook(move |report| {
        let waits: [fn(); 4] = [
            || DOMAIN.synchronize(),
            || DOMAIN.start_poll().wait(),
            || DOMAIN.barrier(),
            || drop(DROPPED.lock().unwrap().take()),
        ];
        if report.domain.contains("other") {
            // Called by the hook for the first domain, which is waiting for this one.
            let _ = sender.send(panic_of(|| DOMAIN.synchronize()));
        } else if report.domain.contains("stalled") {
            waits[..3]
                .iter()
                .for_each(|wait| sender.send(panic_of(wait)).unwrap());
            OTHER.synchronize();
        } else {
            let _ = sender.send(panic_of(waits[3]));
        }
    });
    DOMAIN.call(|| ());
    let guards = (DOMAIN.read_lock(), OTHER.read_lock());
    let waiter = thread::spawn(|| DOMAIN.synchronize());
    for _ in 0..4 {
        let message = messages.recv().unwrap();
        assert!(message.contains("RCU domain \"stalled\""), "{message}");
        assert!(message.contains("on another thread"), "{message}");
    }
    drop(guards);
    waiter.join().unwrap();
    DOMAIN.barrier();
    // A domain that the worker looks after alone.
    let domain = Domain::new();
    std::mem::forget(domain.read_lock());
    domain.call(|| ());
    *DROPPED.lock().unwrap() = Some(domain);
    let message = messages.recv().unwrap();
    assert!(message.contains("drops it"), "{message}");
}

#[test]
#[ignore = "a child process"]
fn child_without_a_timeout() {
    let _deadline = deadline("child_without_a_timeout");
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
    let _deadline = deadline("child_with_a_forgotten_guard");
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

/// The message of a panic that `f` must end with.
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    *payload.downcast::<String>().expect("a message")
}

#[test]
#[ignore = "a child process"]
fn child_that_waits_for_itself() {
    let _deadline = deadline("child_that_waits_for_itself");
    if !TRACED {
        return;
    }
    // The usual time is some seconds.
    stall::set_timeout(Duration::from_millis(100));
    stall::set_hook(|_| ());
    let assert_says = |message: String, line: u32| {
        let place = format!("{}:{line}:", file!());
        assert!(message.contains(&place), "{message}: not {place}");
        assert!(message.contains("RCU domain \"stalled\""), "{message}");
        assert!(message.contains("inside a read-side section"), "{message}");
    };
    let waits: [fn(); 4] = [
        || DOMAIN.synchronize(),
        || DOMAIN.start_poll().wait(),
        || {
            DOMAIN.call(|| ());
            DOMAIN.barrier();
        },
        || assert_eq!(urcu::Rcu::new_in(1, &DOMAIN).replace(2), 1),
    ];
    for wait in waits {
        // Alone: it leads.
        let line = line!() + 1;
        let guard = DOMAIN.read_lock();
        assert_says(panic_of(wait), line);
        drop(guard);
        DOMAIN.barrier();
        // While another leads: it follows.
        let (ready, go) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            go.recv().unwrap();
            DOMAIN.synchronize();
        });
        let line = line!() + 1;
        let guard = DOMAIN.read_lock();
        ready.send(()).unwrap();
        thread::sleep(Duration::from_millis(20));
        assert_says(panic_of(wait), line);
        drop(guard);
        other.join().unwrap();
        DOMAIN.barrier();
    }
    // Of another domain: none of this one's business.
    let guard = urcu::read_lock();
    DOMAIN.synchronize();
    drop(guard);
}

#[test]
#[ignore = "a child process"]
fn child_whose_leader_panics() {
    let _deadline = deadline("child_whose_leader_panics");
    if !TRACED {
        return;
    }
    stall::set_timeout(Duration::from_millis(50));
    stall::set_hook(|_| ());
    let end = Instant::now() + crate::support::length(500).max(Duration::from_millis(500));
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || {
                while Instant::now() < end {
                    if number < 2 {
                        let guard = DOMAIN.read_lock();
                        // Led or followed; the others must not sleep on.
                        let hook = || DOMAIN.synchronize();
                        let _ = catch_unwind(AssertUnwindSafe(hook));
                        drop(guard);
                    } else {
                        DOMAIN.synchronize();
                    }
                }
            });
        }
    });
    DOMAIN.synchronize();
}

#[test]
#[ignore = "a child process"]
fn child_with_moving_guards() {
    let _deadline = deadline("child_with_moving_guards");
    stall::set_timeout(Duration::from_millis(50));
    stall::set_hook(|_| ());
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
}

#[test]
#[ignore = "a child process"]
fn child_with_one_domain_after_another() {
    let _deadline = deadline("child_with_one_domain_after_another");
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
    let _deadline = deadline("child_that_replaces_hooks");
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
    let _deadline = deadline("child_without_a_hook");
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
        let _deadline = deadline("child_with_a_logger");
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
        let _deadline = deadline("child_with_a_subscriber");
        tracing::subscriber::set_global_default(Collect).unwrap();
        stall_once();
        let lines = LINES.lock().unwrap();
        assert!(
            lines[0].starts_with(&format!("message {LINE}")),
            "{lines:?}"
        );
    }
}
