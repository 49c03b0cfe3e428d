//! Signal handlers that read in the middle of sections, sequences, grace periods and callbacks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use urcu::Domain;
use urcu_host::affinity;
use urcu_host::signals::{Timer, install};

use crate::breaks::Break;
use crate::counts::Counts;
use crate::readers;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};
use crate::versions::{Fault, Place};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "signal-storm",
    "signal handlers that read in the middle of everything",
    run,
);

struct Stage {
    run: &'static Run,
    places: Vec<&'static Place>,
    handled: AtomicU64,
}

static STAGE: OnceLock<Stage> = OnceLock::new();

/// Reads in sections. Async-signal-safe: the stage is set before the first signal.
extern "C" fn handler(_: libc::c_int) {
    // SAFETY: errno is the calling thread's.
    let errno = unsafe { *libc::__errno_location() };
    if let Some(stage) = STAGE.get() {
        let turn = stage.handled.fetch_add(1, Relaxed) as usize;
        let place = |number: usize| stage.places[number % stage.places.len()];
        let reads_on = stage.run.broken(Break::HandlerReadsOn) && turn.is_multiple_of(8);
        if let Err(fault) = read(place(turn), place(turn / 2), reads_on) {
            stage.run.fault_in_handler(&fault);
        }
    }
    // SAFETY: errno is the calling thread's.
    unsafe { *libc::__errno_location() = errno };
}

fn read(one: &'static Place, two: &'static Place, reads_on: bool) -> Result<(), Fault> {
    let outer = one.domain().read_lock();
    let first = one.look(&outer)?;
    let inner = two.domain().read_lock();
    let second = two.look(&inner)?;
    for _ in 0..20 {
        first.still()?;
    }
    drop(outer);
    second.still()?;
    if reads_on {
        // Wrong on purpose.
        drop(inner);
        for _ in 0..16 {
            std::thread::yield_now();
            first.still()?;
        }
    }
    Ok(())
}

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("signals")), 3);
    let stage = Stage {
        run,
        places: places.clone(),
        handled: AtomicU64::new(0),
    };
    if STAGE.set(stage).is_err() {
        return Err("it has already run in this process".into());
    }
    // SAFETY: the handler reads a stage that is set, takes no lock and allocates nothing: sections and
    // notes of faults in handlers are async-signal-safe.
    unsafe { install(libc::SIGUSR1, handler) };
    let end = Timer::start(libc::SIGUSR1, Duration::from_secs(3600));
    end.map_err(|error| format!("cannot start a timer for a thread: {error}"))?;
    for number in 0..run.settings.threads + 2 {
        let places = places.clone();
        let reads = number < run.settings.threads;
        run.spawn("stormed", move |thread| stormed(thread, &places, reads));
    }
    run.join();
    let handled = STAGE.get().map_or(0, |stage| stage.handled.load(Relaxed));
    if handled == 0 {
        run.fault("signals", "no signal arrived");
    }
    run.tally("signals handled", handled);
    run.add_counts(&Counts {
        reads: 2 * handled,
        ..Counts::default()
    });
    Ok(())
}

fn stormed(thread: &mut Thread, places: &[&'static Place], reads: bool) {
    let timer = match Timer::start(libc::SIGUSR1, Duration::from_millis(1)) {
        Ok(timer) => timer,
        Err(error) => return thread.run.fault(&thread.name, format!("cannot start a timer: {error}")),
    };
    while !thread.over() {
        timer.set(Duration::from_micros(30 + thread.random.skewed(9)));
        let place = *thread.random.pick(places);
        if reads {
            readers::quick(thread, place, 2048);
            readers::long(thread, place, readers::LONG);
        } else {
            let way = *thread.random.pick(&WAYS);
            updaters::update(thread, place, way);
            if thread.random.one_in(64) {
                // The thread reads at another place for a while.
                let cpus = affinity::cpus();
                affinity::run_on(&[*thread.random.pick(&cpus)]);
                affinity::run_on(&cpus);
            }
        }
    }
}
