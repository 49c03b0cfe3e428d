//! Tasks that move between threads and hold guards across an `.await`. They also await grace periods, and
//! drop some of these futures in the middle.

use std::time::Duration;

use urcu::Domain;

use crate::breaks::Break;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;
use crate::versions::Place;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "async-tasks",
    "tasks that hold guards across awaits and await grace periods",
    run,
);

/// Tasks of each kind.
const READERS: usize = 32;
const UPDATERS: usize = 8;

fn run(run: &'static Run) -> Result<(), String> {
    let places = run.places(run.domain(Domain::named("tasks")), 2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(run.settings.threads.max(2))
        .enable_time()
        .build()
        .map_err(|error| format!("cannot start tokio: {error}"))?;
    let mut tasks = Vec::new();
    for number in 0..READERS {
        let place = places[number % places.len()];
        tasks.push(runtime.spawn(read(run.thread("task"), place)));
    }
    for number in 0..UPDATERS {
        let place = places[number % places.len()];
        tasks.push(runtime.spawn(update(run.thread("updater"), place)));
    }
    for task in tasks {
        if let Err(error) = runtime.block_on(task) {
            run.fault("task", error);
        }
    }
    Ok(())
}

async fn read(mut thread: Thread, place: &'static Place) {
    while !thread.over() {
        for _ in 0..thread.random.below(64) {
            let guard = place.domain().read_lock();
            thread.check(place.glance(&guard));
            thread.counter.read(1);
        }
        let guard = place.domain().read_lock();
        let Some(seen) = thread.check(place.look(&guard)) else {
            return;
        };
        for _ in 0..thread.random.skewed(4) {
            tokio::task::yield_now().await;
            thread.check(seen.still());
        }
        if thread.random.one_in(256) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The task may be on another thread by now.
        thread.check(seen.whole());
        drop(guard);
        thread.counter.read(1);
        tokio::task::yield_now().await;
    }
}

async fn update(mut thread: Thread, place: &'static Place) {
    let domain = place.domain();
    while !thread.over() {
        let Some(retired) = thread.check(place.publish(false)) else {
            return;
        };
        let mut grace_period = domain.synchronize_async();
        if thread.breaks(Break::EarlyAwait, 16) {
            // Wrong on purpose: the future is dropped and taken for complete.
        } else if thread.random.one_in(8) {
            // Now and then the task gives up, and asks again.
            let limit = Duration::from_micros(thread.random.skewed(10));
            if tokio::time::timeout(limit, &mut grace_period)
                .await
                .is_err()
            {
                drop(grace_period);
                domain.synchronize_async().await;
            }
        } else {
            grace_period.await;
        }
        thread.check(retired.reclaim());
        thread.counter.updated();
        if thread.random.one_in(16) {
            tokio::task::yield_now().await;
        }
    }
}
