//! Callbacks of all sizes, queued as fast as possible, some by other callbacks. After `barrier`, all
//! callbacks that the same thread queued before must have run, each once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use urcu::Domain;

use crate::breaks::Break;
use crate::readers;
use crate::run::{Counter, Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::{self, Way};
use crate::versions::{Place, Retired};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "callback-flood",
    "callbacks queued as fast as possible, and barriers that wait for them",
    run,
);

const QUEUERS: usize = 3;

/// The callbacks that a thread queued, and those of them that have run.
#[derive(Debug, Default)]
struct Ledger {
    queued: u64,
    ran: Arc<AtomicU64>,
}

fn run(run: &'static Run) -> Result<(), String> {
    if run.library_is_broken() {
        return Err("it queues callbacks, which must not reach a broken library".into());
    }
    let domain = run.domain(Domain::named("callbacks"));
    let places = run.places(domain, QUEUERS);
    for place in places.iter().copied() {
        run.spawn("queuer", move |thread| {
            let mut ledger = Ledger::default();
            let mut barriers = 0;
            while !thread.over() {
                for _ in 0..thread.random.skewed(13) {
                    queue(thread, place, &mut ledger);
                }
                domain.barrier();
                barriers += 1;
                let ran = ledger.ran.load(SeqCst);
                if ran != ledger.queued {
                    let Ledger { queued, .. } = ledger;
                    let what = format!("a barrier returned after {ran} of {queued} callbacks run");
                    return thread.run.fault(&thread.name, what);
                }
            }
            thread.run.tally("barriers", barriers);
        });
    }
    readers::start(run, 1, &places);
    updaters::start(run, 1, &places, &[Way::DeferDrop], Some(3));
    Ok(())
}

/// Replaces a version and queues a callback that reclaims it.
fn queue(thread: &mut Thread, place: &'static Place, ledger: &mut Ledger) {
    let Some(retired) = thread.check(place.publish(false)) else {
        return;
    };
    let ran = Arc::clone(&ledger.ran);
    let work = Work {
        run: thread.run,
        counter: thread.counter,
        retired,
    };
    let domain = place.domain();
    ledger.queued += 1;
    if thread.breaks(Break::CallbackLost, 4096) {
        return;
    }
    if thread.breaks(Break::CallbackEarly, 64) {
        return work.run(&ran);
    }
    if thread.breaks(Break::CallbackPanics, 4096) {
        return domain.call(move || {
            work.run(&ran);
            panic!("on purpose");
        });
    }
    match thread.random.below(16) {
        0 => {
            // Too large for the queue's records.
            let bulk = [thread.random.throw(); 24];
            domain.call(move || {
                if bulk.iter().any(|word| *word != bulk[0]) {
                    work.run.fault("callback", "its captured data has changed");
                }
                work.run(&ran);
            });
        }
        1 => domain.call(move || {
            // Queued by another callback: a barrier need not wait for it.
            domain.call(move || work.run(&AtomicU64::new(0)));
            ran.fetch_add(1, SeqCst);
        }),
        _ => domain.call(move || work.run(&ran)),
    }
}

/// The work of a callback.
struct Work {
    run: &'static Run,
    counter: &'static Counter,
    retired: Retired,
}

impl Work {
    fn run(self, ran: &AtomicU64) {
        if let Err(fault) = self.retired.reclaim() {
            self.run.fault("callback", fault);
        }
        self.counter.updated();
        ran.fetch_add(1, SeqCst);
    }
}
