//! How threads read.

use std::time::Duration;

use super::breaks::Break;
use super::engine::{Run, Thread};
use super::versions::{Fault, Place};

/// Sections of [`quick`].
const BATCH: u64 = 2048;

/// Reads until the run is over: mostly the shortest sections there are, and long ones between.
pub fn forever(thread: &mut Thread, places: &[&'static Place]) {
    while !thread.over() {
        let place = *thread.random.pick(places);
        quick(thread, place, BATCH);
        long(thread, place);
        // Better here than in the middle of a section that an updater waits for.
        std::thread::yield_now();
    }
}

/// Starts so many threads that do [`forever`].
pub fn start(run: &'static Run, count: usize, places: &[&'static Place]) {
    for _ in 0..count {
        let places = places.to_vec();
        run.spawn("reader", move |thread| forever(thread, &places));
    }
}

fn glances(place: &'static Place, count: u64) -> Result<(), Fault> {
    let domain = place.domain();
    for _ in 0..count {
        let guard = domain.read_lock();
        place.glance(&guard)?;
    }
    Ok(())
}

/// So many short sections.
pub fn quick(thread: &Thread, place: &'static Place, count: u64) {
    if thread.check(glances(place, count)).is_some() {
        thread.counter.read(count);
    }
}

/// One section that looks again and again, for up to some tens of microseconds.
pub fn long(thread: &mut Thread, place: &'static Place) {
    let looks = thread.random.skewed(14);
    let ends_at = if thread.breaks(Break::ReadsOn, 64) {
        looks / 2
    } else {
        u64::MAX
    };
    thread.check(look_long(place, looks, ends_at));
    thread.counter.read(1);
}

fn look_long(place: &'static Place, looks: u64, ends_at: u64) -> Result<(), Fault> {
    let guard = place.domain().read_lock();
    let seen = place.look(&guard)?;
    let mut guard = Some(guard);
    seen.whole()?;
    for look in 0..looks {
        seen.still()?;
        if look == ends_at {
            guard = None;
        }
    }
    seen.whole()?;
    drop(guard);
    Ok(())
}

/// One section that sleeps.
pub fn sleepy(thread: &Thread, place: &'static Place, time: Duration) {
    let guard = place.domain().read_lock();
    let good = place.look(&guard).and_then(|seen| {
        seen.whole()?;
        thread.run.sleep(time);
        seen.whole()
    });
    thread.check(good);
    thread.counter.read(1);
}
