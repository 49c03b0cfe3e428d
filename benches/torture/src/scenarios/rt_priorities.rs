//! Inverted priorities: readers of idle priority, which real-time threads preempt inside sections, and an
//! updater of idle priority beside real-time readers.
//!
//! On a busy machine such threads may not run for a long time, while they have a section open or lead a
//! grace period. That is no fault of the library, so now and then, and at the end, they get an ordinary
//! priority for a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use urcu::Domain;
use urcu_host::affinity;
use urcu_host::schedule;
use urcu_host::threads;

use crate::readers;
use crate::run::{Run, Thread};
use crate::scenario::{Need, Scenario};
use crate::updaters::{self, WAYS, Way};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "rt-priorities",
    "idle-priority readers that real-time threads preempt inside sections",
    run,
)
.needs(&[Need::Root]);

fn run(run: &'static Run) -> Result<(), String> {
    let tried = std::thread::spawn(|| schedule::schedule(0, libc::SCHED_FIFO, 1)).join();
    if let Ok(Err(error)) = tried {
        return Err(format!("cannot give a thread real-time priority: {error}"));
    }
    let places = run.places(run.domain(Domain::named("priorities")), 2);
    let starved = Arc::new(Mutex::new(Vec::new()));
    for cpu in affinity::cpus() {
        let (idle, list) = (places.clone(), Arc::clone(&starved));
        run.spawn("idle-reader", move |thread| {
            affinity::run_on(&[cpu]);
            starve(thread, &list);
            readers::forever(thread, &idle);
        });
        let places = places.clone();
        run.spawn("real-time", move |thread| {
            affinity::run_on(&[cpu]);
            if let Err(error) = schedule::schedule(0, libc::SCHED_FIFO, 1) {
                let what = format!("cannot get real-time priority: {error}");
                thread.run.fault(&thread.name, what);
            }
            while !thread.over() {
                // It reads without a pause, and then leaves the CPU to the others.
                let end = Instant::now() + Duration::from_micros(200 + thread.random.skewed(14));
                while Instant::now() < end {
                    let place = *thread.random.pick(&places);
                    readers::quick(thread, place, 256);
                }
                std::thread::sleep(Duration::from_micros(200 + thread.random.skewed(12)));
            }
        });
    }
    updaters::start(run, 1, &places, &WAYS, Some(6));
    let list = Arc::clone(&starved);
    run.spawn("idle-updater", move |thread| {
        starve(thread, &list);
        updaters::forever(thread, &places, &[Way::Synchronize], Some(6));
    });
    // This thread keeps an ordinary priority.
    while !run.over() {
        run.sleep(FAMINE);
        feed(&starved, libc::SCHED_OTHER);
        // Until a grace period has ended, even on a busy machine.
        let updates = run.counts().updates;
        loop {
            std::thread::sleep(MEAL);
            if run.over() || run.counts().updates != updates {
                break;
            }
        }
        if !run.over() {
            feed(&starved, libc::SCHED_IDLE);
        }
    }
    // Until all have ended: each thread holds a share of the list until its end.
    while Arc::strong_count(&starved) > 1 {
        feed(&starved, libc::SCHED_OTHER);
        std::thread::sleep(MEAL);
    }
    Ok(())
}

/// The time for which threads are starved.
const FAMINE: Duration = Duration::from_secs(1);
/// The time for which they then have an ordinary priority.
const MEAL: Duration = Duration::from_millis(20);

/// Gives the calling thread idle priority, so that it runs only when no other thread wants to.
fn starve(thread: &Thread, list: &Mutex<Vec<libc::pid_t>>) {
    // Listed before it is starved: otherwise it could be starved with the lock, for which `feed` waits.
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.push(threads::gettid());
    drop(list);
    if let Err(error) = schedule::schedule(0, libc::SCHED_IDLE, 0) {
        let what = format!("cannot get idle priority: {error}");
        thread.run.fault(&thread.name, what);
    }
}

fn feed(starved: &Mutex<Vec<libc::pid_t>>, policy: libc::c_int) {
    let starved = starved.lock().unwrap_or_else(PoisonError::into_inner);
    for thread in starved.iter() {
        // The thread may have ended.
        let _ = schedule::schedule(*thread, policy, 0);
    }
}
