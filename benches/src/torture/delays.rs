//! Delays inside the library's restartable sequences, where the program was built with them.
//!
//! A sequence is a handful of instructions; without a delay an interrupt hits it once in some ten
//! million runs, and a stress test proves nothing.

use std::time::Duration;

use super::random::Random;

#[cfg(feature = "delay-injection")]
pub use urcu::testing::Point;

/// Whether this build can.
pub const BUILT: bool = cfg!(feature = "delay-injection");

/// The points that the sequences of sections, snapshots and callbacks pass.
#[cfg(feature = "delay-injection")]
pub const POINTS: [Point; 7] = [
    Point::AddThroughLoaded,
    Point::AddThroughCommit,
    Point::SubIfCurrentCommit,
    Point::AddCommit,
    Point::CopyThroughLoaded,
    Point::AppendCommit,
    Point::ReplaceCommit,
];

/// No delay anywhere.
pub fn none() {
    #[cfg(feature = "delay-injection")]
    POINTS.into_iter().for_each(|point| {
        urcu::testing::set_delay(point, 0);
    });
}

/// Short delays at random points for one part in four of the time, for scenarios that are not about
/// delays. `elapsed` is the time since the scenario began.
pub fn now_and_then(elapsed: Duration, random: &mut Random) {
    const PART: u128 = 50;
    #[cfg(feature = "delay-injection")]
    if elapsed.as_millis() / PART % 4 == 3 {
        none();
        for _ in 0..2 {
            urcu::testing::set_delay(*random.pick(&POINTS), random.skewed(14));
        }
        return;
    }
    let _ = (elapsed, random, PART);
    none();
}

/// Long delays in snapshots, if that is possible.
pub fn long_snapshots() {
    #[cfg(feature = "delay-injection")]
    urcu::testing::set_delay(Point::CopyThroughLoaded, 20_000);
}

/// A delay of so many iterations at one point alone; the points take turns.
pub fn one(turn: usize, iterations: u64) {
    none();
    #[cfg(feature = "delay-injection")]
    urcu::testing::set_delay(POINTS[turn % POINTS.len()], iterations);
    #[cfg(not(feature = "delay-injection"))]
    let _ = (turn, iterations);
}
