//! In the place of `urcu/src/stall/mod.rs`: without clocks and reports.

pub(crate) mod trace;

use core::cell::{Cell, RefCell};
use core::time::Duration;

use crate::callbacks::Budget;
use crate::domain::State;
use crate::driver::Driver;

/// Nothing is reported.
#[derive(Debug, Default)]
pub(crate) struct Clock {}

impl Clock {
    /// Nothing.
    pub(crate) fn tell(&self) {}
}

/// What a caller that waits for a grace period does besides. The time is over whenever a model says
/// so.
pub(crate) struct Watch<'a> {
    driver: Option<&'a Driver>,
    /// How many sleeps have a time limit, which is over at once.
    limits: Cell<u32>,
    /// Whether there is something to be told as soon as the caller has slept, once.
    has_news: Cell<bool>,
    slept: Cell<bool>,
    barriers: Cell<u32>,
}

type Hook = Box<dyn FnOnce()>;

std::thread_local! {
    // Loom runs all threads of a model on one thread of the system, so this is the model's.
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// What the next caller does that waits for a domain's grace period and sleeps, in the middle of it.
pub(crate) fn set_hook(hook: impl FnOnce() + 'static) {
    HOOK.set(Some(Box::new(hook)));
}

impl<'a> Watch<'a> {
    pub(crate) fn none() -> Self {
        Watch {
            driver: None,
            limits: Cell::new(0),
            has_news: Cell::new(false),
            slept: Cell::new(false),
            barriers: Cell::new(0),
        }
    }

    /// As shipped.
    pub(crate) fn blocking(driver: &'a Driver) -> Self {
        let hooked = HOOK.with_borrow(Option::is_some);
        Watch {
            limits: Cell::new(u32::from(hooked)),
            has_news: Cell::new(hooked),
            ..Watch::passing(driver)
        }
    }

    /// As shipped.
    pub(crate) fn passing(driver: &'a Driver) -> Self {
        Watch {
            driver: Some(driver),
            ..Watch::none()
        }
    }

    /// As shipped.
    pub(crate) fn quiet(driver: &'a Driver) -> Self {
        Watch::passing(driver)
    }

    /// For a caller whose first sleeps have a time limit.
    pub(crate) fn with_limits(limits: u32) -> Self {
        Watch {
            limits: Cell::new(limits),
            ..Watch::none()
        }
    }

    /// For a caller whose sleeps have a time limit, and which has something to tell then.
    pub(crate) fn reports() -> Self {
        Watch {
            has_news: Cell::new(true),
            ..Watch::with_limits(u32::MAX)
        }
    }

    /// For a caller that has something to tell when it has slept.
    pub(crate) fn reports_when_woken() -> Self {
        Watch {
            has_news: Cell::new(true),
            ..Watch::none()
        }
    }

    /// As shipped.
    pub(crate) fn ends(&self, old: usize) {
        if let Some(driver) = self.driver.filter(|driver| driver.is_current_process()) {
            driver.collect(old);
        }
    }

    pub(crate) fn restarted(&self, issued: bool) {
        self.barriers.set(self.barriers.get() + u32::from(issued));
    }

    /// How many barriers were issued for this caller.
    pub(crate) fn barriers(&self) -> u32 {
        self.barriers.get()
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.slept.set(true);
        let limits = self.limits.get();
        self.limits.set(limits.saturating_sub(1));
        (limits > 0).then_some(Duration::ZERO)
    }

    pub(crate) fn patience_of_a_follower(&self) -> Option<Duration> {
        self.patience()
    }

    pub(crate) fn is_due(&self) -> bool {
        self.has_news.get() && self.slept.get()
    }

    pub(crate) fn look(&self, open: impl Fn(usize) -> i64) -> bool {
        for slot in 0..crate::kernel::slots() {
            open(slot);
        }
        let news = self.is_due();
        if news {
            self.has_news.set(false);
        }
        news
    }

    pub(crate) fn tell(&self) {
        if let Some(hook) = HOOK.take() {
            hook();
        }
    }

    pub(crate) fn tell_elsewhere(&self) -> bool {
        self.tell();
        true
    }
}

/// Nobody is told.
pub(crate) fn report_held_up(_: &State, _: &Driver, _: Budget, _: (u64, u64)) {}

/// There is no hook to be in.
pub(crate) fn is_in_hook() -> bool {
    false
}

/// What the budget's reports are spaced by.
pub(crate) fn timeout() -> Duration {
    Duration::MAX
}
