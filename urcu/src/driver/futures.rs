//! The tasks that await a domain's grace periods.

use core::task::Waker;
use std::collections::BTreeMap;

use crate::gp::sequence::Round;
use crate::sync::panics::discard;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, catch_unwind};

/// The place of a task in the queue: earlier grace periods come first.
pub(crate) type Place = (Round, usize);

/// The tasks that await a domain's grace periods.
#[derive(Debug)]
pub(crate) struct Futures {
    wakers: Mutex<BTreeMap<Place, Waker>>,
    /// The number of the first grace period that is awaited, else of [`Round::LAST`].
    first: AtomicU64,
    next: AtomicUsize,
}

impl Futures {
    pub(crate) fn new() -> Self {
        Futures {
            wakers: Mutex::default(),
            first: AtomicU64::new(Round::LAST.number()),
            next: AtomicUsize::new(0),
        }
    }

    pub(crate) fn register(&self, place: Option<Place>, round: Round, waker: &Waker) -> Place {
        let place = place.unwrap_or_else(|| (round, self.next.fetch_add(1, Ordering::Relaxed)));
        // Wakers are cloned and dropped outside of the lock: both run user code.
        let waker = waker.clone();
        let mut wakers = self.wakers.lock();
        let old = wakers.insert(place, waker);
        self.note(&wakers);
        drop(wakers);
        drop(old);
        place
    }

    pub(crate) fn remove(&self, place: Place) {
        let mut wakers = self.wakers.lock();
        let old = wakers.remove(&place);
        self.note(&wakers);
        drop(wakers);
        drop(old);
    }

    fn note(&self, wakers: &BTreeMap<Place, Waker>) {
        let first = wakers
            .first_key_value()
            .map_or(Round::LAST, |((round, _), _)| *round);
        self.first.store(first.number(), Ordering::Relaxed);
    }

    /// Returns whether anybody awaits a grace period up to `done`.
    pub(crate) fn is_due(&self, done: Round) -> bool {
        let first = Round::of_number(self.first.load(Ordering::Relaxed));
        first != Round::LAST && first <= done
    }

    /// Wakes all who await a grace period up to `done`. Whoever has led calls this, so the fence O
    /// lies between the end of the grace period and this look.
    pub(crate) fn wake(&self, done: Round) {
        if !self.is_due(done) {
            return;
        }
        let mut wakers = self.wakers.lock();
        let later = wakers.split_off(&(done.next(), 0));
        let ready = std::mem::replace(&mut *wakers, later);
        self.note(&wakers);
        drop(wakers);
        for (_, waker) in ready {
            // Waking runs user code. A panic in it must not keep the others asleep.
            let wake = core::panic::AssertUnwindSafe(|| waker.wake());
            if let Err(payload) = catch_unwind(wake) {
                discard(payload);
            }
        }
    }
}
