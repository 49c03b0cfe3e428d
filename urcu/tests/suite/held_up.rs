//! Threads that are held up because a domain is over its budget: in every build, reported at once,
//! and released by another budget. Hook and environment are the process's, so each test here is a
//! process of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use urcu::stall::{self, Report};
use urcu::{Budget, Domain, Runner};

use crate::support::fork::{assert_child, assert_ends_well, child_does, fork, use_everything};
use crate::support::{child, in_a_process_of_its_own, run};

const TIGHT: Budget = Budget::new(100, 1 << 20).patience(Duration::from_micros(200));

static DOMAIN: Domain = Domain::named("tight").with_budget(TIGHT);

/// True if sections are traced in this build.
const TRACED: bool = cfg!(any(debug_assertions, feature = "stall-trace"));

in_a_process_of_its_own! {
    the_first_wait_is_reported_at_once: child_with_a_report,
    another_threads_section_is_reported_as_such: child_beside_a_reader,
    a_section_that_began_later_is_not_blamed: child_with_a_section_of_each_callback,
    a_hook_that_is_told_of_a_budget_may_do_anything: child_with_a_busy_hook,
    a_hook_that_is_told_of_a_budget_may_fork: child_whose_hook_forks,
    another_budget_releases_those_who_wait: child_that_changes_its_budget,
    the_global_domains_budget_can_be_chosen: child_with_another_global_budget,
    a_forked_child_inherits_a_budget: child_that_forks_with_a_budget,
}

/// Retires one value more, under whatever section is open, until one had to wait.
fn until_held_up(domain: &Domain) {
    let before = domain.stats().callbacks_held_up;
    while domain.stats().callbacks_held_up == before {
        domain.defer_drop(1);
    }
}

#[test]
#[ignore = "a child process"]
fn child_with_a_report() {
    /// Nobody else waits for its grace periods: that would be reported too, while every wait is.
    static DOMAIN: Domain = Domain::named("tight")
        .with_budget(TIGHT)
        .run_by(Runner::Caller);
    assert_eq!(stall::timeout(), Duration::from_secs(10));
    let (sender, reports) = mpsc::channel::<(Report, u64, u64)>();
    stall::set_hook(move |report| {
        if report.over_budget.is_some() {
            let stats = DOMAIN.stats();
            let counts = (stats.callbacks_held_up, stats.callbacks_excess);
            sender.send((report.clone(), counts.0, counts.1)).unwrap();
        }
    });
    let line = line!() + 1;
    let guard = DOMAIN.read_lock();
    until_held_up(&DOMAIN);
    let (report, held_up, excess) = reports.try_recv().expect("a report of the first wait");
    assert_eq!((held_up, excess), (1, 0), "at once");
    assert_eq!(report.domain, "RCU domain \"tight\"");
    assert_eq!((report.grace_period, report.open), (1, 1));
    assert_eq!(report.by_cpu.iter().map(|(_, open)| open).sum::<i64>(), 1);
    let over = report.over_budget.as_ref().unwrap();
    assert_eq!(over.budget, TIGHT);
    assert!(over.pending >= 100 - 100 / 8, "{over:?}");
    assert!(over.pending_bytes >= over.pending, "{over:?}");
    let text = report.to_string();
    let start = format!(
        "RCU domain \"tight\" has used seven eighths of its budget or more: {} of 100 callbacks and {} \
         of 1048576 bytes wait for grace period 1; whoever retires a value is held up, for up to \
         200µs (`Domain::set_budget` changes the budget); 1 read-side section open",
        over.pending, over.pending_bytes
    );
    assert!(text.starts_with(&start), "{text}");
    if TRACED {
        let places = [report.sites[0].place, over.own_section.expect("its own")];
        for place in places {
            assert_eq!((place.file(), place.line()), (file!(), line));
        }
        assert!(
            text.contains("waits for a section of its own, which began at "),
            "{text}"
        );
    } else {
        assert!(report.sites.is_empty() && over.own_section.is_none());
        assert!(text.contains("`stall-trace`"), "{text}");
    }
    // Others are not, for as long as stalls are not.
    (0..20).for_each(|_| DOMAIN.defer_drop(1));
    let stats = DOMAIN.stats();
    assert_eq!((stats.callbacks_held_up, stats.callbacks_excess), (21, 21));
    assert!(stats.callbacks_pending_bytes >= 32 * 87, "{stats:?}");
    assert!(reports.try_recv().is_err(), "reported again");
    stall::set_timeout(Duration::ZERO);
    DOMAIN.defer_drop(1);
    assert_eq!(reports.try_recv().expect("another report").1, 22);
    // Another budget is another matter.
    stall::set_timeout(Duration::MAX);
    DOMAIN.defer_drop(1);
    assert!(reports.try_recv().is_err(), "reported again");
    DOMAIN.set_budget(Budget::new(50, 1 << 20).patience(Duration::ZERO));
    DOMAIN.defer_drop(1);
    let report = reports.try_recv().expect("of another budget").0;
    assert_eq!(report.over_budget.unwrap().budget.count, 50);
    drop(guard);
    DOMAIN.barrier();
    assert_eq!(DOMAIN.stats().stalls, 0, "no grace period has stalled");
    assert_eq!(DOMAIN.stats().callbacks_pending_bytes, 0);
}

#[test]
#[ignore = "a child process"]
fn child_beside_a_reader() {
    let (sender, reports) = mpsc::channel();
    stall::set_hook(move |report| sender.send(report.clone()).unwrap());
    let guard = thread::spawn(|| DOMAIN.read_lock()).join().unwrap();
    until_held_up(&DOMAIN);
    let report = reports.try_recv().expect("a report");
    assert_eq!(report.open, 1);
    assert!(report.over_budget.as_ref().unwrap().own_section.is_none());
    assert_eq!(report.sites.len(), usize::from(TRACED), "{report}");
    drop(guard);
}

#[test]
#[ignore = "a child process"]
fn child_with_a_section_of_each_callback() {
    stall::set_timeout(Duration::from_millis(10));
    let (sender, reports) = mpsc::channel();
    stall::set_hook(move |report| sender.send(report.clone()).unwrap());
    let (old, waiter) = {
        let old = thread::spawn(|| DOMAIN.read_lock()).join().unwrap();
        (old, thread::spawn(|| DOMAIN.synchronize()))
    };
    let stalled: Report = reports.recv().unwrap();
    assert!(stalled.over_budget.is_none(), "{stalled}");
    // As maps do: a section for each change, which retires the old value.
    while DOMAIN.stats().callbacks_held_up == 0 {
        let _own = DOMAIN.read_lock();
        DOMAIN.defer_drop(1);
    }
    let report = reports
        .iter()
        .find(|report| report.over_budget.is_some())
        .unwrap();
    assert!(report.over_budget.as_ref().unwrap().own_section.is_none());
    let text = report.to_string();
    assert!(!text.contains("of its own"), "{text}");
    assert_eq!(text.contains("; begun since then"), TRACED, "{text}");
    drop(old);
    waiter.join().unwrap();
}

#[test]
#[ignore = "a child process"]
fn child_with_a_busy_hook() {
    static OTHER: Domain = Domain::named("other");
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    stall::set_timeout(Duration::ZERO);
    stall::set_hook(|report| {
        if report.over_budget.is_none() {
            return; // Of the worker's.
        }
        // More in the middle of one than this need not be told.
        stall::set_timeout(Duration::MAX);
        CALLED.fetch_add(1, Ordering::SeqCst);
        drop(DOMAIN.read_lock());
        DOMAIN.defer_drop(vec![1]);
        DOMAIN.call(|| ());
        let _ = DOMAIN.try_call(|| ());
        assert!(DOMAIN.stats().callbacks_held_up > 0);
        drop(DOMAIN.start_poll());
        DOMAIN.run_callbacks(10);
        DOMAIN.set_budget(DOMAIN.budget());
        use_everything(&OTHER);
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    let guard = DOMAIN.read_lock();
    for number in 1..=3 {
        stall::set_timeout(Duration::ZERO);
        until_held_up(&DOMAIN);
        assert!(CALLED.load(Ordering::SeqCst) >= number);
    }
    drop(guard);
    DOMAIN.barrier();
    assert_eq!(DOMAIN.stats().callbacks_pending, 0);
}

#[test]
#[ignore = "a child process"]
fn child_whose_hook_forks() {
    static CHILD: AtomicBool = AtomicBool::new(false);
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let (sender, processes) = mpsc::channel();
    stall::set_hook(move |report| {
        if report.over_budget.is_none() {
            return;
        }
        let process = fork();
        if process == 0 {
            crate::support::fork::limit_child();
            CHILD.store(true, Ordering::SeqCst);
            use_everything(&DOMAIN);
        } else {
            sender.send(process).unwrap();
        }
    });
    let guard = DOMAIN.read_lock();
    let mut queued = 0;
    let mut queue = || {
        DOMAIN.call(|| {
            RAN.fetch_add(1, Ordering::SeqCst);
        });
        queued += 1;
    };
    while DOMAIN.stats().callbacks_held_up == 0 && !CHILD.load(Ordering::SeqCst) {
        queue();
    }
    if CHILD.load(Ordering::SeqCst) {
        // Out of the very call in which it was forked: what that has queued is the child's.
        child_does(|| {
            DOMAIN.barrier();
            assert_eq!(RAN.load(Ordering::SeqCst), 1);
            use_everything(&DOMAIN);
        });
    }
    assert_ends_well(processes.recv().unwrap());
    drop(guard);
    DOMAIN.barrier();
    assert_eq!(RAN.load(Ordering::SeqCst), queued);
}

#[test]
#[ignore = "a child process"]
fn child_that_changes_its_budget() {
    let narrow = Budget::new(100, 1 << 20).patience(Duration::MAX);
    let domain = Domain::new().with_budget(narrow);
    assert_eq!(domain.budget().patience, Budget::PATIENCE_MAX);
    let guard = domain.read_lock();
    thread::scope(|scope| {
        let waits = scope.spawn(|| (0..2000).for_each(|_| domain.call(|| ())));
        while domain.stats().callbacks_held_up == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!waits.is_finished());
        domain.set_budget(Budget::new(1 << 20, 1 << 30));
        waits.join().unwrap();
    });
    assert_eq!(domain.stats().callbacks_excess, 0, "nobody lost patience");
    // A shorter patience counts for those who wait already, too.
    domain.set_budget(narrow);
    let held_up = domain.stats().callbacks_held_up;
    thread::scope(|scope| {
        let waits = scope.spawn(|| domain.call(|| ()));
        // A chunk may have room.
        while domain.stats().callbacks_held_up == held_up && !waits.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        domain.set_budget(narrow.patience(Duration::ZERO));
        waits.join().unwrap();
    });
    drop(guard);
    domain.barrier();
}

#[test]
#[ignore = "a child process"]
fn child_with_another_global_budget() {
    stall::set_hook(|_| ());
    let global = urcu::global();
    let guard = thread::spawn(urcu::read_lock).join().unwrap();
    assert_eq!(global.budget(), Budget::DEFAULT);
    (0..5000).for_each(|_| assert!(global.try_call(|| ()).is_ok()));
    global.set_budget(Budget::new(3000, 1 << 20).patience(Duration::ZERO));
    assert_eq!(global.budget().count, 3000);
    assert!(global.try_call(|| ()).is_err(), "of the budget before");
    let excess = global.stats().callbacks_excess;
    (0..500).for_each(|_| urcu::call(|| ()));
    assert!(global.stats().callbacks_excess > excess);
    global.set_budget(Budget::DEFAULT);
    assert!(global.try_call(|| ()).is_ok());
    drop(guard);
    urcu::barrier();
}

#[test]
#[ignore = "a child process"]
fn child_that_forks_with_a_budget() {
    let (global, chosen) = (urcu::global(), Budget::new(1234, 5678));
    global.set_budget(chosen);
    DOMAIN.set_budget(chosen);
    let in_force = move || {
        for domain in [global, &DOMAIN] {
            assert_eq!(domain.budget(), chosen);
            let _guard = thread::spawn(|| domain.read_lock()).join().unwrap();
            // More than find room, and those that no chunk of a CPU has counted.
            let most = 1234 + rseq_ops::percpu::possible_cpus() * 2 * 126;
            let taken = (0..=most).filter(|_| domain.try_call(|| ()).is_ok());
            assert!(taken.count() <= most, "the budget is not in force");
        }
    };
    assert_child(fork, move || {
        in_force();
        assert_child(fork, in_force);
    });
}

/// Prints what the tests below look for, in a child.
#[test]
#[ignore = "a child process"]
fn child_that_shows_its_budgets() {
    let own = Domain::new().with_budget(TIGHT);
    let later = Domain::new();
    later.set_budget(Budget::new(7, 8));
    assert_eq!((own.budget(), later.budget().count), (TIGHT, 7));
    for domain in [urcu::global(), &Domain::new(), &Domain::named("another")] {
        let Budget {
            count,
            bytes,
            patience,
            ..
        } = domain.budget();
        println!("<{count}, {bytes}, {patience:?}>");
    }
    // And it is in force.
    let domain = Domain::new();
    let _guard = domain.read_lock();
    let taken = (0..5000).filter(|_| domain.try_call(|| ()).is_ok());
    println!("{} taken", taken.count());
}

fn budgets_with(variable: Option<&str>) -> String {
    let mut command = child("held_up::child_that_shows_its_budgets");
    match variable {
        Some(text) => command.env("URCU_BUDGET", text),
        // Nor is another variable taken for it.
        None => command
            .env_remove("URCU_BUDGET")
            .env("URCU_BUDGET_OF_ANOTHER", "64:1000"),
    };
    let (code, output) = run(&mut command, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{output}");
    output
}

#[test]
fn the_environment_chooses_the_budget_of_domains_without_one() {
    let output = budgets_with(Some("64:1000:7"));
    assert_eq!(output.matches("<64, 1000, 7ms>").count(), 3, "{output}");
    assert!(!output.contains("5000 taken"), "{output}");
    assert!(!output.contains("URCU_BUDGET"), "{output}");
    let output = budgets_with(None);
    assert_eq!(
        output.matches("<1048576, 16777216, 10ms>").count(),
        3,
        "{output}"
    );
    assert!(output.contains("5000 taken"), "{output}");
    assert!(!output.contains("URCU_BUDGET"), "{output}");
}

#[test]
fn what_the_environment_says_wrongly_is_told_once() {
    let output = budgets_with(Some("16M"));
    assert_eq!(
        output.matches("<1048576, 16777216, 10ms>").count(),
        3,
        "{output}"
    );
    if cfg!(not(any(feature = "log", feature = "tracing"))) {
        let told = "urcu: URCU_BUDGET is not COUNT:BYTES or COUNT:BYTES:PATIENCE (milliseconds), in \
                    decimal digits: \"16M\"; 1048576 callbacks and 16777216 bytes are in force\n";
        assert_eq!(output.matches(told).count(), 1, "{output}");
        assert_eq!(output.matches("urcu: ").count(), 1, "{output}");
    }
}

#[test]
#[ignore = "a child process"]
fn child_without_a_hook() {
    let guard = Arc::new(DOMAIN.read_lock());
    until_held_up(&DOMAIN);
    until_held_up(&DOMAIN);
    drop(guard);
}

#[cfg(not(any(feature = "log", feature = "tracing")))]
#[test]
fn without_a_hook_a_line_on_standard_error_tells() {
    let (code, output) = run(
        &mut child("held_up::child_without_a_hook"),
        Duration::from_secs(60),
    );
    assert_eq!(code, Some(0), "{output}");
    let start = "urcu: RCU domain \"tight\" has used seven eighths of its budget or more: ";
    assert_eq!(output.matches(start).count(), 1, "{output}");
}
