//! A reader stalls while other threads retire as fast as they can. The waiting versions must stay within
//! the domain's budget, and must be reclaimed when the reader goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use urcu::{Budget, Domain};
use urcu_host::affinity;
use urcu_host::machine;
use urcu_host::patience::Patience;

use crate::breaks::Break;
use crate::readers;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::{self, Way};
use crate::versions::Place;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "stalled-reader",
    "a reader that stalls while memory stays bounded",
    run,
);

const BUDGET: u64 = 20_000;
/// An upper bound of the callbacks on one CPU that the budget does not count yet.
const UNCOUNTED: usize = 512;
/// The bytes by which the process may grow.
const GROWTH: u64 = 64 << 20;

fn run(run: &'static Run) -> Result<(), String> {
    let budget = if run.broken(Break::UnboundedMemory) {
        Budget::new(u64::MAX, usize::MAX)
    } else {
        Budget::new(BUDGET, 8 << 20).patience(Duration::from_millis(5))
    };
    let domain = run.domain(Domain::named("stalled").with_budget(budget));
    let place = run.places(domain, 1)[0];
    let paused = Arc::new(AtomicBool::new(false));
    for _ in 0..2 {
        let paused = Arc::clone(&paused);
        run.spawn("updater", move |thread| {
            while !thread.over() {
                if paused.load(SeqCst) {
                    std::thread::sleep(Duration::from_micros(200));
                } else {
                    let way = *thread.random.pick(&[Way::Call, Way::DeferDrop]);
                    updaters::update(thread, place, way);
                }
            }
        });
    }
    readers::start(run, 1, &[place]);
    run.spawn("stalled", move |thread| {
        let memory = machine::about_resident();
        let mut peak = 0;
        while !thread.over() {
            peak = peak.max(stall(thread, place, memory));
            paused.store(true, SeqCst);
            recover(thread, place);
            paused.store(false, SeqCst);
        }
        thread.run.note(format!(
            "at most {peak} versions waited, under a budget of {BUDGET}"
        ));
    });
    Ok(())
}

/// Stalls in a section for some tenths of a second. Returns the most versions that waited meanwhile.
fn stall(thread: &mut Thread, place: &'static Place, memory: u64) -> usize {
    let run = thread.run;
    let domain = place.domain();
    let guard = domain.read_lock();
    let Some(seen) = thread.check(place.look(&guard)) else {
        return 0;
    };
    run.set_stalled(true);
    let excess = domain.stats().callbacks_excess;
    let end = Instant::now() + Duration::from_millis(100 + thread.random.below(400));
    let mut peak = 0;
    while Instant::now() < end && !thread.over() {
        std::thread::sleep(Duration::from_millis(2));
        thread.check(seen.whole());
        thread.counter.read(1);
        let waiting = place.outstanding();
        // Read after the waiting versions, so that the bound is not too small.
        let excess = (domain.stats().callbacks_excess - excess) as usize;
        let bound = BUDGET as usize + UNCOUNTED * affinity::cpus().len() + excess;
        if waiting > bound {
            run.fault(
                &thread.name,
                format!("{waiting} versions wait, but only {bound} may"),
            );
        }
        peak = peak.max(waiting);
    }
    let grown = machine::about_resident().saturating_sub(memory);
    if grown > GROWTH {
        run.fault(&thread.name, format!("memory grew by {} MiB", grown >> 20));
    }
    if run.broken(Break::ForgottenGuard) {
        std::mem::forget(guard);
    } else {
        drop(guard);
    }
    run.set_stalled(false);
    peak
}

/// Waits until all versions that waited were reclaimed, which must happen by itself.
fn recover(thread: &Thread, place: &'static Place) {
    // Less than the monitor's patience: this fault says more than the monitor's.
    let patience = thread.run.settings.patience() / 2;
    let mut patience = Patience::new(patience, Duration::from_millis(20));
    while place.outstanding() != 0 {
        if patience.is_over() {
            let left = place.outstanding();
            let what = format!("{left} versions are left although no reader stalls any more");
            return thread.run.fault(&thread.name, what);
        }
        // The monitor watches updates, and here there are none once all is reclaimed.
        std::thread::sleep(Duration::from_micros(500));
    }
}
