//! Sections that begin on one CPU, read on a second and end on a third.

use urcu::Domain;
use urcu_host::affinity;

use crate::readers;
use crate::run::{Run, Thread};
use crate::scenario::{Need, Scenario};
use crate::updaters::{self, WAYS};
use crate::versions::{Fault, Place};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "migration-storm",
    "sections that begin on one CPU and end on another",
    run,
)
.needs(&[Need::TwoCpus]);

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("migration")), 2);
    for _ in 0..run.settings.threads + 1 {
        let places = places.clone();
        run.spawn("migrant", move |thread| migrate(thread, &places));
    }
    readers::start(run, 1, &places);
    updaters::start(run, 2, &places, &WAYS, Some(7));
    Ok(())
}

fn migrate(thread: &mut Thread, places: &[&'static Place]) {
    let cpus = affinity::cpus();
    let mut moves = 0;
    while !thread.over() {
        let place = *thread.random.pick(places);
        for _ in 0..32 {
            let way = [(); 3].map(|()| *thread.random.pick(&cpus));
            thread.check(travel(place, way, &mut moves));
            thread.counter.read(2);
            readers::quick(thread, place, 64);
        }
        readers::long(thread, place, readers::LONG);
    }
    if moves == 0 {
        thread.run.fault(&thread.name, "this thread was never moved inside a section");
    }
    thread.run.tally("moves inside sections", moves);
}

/// Runs a section on three CPUs, and counts the moves from one CPU to another.
fn travel(place: &'static Place, way: [usize; 3], moves: &mut u64) -> Result<(), Fault> {
    let mut go = |from: usize, to: usize| {
        *moves += u64::from(affinity::run_on(&[to]) && from != to);
    };
    affinity::run_on(&way[..1]);
    let guard = place.domain().read_lock();
    let seen = place.look(&guard)?;
    go(way[0], way[1]);
    seen.whole()?;
    let inner = place.domain().read_lock();
    let second = place.look(&inner)?;
    drop(guard);
    go(way[1], way[2]);
    second.whole()
}
