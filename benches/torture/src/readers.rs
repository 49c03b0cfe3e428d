//! How threads read.

use crate::breaks::Break;
use crate::run::{Run, Thread};
use crate::versions::{Fault, Place};

/// The number of sections for one call of [`quick`].
const BATCH: u64 = 2048;

/// The usual length of [`long`] sections: two to this many looks, at most.
pub const LONG: u32 = 14;

/// Reads until the run is over, mostly in the shortest possible sections, now and then in a long one.
pub fn forever(thread: &mut Thread, places: &[&'static Place]) {
    while !thread.over() {
        let place = *thread.random.pick(places);
        quick(thread, place, BATCH);
        long(thread, place, LONG);
        // Better to lose the CPU here than in the middle of a section that an updater waits for.
        std::thread::yield_now();
    }
}

/// Starts `count` threads that run [`forever`].
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

/// Runs `count` short sections.
pub fn quick(thread: &Thread, place: &'static Place, count: u64) {
    if thread.check(glances(place, count)).is_some() {
        thread.counter.read(count);
    }
}

/// Runs one section that looks again and again, up to two to the `most` times. One section in 16 yields
/// its CPU in the middle, so that updates happen during sections on a busy machine too.
pub fn long(thread: &mut Thread, place: &'static Place, most: u32) {
    let mut looks = thread.random.skewed(most);
    let mut ends_at = u64::MAX;
    if thread.breaks(Break::ReadsOn, 64) {
        looks = 1 << 16;
        ends_at = looks / 4;
    }
    let yields_at = if thread.random.one_in(16) {
        looks / 2
    } else {
        u64::MAX
    };
    thread.check(look_long(place, looks, ends_at, yields_at));
    thread.counter.read(1);
}

fn look_long(place: &'static Place, looks: u64, ends_at: u64, yields_at: u64) -> Result<(), Fault> {
    let guard = place.domain().read_lock();
    let seen = place.look(&guard)?;
    let mut guard = Some(guard);
    seen.whole()?;
    for look in 0..=looks {
        seen.still()?;
        if look == ends_at {
            guard = None;
        }
        if look == yields_at {
            std::thread::yield_now();
        }
    }
    seen.whole()?;
    drop(guard);
    Ok(())
}
