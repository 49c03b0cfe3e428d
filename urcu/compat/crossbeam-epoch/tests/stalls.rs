//! Whoever stays pinned is named. (A program of its own: there is one hook for all domains.)

#[macro_use]
extern crate test_deadline;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crossbeam_epoch::{self as epoch, Collector};
use urcu::{Budget, stall};

/// True if reports say where guards were made.
const TRACED: bool = cfg!(any(debug_assertions, feature = "stall-trace"));

/// Has a thread of this name pinned, by `pin`, until the function that is returned is called.
fn pinned<G>(name: &str, pin: impl FnOnce() -> G + Send + 'static) -> impl FnOnce() {
    let (is_pinned, pinned) = mpsc::channel();
    let (unpin, unpinned) = mpsc::channel::<()>();
    let hold = move || {
        let guard = pin();
        is_pinned.send(()).unwrap();
        unpinned.recv().unwrap_err();
        drop(guard);
    };
    let thread = thread::Builder::new().name(name.to_string());
    let thread = thread.spawn(hold).unwrap();
    pinned.recv().unwrap();
    move || {
        drop(unpin);
        thread.join().unwrap();
    }
}

#[test]
fn the_thread_that_stays_pinned_is_named() {
    let (sender, reports) = mpsc::channel();
    stall::set_hook(move |report| drop(sender.send(report.clone())));
    stall::set_timeout(Duration::from_millis(20));

    // By a grace period that takes too long, which nobody waits for: the garbage is there.
    let line = line!() + 1;
    let unpin = pinned("idle-reader", || epoch::pin());
    epoch::pin().defer(|| ());
    let report = reports.recv().unwrap();
    let text = report.to_string();
    assert_eq!(report.domain, "RCU domain \"crossbeam-epoch\"");
    assert!(report.over_budget.is_none() && report.open == 1, "{text}");
    if TRACED {
        let site = &report.sites[0];
        assert_eq!(site.name.as_deref(), Some("idle-reader"), "{text}");
        assert_eq!(
            (site.place.file(), site.place.line()),
            (file!(), line),
            "{text}"
        );
        assert!(text.contains("idle-reader"), "{text}");
    } else {
        assert!(text.contains("stall-trace"), "{text}");
    }
    unpin();

    // By whoever defers more than there is room for.
    let collector = Collector::new();
    let budget = Budget::new(1000, 1 << 20).patience(Duration::ZERO);
    collector.domain().set_budget(budget);
    let theirs = collector.clone();
    let unpin = pinned("busy-reader", move || {
        // The guard outlives its handle.
        theirs.register().pin()
    });
    let handle = collector.register();
    let report = loop {
        handle.pin().defer(|| ());
        let report = reports.try_recv().ok();
        if let Some(report) = report.filter(|report| report.over_budget.is_some()) {
            break report;
        }
    };
    let text = report.to_string();
    assert_eq!(report.domain, "RCU domain \"crossbeam-epoch collector\"");
    assert!(text.contains("budget"), "{text}");
    if TRACED {
        let names: Vec<_> = report
            .sites
            .iter()
            .map(|site| site.name.as_deref())
            .collect();
        assert!(names.contains(&Some("busy-reader")), "{text}");
    }
    unpin();
    stall::remove_hook();
}
