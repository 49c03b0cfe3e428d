//! Priorities upside down: readers that run only when nothing else does, and are preempted inside
//! their sections by real-time threads; an updater of the least priority beside real-time readers.

use std::time::{Duration, Instant};

use urcu::Domain;

use crate::torture::engine::{Run, Thread};
use crate::torture::updaters::{self, WAYS, Way};
use crate::torture::{Need, Scenario, readers, system};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "rt-priorities",
    "idle-priority readers that real-time threads preempt inside sections",
    run,
)
.needs(&[Need::Root]);

fn run(run: &'static Run) -> Result<(), String> {
    let tried = std::thread::spawn(|| system::schedule(libc::SCHED_FIFO, 1)).join();
    if let Ok(Err(error)) = tried {
        return Err(format!("no real-time priority for a thread: {error}"));
    }
    let places = run.places(run.domain(Domain::named("priorities")), 2);
    let cpus = system::cpus();
    for cpu in cpus.iter().copied() {
        let idle = places.clone();
        run.spawn("idle-reader", move |thread| {
            system::run_on(0, &[cpu]);
            scheduled(thread, libc::SCHED_IDLE, 0);
            readers::forever(thread, &idle);
        });
        let places = places.clone();
        run.spawn("real-time", move |thread| {
            system::run_on(0, &[cpu]);
            scheduled(thread, libc::SCHED_FIFO, 10);
            while !thread.over() {
                // Reads all the time, and then leaves the CPU to the others.
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
    run.spawn("idle-updater", move |thread| {
        scheduled(thread, libc::SCHED_IDLE, 0);
        updaters::forever(thread, &places, &[Way::Synchronize], Some(6));
    });
    Ok(())
}

fn scheduled(thread: &Thread, policy: libc::c_int, priority: libc::c_int) {
    if let Err(error) = system::schedule(policy, priority) {
        thread
            .run
            .fault(&thread.name, format!("no priority: {error}"));
    }
}
