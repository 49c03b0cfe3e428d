//! How threads update: they publish, wait for a grace period in one of several ways, and reclaim.

use std::time::Duration;

use urcu::GracePeriod;

use crate::breaks::Break;
use crate::run::{Run, Thread};
use crate::versions::{Place, Retired};

/// The way in which an updater waits for a grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `synchronize`.
    Synchronize,
    /// `start_poll`, then polling, or waiting with a time limit.
    Poll,
    /// `call`.
    Call,
    /// `defer_drop`.
    DeferDrop,
}

/// All ways.
pub const WAYS: [Way; 4] = [Way::Synchronize, Way::Poll, Way::Call, Way::DeferDrop];

/// The value that is passed to `defer_drop`. It reclaims a version when it is dropped.
struct Dropped(&'static Run, &'static crate::run::Counter, Option<Retired>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(retired) = self.2.take()
            && let Err(fault) = retired.reclaim()
        {
            self.0.fault("defer_drop", fault);
        }
        self.1.updated();
    }
}

/// Updates a place once. In the first two ways the update is complete when this returns.
pub fn update(thread: &mut Thread, place: &'static Place, way: Way) {
    let run = thread.run;
    let way = if run.library_is_broken() {
        Way::Synchronize
    } else {
        way
    };
    let domain = place.domain();
    let cookie = run.broken(Break::WrongCookie).then(|| domain.start_poll());
    if let Some(cookie) = &cookie {
        cookie.wait();
    }
    let published = place.publish(run.broken(Break::PublishedEmpty));
    let Some(retired) = thread.check(published) else {
        return;
    };
    if thread.breaks(Break::EarlyReclaim, 64) || cookie.is_some() {
        // Wrong on purpose.
        return reclaim(thread, retired);
    }
    match way {
        Way::Synchronize => domain.synchronize(),
        Way::Poll => {
            let grace_period = domain.start_poll();
            poll(thread, &grace_period);
        }
        Way::Call => {
            let counter = thread.counter;
            return domain.call(move || {
                if let Err(fault) = retired.reclaim() {
                    run.fault("callback", fault);
                }
                counter.updated();
            });
        }
        Way::DeferDrop => {
            return domain.defer_drop(Dropped(run, thread.counter, Some(retired)));
        }
    }
    reclaim(thread, retired);
}

/// Waits for a grace period by polling, or with a time limit.
fn poll(thread: &mut Thread, grace_period: &GracePeriod) {
    let limit = Duration::from_micros(thread.random.skewed(12));
    if thread.random.one_in(2) {
        while !grace_period.is_over() {
            // Not a sleep: an interrupted sleep goes on for the time left plus the timer's slack of 50 us,
            // so in a storm of faster signals it would never end.
            std::thread::yield_now();
        }
    } else {
        while !grace_period.wait_timeout(limit) {}
    }
}

fn reclaim(thread: &Thread, retired: Retired) {
    thread.check(retired.reclaim());
    thread.counter.updated();
}

/// Updates until the run is over, each time in a random one of these ways. The pause between updates is
/// at most two to the `pause` microseconds; with `None` there is no pause.
pub fn forever(thread: &mut Thread, places: &[&'static Place], ways: &[Way], pause: Option<u32>) {
    while !thread.over() {
        let (place, way) = (*thread.random.pick(places), *thread.random.pick(ways));
        update(thread, place, way);
        if let Some(bits) = pause {
            std::thread::sleep(Duration::from_micros(thread.random.skewed(bits)));
        }
    }
}

/// Starts `count` threads that run [`forever`].
pub fn start(
    run: &'static Run,
    count: usize,
    places: &[&'static Place],
    ways: &'static [Way],
    pause: Option<u32>,
) {
    for _ in 0..count {
        let places = places.to_vec();
        run.spawn("updater", move |thread| {
            forever(thread, &places, ways, pause);
        });
    }
}
