//! Sixty-four threads on each CPU: sections are preempted in the middle, for a long time.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use urcu::Domain;
use urcu_host::affinity;

use crate::readers;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "oversubscribed",
    "64 threads on each CPU, which preempt each other inside sections",
    run,
);

const THREADS_A_CPU: usize = 64;
/// The greatest number of threads, on machines with many CPUs.
const MOST: usize = 2048;

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("crowd")), 4);
    updaters::start(run, 4, &places, &WAYS, Some(4));
    // All begin together: otherwise readers would take CPU time from the thread that starts the rest.
    let start = Arc::new(RwLock::new(()));
    let starting = start.write();
    for _ in 0..(THREADS_A_CPU * affinity::cpus().len()).min(MOST) {
        let (places, start) = (places.clone(), Arc::clone(&start));
        run.spawn("reader", move |thread| {
            drop(start.read());
            while !thread.over() {
                let place = *thread.random.pick(&places);
                readers::quick(thread, place, 512);
                readers::long(thread, place, readers::LONG);
                match thread.random.below(4) {
                    0 => std::thread::sleep(Duration::from_micros(thread.random.skewed(12))),
                    1 => std::thread::yield_now(),
                    _ => {}
                }
            }
        });
    }
    drop(starting);
    Ok(())
}
