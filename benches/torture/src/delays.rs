//! Delays inside the library's restartable sequences, in builds that have them.
//!
//! A sequence is a handful of instructions; without a delay an interrupt hits it once in some ten
//! million runs, and a stress test proves nothing.

use std::time::Duration;

use crate::environment::has_sequences;
use crate::random::Random;
use crate::run::Thread;

pub use rseq_ops::delay::Point;
use rseq_ops::delay::{passed, set};

/// True if this build can inject delays.
pub const BUILT: bool = cfg!(rseq_ops_delay_injection);

/// Returns the scenario that delays at this point: one for the points that sections, snapshots and
/// callbacks pass, one for those that only the structures and operations of `rseq-ops` pass.
pub fn scenario(point: Point) -> &'static str {
    // No wildcard: each new point needs a scenario, which verifies that something passes the point.
    match point {
        Point::AddThroughLoaded
        | Point::AddThroughCommit
        | Point::SubIfCurrentCommit
        | Point::AddCommit
        | Point::CopyThroughLoaded
        | Point::CopyBehindLoaded
        | Point::AppendCommit
        | Point::ReplaceCommit => "delay-injection",
        Point::CompareStoreLoaded
        | Point::CompareStoreCommit
        | Point::PopLoaded
        | Point::PopCommit
        | Point::AddAtCommit
        | Point::CompareTwoStoreLoaded
        | Point::CompareTwoStoreCommit
        | Point::CompareStoreStoreLoaded
        | Point::CompareStoreStoreCommit
        | Point::CompareCopyStoreLoaded
        | Point::CompareCopyStoreCommit
        | Point::AddThroughOffsetLoaded
        | Point::AddThroughOffsetCommit
        | Point::StackPushCommit
        | Point::StackPopCommit
        | Point::CacheTakeCommit
        | Point::CachePutCommit
        | Point::LookupBucket
        | Point::LookupEntry => "per-cpu",
    }
}

/// Returns the points at which a scenario delays.
fn points(of: &str) -> Vec<Point> {
    let all = Point::ALL.into_iter();
    all.filter(|point| scenario(*point) == of).collect()
}

/// Returns whether only snapshots and callbacks pass a point. For them the library frees memory after
/// grace periods.
fn frees(point: Point) -> bool {
    matches!(
        point,
        Point::CopyThroughLoaded
            | Point::CopyBehindLoaded
            | Point::AppendCommit
            | Point::ReplaceCommit
    )
}

/// Removes all delays.
pub fn none() {
    for point in Point::ALL {
        set(point, 0);
    }
}

/// Delays briefly at random points during a quarter of the time, for scenarios that are not about
/// delays. `elapsed` is the time since the scenario began.
pub fn now_and_then(elapsed: Duration, random: &mut Random) {
    const PART: u128 = 50;
    none();
    if elapsed.as_millis() / PART % 4 == 3 {
        let points = points("delay-injection");
        for _ in 0..2 {
            set(*random.pick(&points), random.skewed(14));
        }
    }
}

/// Delays snapshots for long, if this build can.
pub fn long_snapshots() {
    set(Point::CopyThroughLoaded, 20_000);
}

/// Delays lookups of hash maps, now in one place and now in another, until the run is over.
pub fn in_lookups(thread: &mut Thread) {
    let run = thread.run;
    while !thread.over() {
        none();
        let point = *thread
            .random
            .pick(&[Point::LookupBucket, Point::LookupEntry]);
        if run.settings.delays && !thread.random.one_in(4) {
            set(point, 1 << (6 + thread.random.below(9)));
        }
        run.sleep(Duration::from_millis(5));
    }
    none();
}

/// Delays at the points of the thread's scenario, one after the other, until the run is over, and calls
/// `then` after each turn. Where there are sequences, a point that nothing passes during its turn is a
/// fault.
pub fn in_turn(thread: &mut Thread, mut then: impl FnMut(Point)) {
    let run = thread.run;
    let mut points = points(run.name());
    if run.library_is_broken() {
        // In that case the scenario leaves out what would pass these points.
        points.retain(|point| !frees(*point));
    }
    // Every point has at least two turns.
    let turn = Duration::from_millis(60).min(run.length() / (2 * points.len() as u32));
    // The number of looks, a millisecond apart: a busy machine may take that long to do anything.
    let patience = (run.length() / 4).as_millis().max(250);
    let sequences = has_sequences();
    let mut turns = 0;
    while !thread.over() {
        let point = points[turns % points.len()];
        // From some hundred nanoseconds to some hundred microseconds: most of the time as long as a
        // grace period.
        let length = if thread.random.one_in(2) {
            20_000
        } else {
            1 << (8 + thread.random.below(10))
        };
        none();
        let delayed = run.settings.delays && set(point, length) && sequences;
        run.sleep(turn);
        let mut looks = 0;
        // A control must not be noticed by this. Read in this order: the monitor clears all at the end.
        while delayed && !run.library_is_broken() && !passed(point) && !run.over() {
            looks += 1;
            if looks > patience {
                run.fault(&thread.name, format!("nothing passes {point:?}"));
            }
            run.sleep(Duration::from_millis(1));
        }
        then(point);
        turns += 1;
    }
    none();
    if run.settings.delays {
        run.tally("turns of delays at one point", turns as u64);
        if turns < points.len() {
            run.note("the run was too short for delays at every point");
        }
    }
}
