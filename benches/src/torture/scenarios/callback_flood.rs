//! Callbacks as fast as they can be queued, of all sizes, some by other callbacks; and `barrier`,
//! after which all that was queued before has run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use urcu::Domain;

use crate::torture::breaks::Break;
use crate::torture::engine::{Counter, Run, Thread};
use crate::torture::updaters::{self, Way};
use crate::torture::versions::{Place, Retired};
use crate::torture::{Scenario, readers};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "callback-flood",
    "callbacks as fast as they can be queued, and barriers that wait for them",
    run,
);

const QUEUERS: usize = 3;

/// What a thread queued.
#[derive(Default)]
struct Ledger {
    /// Counted after it was queued, so a barrier that begins later knows of it.
    queued: AtomicU64,
    ran: AtomicU64,
}

fn run(run: &'static Run) -> Result<(), String> {
    let domain = run.domain(Domain::named("callbacks"));
    let places = run.places(domain, QUEUERS);
    let ledgers: Arc<Vec<Ledger>> = Arc::new((0..QUEUERS).map(|_| Ledger::default()).collect());
    for (number, place) in places.iter().copied().enumerate() {
        let ledgers = Arc::clone(&ledgers);
        run.spawn("queuer", move |thread| {
            while !thread.over() {
                queue(thread, place, &ledgers, number);
            }
        });
    }
    readers::start(run, 1, &places);
    updaters::start(run, 1, &places, &[Way::DeferDrop], Some(3));
    let watched = Arc::clone(&ledgers);
    run.spawn("barrier", move |thread| {
        let mut barriers = 0;
        while !thread.over() {
            barrier(thread, domain, &watched);
            barriers += 1;
            std::thread::sleep(Duration::from_micros(thread.random.skewed(12)));
        }
        thread.run.note(format!("{barriers} barriers"));
    });
    run.join();
    if run.over() {
        domain.barrier();
    }
    for (number, ledger) in ledgers.iter().enumerate() {
        let (queued, ran) = (ledger.queued.load(SeqCst), ledger.ran.load(SeqCst));
        if queued != ran {
            let what = format!("in the end, {ran} of {queued} callbacks have run");
            run.fault(&format!("queuer {number}"), what);
        }
    }
    Ok(())
}

fn barrier(thread: &Thread, domain: &Domain, ledgers: &[Ledger]) {
    let queued: Vec<_> = ledgers
        .iter()
        .map(|ledger| ledger.queued.load(SeqCst))
        .collect();
    domain.barrier();
    for (ledger, queued) in ledgers.iter().zip(queued) {
        let ran = ledger.ran.load(SeqCst);
        if ran < queued {
            let what = format!("a barrier returned with {ran} of {queued} callbacks run");
            thread.run.fault(&thread.name, what);
        }
    }
}

/// Replaces a version and queues a callback that reclaims it.
fn queue(thread: &mut Thread, place: &'static Place, ledgers: &Arc<Vec<Ledger>>, number: usize) {
    let Some(retired) = thread.check(place.publish(false)) else {
        return;
    };
    let (run, counter) = (thread.run, thread.counter);
    let ledger = Arc::clone(ledgers);
    if thread.breaks(Break::CallbackLost, 4096) {
        // Neither run nor queued.
    } else if thread.breaks(Break::CallbackEarly, 1024) {
        done(run, counter, retired, &ledger[number]);
    } else {
        match thread.random.below(16) {
            0 => {
                // Too large for the queue's records.
                let bulk = [thread.random.next(); 24];
                place.domain().call(move || {
                    if bulk.iter().any(|word| *word != bulk[0]) {
                        run.fault("callback", "what it captured has changed");
                    }
                    done(run, counter, retired, &ledger[number]);
                });
            }
            1 => {
                // By another one; the barrier need not wait for that, so it counts itself.
                ledgers[number].ran.fetch_add(1, SeqCst);
                let domain = place.domain();
                domain.call(move || {
                    domain.call(move || {
                        let inner = Ledger::default();
                        done(run, counter, retired, &inner);
                    });
                });
            }
            _ => place
                .domain()
                .call(move || done(run, counter, retired, &ledger[number])),
        }
    }
    ledgers[number].queued.fetch_add(1, SeqCst);
}

fn done(run: &'static Run, counter: &Counter, retired: Retired, ledger: &Ledger) {
    if let Err(fault) = retired.reclaim() {
        run.fault("callback", fault);
    }
    ledger.ran.fetch_add(1, SeqCst);
    counter.updated();
}
