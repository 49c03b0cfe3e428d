//! Sections that begin on one CPU, read on a second and end on a third.

use urcu::Domain;

use crate::torture::engine::{Run, Thread};
use crate::torture::updaters::{self, WAYS};
use crate::torture::versions::{Fault, Place};
use crate::torture::{Need, Scenario, readers, system};

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
    let cpus = system::cpus();
    while !thread.over() {
        let place = *thread.random.pick(places);
        for _ in 0..32 {
            let way = [(); 3].map(|()| *thread.random.pick(&cpus));
            thread.check(travel(place, way));
            thread.counter.read(2);
            readers::quick(thread, place, 64);
        }
        readers::long(thread, place, readers::LONG);
    }
}

fn travel(place: &'static Place, way: [usize; 3]) -> Result<(), Fault> {
    system::run_on(0, &way[..1]);
    let guard = place.domain().read_lock();
    let seen = place.look(&guard)?;
    system::run_on(0, &way[1..2]);
    seen.whole()?;
    let inner = place.domain().read_lock();
    let second = place.look(&inner)?;
    drop(guard);
    system::run_on(0, &way[2..]);
    second.whole()
}
