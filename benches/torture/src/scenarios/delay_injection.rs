//! Delays inside the library's sequences, at one point after the other, as long as a grace period and
//! longer. They do what an interrupt at the worst moment does.

use std::time::Duration;

use urcu::{Domain, Rcu, part};
use urcu_host::poison::LARGE;
use urcu_host::stamped::Stamped;

use crate::run::{Run, Thread};
use crate::scenario::{Need, Scenario};
use crate::updaters::{self, WAYS, Way};
use crate::{delays, readers};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "delay-injection",
    "delays inside the library's sequences, at every point in turn",
    run,
)
.needs(&[Need::Delays, Need::Sequences])
.without_chaos();

struct Cells {
    plain: Rcu<Stamped<LARGE>, &'static Domain>,
    owner: Rcu<Owner, &'static Domain>,
}

/// A value behind one more pointer.
struct Owner(Box<Stamped<LARGE>>);

fn run(run: &'static Run) -> Result<(), String> {
    let domain = run.domain(Domain::named("delays"));
    let places = run.places(domain, 2);
    let cells: &'static Cells = Box::leak(Box::new(Cells {
        plain: Rcu::new_in(Stamped::new(0), domain),
        owner: Rcu::new_in(Owner(Box::new(Stamped::new(0))), domain),
    }));
    for _ in 0..run.settings.threads {
        let places = places.clone();
        run.spawn("reader", move |thread| {
            while !thread.over() {
                let place = *thread.random.pick(&places);
                readers::quick(thread, place, 16);
                // The second grace period after that misses a section that was counted in the wrong
                // phase: the section must last that long.
                for _ in 0..8 {
                    readers::long(thread, place, 16);
                }
                // Here guards must notice that the library is broken; the scenario `snapshots` covers
                // the rest.
                if !run.library_is_broken() {
                    snapshots(thread, cells);
                }
                // Seldom: a fault shows while an updater runs on another CPU, and on a busy machine a
                // thread that leaves its CPU is not back soon.
                if thread.random.one_in(64) {
                    std::thread::yield_now();
                }
            }
        });
    }
    updaters::start(run, 1, &places, &[Way::Synchronize], None);
    updaters::start(run, 1, &places, &WAYS, Some(6));
    run.spawn("cell", move |thread| {
        for stamp in 1.. {
            if thread.over() {
                break;
            }
            // When this returns, replaced versions are poisoned.
            cells.plain.replace(Stamped::new(stamp));
            drop(cells.owner.replace(Owner(Box::new(Stamped::new(stamp)))));
            if !run.library_is_broken() {
                cells.plain.store(Stamped::new(stamp));
                cells.owner.store(Owner(Box::new(Stamped::new(stamp))));
            }
            thread.counter.updated();
            thread
                .run
                .sleep(Duration::from_micros(thread.random.skewed(8)));
        }
    });
    run.spawn("delays", |thread| delays::in_turn(thread, |_| ()));
    run.join();
    if run.counts().aborts == 0 {
        run.note("no sequence was aborted: this may be an emulator");
    }
    Ok(())
}

fn snapshots(thread: &Thread, cells: &Cells) {
    for _ in 0..16 {
        let behind = cells.owner.snapshot_of(part!(Owner, 0).target());
        for value in [cells.plain.snapshot(), behind] {
            if value.check().is_none() {
                let what = format!("a snapshot saw {:x?}", value.words());
                return thread.run.fault(&thread.name, what);
            }
        }
    }
    thread.counter.read(32);
}
