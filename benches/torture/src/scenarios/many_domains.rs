//! Nested sections of many domains, each of which protects its own values; and domains that come and go.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use urcu::{Domain, Rcu};
use urcu_host::poison;
use urcu_host::stamped::Stamped;

use crate::run::{Run, Thread};
use crate::scenario::Scenario;
use crate::updaters::WAYS;
use crate::versions::{Fault, Place};
use crate::{readers, updaters};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "many-domains",
    "64 domains with nested sections, and domains that come and go",
    run,
);

const DOMAINS: usize = 64;

fn run(run: &'static Run) -> Result<(), String> {
    let places: Vec<_> = (0..DOMAINS)
        .map(|number| {
            let domain = Domain::named("one of many");
            let domain = if number % 16 == 1 {
                domain.run_by(urcu::Runner::OwnThread)
            } else {
                domain
            };
            run.places(run.domain(domain), 1)[0]
        })
        .collect();
    for _ in 0..run.settings.threads {
        let places = places.clone();
        run.spawn("reader", move |thread| {
            while !thread.over() {
                let pair = [(); 2].map(|()| *thread.random.pick(&places));
                for _ in 0..256 {
                    thread.check(inside_one_another(pair));
                }
                thread.counter.read(512);
                readers::quick(thread, pair[0], 256);
                std::thread::yield_now();
            }
        });
    }
    updaters::start(run, 1, &places, &WAYS, Some(6));
    if !run.library_is_broken() {
        run.spawn("short-lived", short_lived);
    }
    Ok(())
}

/// Opens sections of two domains, and ends them in the order in which they began.
fn inside_one_another([first, second]: [&'static Place; 2]) -> Result<(), Fault> {
    let outer = first.domain().read_lock();
    let one = first.look(&outer)?;
    let inner = second.domain().read_lock();
    let two = second.look(&inner)?;
    one.still()?;
    drop(outer);
    two.whole()
}

/// Makes a domain, uses it, and drops it. It must reclaim everything before the drop returns.
fn short_lived(thread: &mut Thread) {
    static RECLAIMED: AtomicU64 = AtomicU64::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            RECLAIMED.fetch_add(1, SeqCst);
        }
    }
    while !thread.over() {
        let domain = Domain::named("short-lived");
        let before = RECLAIMED.load(SeqCst);
        let retired = thread.random.below(300);
        {
            let cell = Rcu::new_in(Stamped::<{ poison::SMALL }>::new(1), &domain);
            let guard = domain.read_lock();
            let value = cell.load(&guard);
            for number in 0..retired {
                domain.defer_drop(Counted);
                cell.store(Stamped::new(number));
            }
            if value.check() != Some(1) {
                let words = value.words();
                thread.run.fault(
                    &thread.name,
                    format!("a section saw a reclaimed value: {words:x?}"),
                );
            }
        }
        thread.counter.read(1);
        if thread.random.one_in(2) {
            domain.synchronize();
        }
        thread.run.add_stats(&domain.stats());
        drop(domain);
        let reclaimed = RECLAIMED.load(SeqCst) - before;
        if reclaimed != retired {
            let what =
                format!("a dropped domain has reclaimed {reclaimed} of {retired} values");
            thread.run.fault(&thread.name, what);
        }
        thread.counter.updated();
    }
}
