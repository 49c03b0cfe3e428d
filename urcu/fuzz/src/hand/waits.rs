//! The steps that wait for grace periods, or ask for them.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Asked, Awaited, Hand};
use crate::cells;
use crate::check::check;
use crate::helpers::block_elsewhere;
use crate::panics::panics;
use crate::place::Place;
use crate::woken::Woken;

impl Hand<'_> {
    /// A grace period has passed that began at this time.
    pub(super) fn passed(&mut self, place: usize, began: u64) {
        let open = self.world.ledger.any_open_since(place, began);
        check!(!open, "a section of domain {place} outlasts a grace period");
        let cookies = self
            .cookies
            .iter_mut()
            .map(|asked| (asked.place.number, asked.since, &mut asked.must));
        let futures = self
            .futures
            .iter_mut()
            .map(|asked| (asked.place.number, asked.since, &mut asked.must));
        for (number, since, must) in cookies.chain(futures) {
            *must |= number == place && since < began;
        }
    }

    pub(super) fn synchronize(&mut self, place: Place) {
        let began = self.world.ledger.now();
        if self.may_wait(&place) {
            place.get().synchronize();
            return self.passed(place.number, began);
        }
        let ledger = Arc::clone(&self.world.ledger);
        block_elsewhere(move || {
            place.get().synchronize();
            let open = ledger.any_open_since(place.number, began);
            check!(
                !open,
                "a section of domain {} outlasts `synchronize`",
                place.number
            );
        });
    }

    pub(super) fn barrier(&mut self, place: Place) {
        let (began, threads) = (self.world.ledger.now(), self.threads());
        if self.may_wait(&place) {
            place.get().barrier();
            return self
                .world
                .ledger
                .check_barrier(place.number, began, threads);
        }
        let ledger = Arc::clone(&self.world.ledger);
        block_elsewhere(move || {
            place.get().barrier();
            ledger.check_barrier(place.number, began, threads);
        });
    }

    /// `replace` by a thread that waits for this one's sections.
    pub(super) fn replace_elsewhere(&self, place: Place, kind: u8) {
        let ledger = Arc::clone(&self.world.ledger);
        block_elsewhere(move || {
            if ledger.is_full() {
                return;
            }
            // SAFETY: the cell does not outlive this.
            let domain = place.domain.is_some().then(|| unsafe { place.forever() });
            let (old, new) = (ledger.value(), ledger.value());
            let id = old.id;
            let cell = cells::new(kind, domain, old);
            let began = ledger.now();
            let kept = cell.replace(Some(new));
            check!(kept.id() == Some(id), "another value came back");
            let open = ledger.any_open_since(place.number, began);
            check!(
                !open,
                "a section of domain {} outlasts `replace`",
                place.number
            );
        });
    }

    pub(super) fn ask(&mut self, place: Place, future: bool) {
        if self.cookies.len() + self.futures.len() > 32 {
            return;
        }
        let since = self.world.ledger.now();
        if future {
            let what = Awaited {
                future: Box::pin(place.get().synchronize_async()),
                waker: None,
            };
            self.futures.push(Asked {
                what,
                since,
                place,
                must: false,
            });
        } else {
            let what = place.get().start_poll();
            self.cookies.push(Asked {
                what,
                since,
                place,
                must: false,
            });
        }
    }

    pub(super) fn answered(&self, over: bool, since: u64, place: usize, must: bool) {
        let open = || self.world.ledger.any_open_since(place, since);
        check!(
            !over || !open(),
            "a cookie of domain {place} is done too early"
        );
        check!(over || !must, "a cookie of domain {place} is not done");
    }

    pub(super) fn poll(&mut self, choice: u8, how: u8) {
        if self.cookies.is_empty() {
            return;
        }
        let at = usize::from(choice) % self.cookies.len();
        let Asked {
            what,
            since,
            place,
            must,
        } = &self.cookies[at];
        let over = match how % 8 {
            0 => what.wait_timeout(Duration::from_micros(30)),
            1 if self.may_wait(place) => {
                what.wait();
                true
            }
            2 => what.is_over(),
            _ => place.get().poll(what),
        };
        self.answered(over, *since, place.number, *must);
        if over && how & 8 != 0 {
            let asked = self.cookies.swap_remove(at);
            check!(asked.what.is_over(), "a grace period is over no more");
        }
    }

    pub(super) fn poll_future(&mut self, choice: u8, how: u8) {
        if self.futures.is_empty() {
            return;
        }
        let at = usize::from(choice) % self.futures.len();
        let Asked {
            what,
            since,
            place,
            must,
        } = &mut self.futures[at];
        let woken = Arc::new(Woken::new(how, place.clone()));
        what.waker = Some(Arc::clone(&woken));
        let waker = Waker::from(woken);
        let mut over = false;
        let panicked = panics(|| {
            let polled = what.future.as_mut().poll(&mut Context::from_waker(&waker));
            over = polled == Poll::Ready(());
        });
        // If nobody drives a domain, whoever polls is woken at once, and has its waker's panic.
        check!(
            !panicked || (Woken::panics(how) && !place.driven),
            "a poll panics"
        );
        let (since, number, must) = (*since, place.number, *must);
        self.answered(over, since, number, must);
        if over || how & 8 != 0 {
            self.futures.swap_remove(at);
        }
    }
}
