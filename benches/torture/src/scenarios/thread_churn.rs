//! Tens of thousands of threads that start, read and end. The last reads are in destructors of
//! thread-local data, some of which run after the thread's registration has ended.

use std::cell::RefCell;

use urcu::Domain;

use crate::readers;
use crate::run::{Counter, Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::{self, WAYS};
use crate::versions::Place;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "thread-churn",
    "threads that start, read and end, and also read in their last destructors",
    run,
);

const AT_ONCE: usize = 16;

/// Thread-local data that reads in its destructor.
struct Last(&'static Run, &'static Counter, &'static Place);

impl Drop for Last {
    fn drop(&mut self) {
        let Last(run, counter, place) = *self;
        let guard = place.domain().read_lock();
        if let Err(fault) = place.look(&guard).and_then(|seen| seen.whole()) {
            run.fault("a destructor", fault);
        }
        drop(guard);
        counter.read(1);
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("churn")), 2);
    for _ in 0..2 {
        let places = places.clone();
        run.spawn("spawner", move |thread| {
            while !thread.over() {
                spawn(thread, &places);
                run.tally("threads came and went", AT_ONCE as u64);
            }
        });
    }
    readers::start(run, 1, &places);
    updaters::start(run, 1, &places, &WAYS, Some(6));
    Ok(())
}

fn spawn(thread: &mut Thread, places: &[&'static Place]) {
    let (run, counter) = (thread.run, thread.counter);
    let threads: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let place = *thread.random.pick(places);
            let reads = thread.random.below(50);
            let destroys = thread.random.one_in(2);
            let builder = std::thread::Builder::new().stack_size(64 << 10);
            builder.spawn(move || {
                if destroys {
                    // Before the first read: so this destructor is registered before any that the
                    // library registers.
                    LAST.with(|last| *last.borrow_mut() = Some(Last(run, counter, place)));
                }
                for _ in 0..reads {
                    let guard = place.domain().read_lock();
                    if let Err(fault) = place.glance(&guard) {
                        run.fault("a short-lived thread", fault);
                    }
                }
                counter.read(reads);
            })
        })
        .collect();
    for started in threads {
        match started.map(std::thread::JoinHandle::join) {
            Ok(Ok(())) => {}
            Ok(Err(_)) => run.fault("a short-lived thread", "the thread panicked"),
            Err(error) => run.fault(&thread.name, format!("cannot start a thread: {error}")),
        }
    }
}
