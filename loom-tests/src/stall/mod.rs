//! In the place of `urcu/src/stall`: without clocks and reports.

pub(crate) mod trace;

use core::cell::{Cell, RefCell};
use core::sync::atomic::AtomicU64;
use core::time::Duration;

use crate::gp::observer::Observer;
use crate::gp::readers::Readers;
use crate::gp::sequence::Sequence;
use crate::settings::Budget;
use trace::DomainId;

/// Nothing is reported.
#[derive(Debug, Default)]
pub(crate) struct Clock {}

impl Clock {
    /// Nothing.
    pub(crate) fn tell(&self) {}
}

/// The patience of a caller that waits for a grace period. Time is over whenever a model says so.
pub(crate) struct Patience {
    /// The number of sleeps with a time limit, which is over at once.
    limits: Cell<u32>,
    /// True if there is something to be told, once, as soon as the caller has slept.
    has_news: Cell<bool>,
    slept: Cell<bool>,
    barriers: Cell<u32>,
}

type Hook = Box<dyn FnOnce()>;

std::thread_local! {
    // Loom runs all threads of a model on one thread of the system, so this is the model's.
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Sets what the next caller does that waits for a domain's grace period and sleeps, in the middle of it.
pub(crate) fn set_hook(hook: impl FnOnce() + 'static) {
    HOOK.set(Some(Box::new(hook)));
}

impl Patience {
    /// Without a limit.
    pub(crate) fn none() -> Self {
        Patience {
            limits: Cell::new(0),
            has_news: Cell::new(false),
            slept: Cell::new(false),
            barriers: Cell::new(0),
        }
    }

    /// For a caller whose first sleeps have a time limit.
    pub(crate) fn with_limits(limits: u32) -> Self {
        Patience {
            limits: Cell::new(limits),
            ..Patience::none()
        }
    }

    /// For a caller whose sleeps have a time limit, and which has something to tell then.
    pub(crate) fn reports() -> Self {
        Patience {
            has_news: Cell::new(true),
            ..Patience::with_limits(u32::MAX)
        }
    }

    /// For a caller that has something to tell when it has slept.
    pub(crate) fn reports_when_woken() -> Self {
        Patience {
            has_news: Cell::new(true),
            ..Patience::none()
        }
    }

    /// Returns how many barriers were issued for this caller.
    pub(crate) fn barriers(&self) -> u32 {
        self.barriers.get()
    }
}

impl Observer for Patience {
    fn restarted(&self, issued: bool) {
        self.barriers.set(self.barriers.get() + u32::from(issued));
    }

    fn before_end(&self, _: crate::sys::Phase) {}

    fn leader_patience(&self) -> Option<Duration> {
        self.slept.set(true);
        let limits = self.limits.get();
        self.limits.set(limits.saturating_sub(1));
        (limits > 0).then_some(Duration::ZERO)
    }

    fn follower_patience(&self) -> Option<Duration> {
        self.leader_patience()
    }

    fn is_deadlock_due(&self) -> bool {
        self.has_news.get() && self.slept.get()
    }

    fn check_stall(&self, open: &dyn Fn(usize) -> i64) -> bool {
        for slot in 0..crate::kernel::slots() {
            open(slot);
        }
        let news = self.is_deadlock_due();
        if news {
            self.has_news.set(false);
        }
        news
    }
}

/// As shipped.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) name: Option<&'static str>,
    pub(crate) domain: DomainId,
    pub(crate) clock: &'a Clock,
    pub(crate) sequence: &'a Sequence,
    pub(crate) stalls: &'a AtomicU64,
    pub(crate) fork_generation: u64,
}

/// As shipped, but for what it finds.
pub(crate) struct Detector<'a>(Patience, std::marker::PhantomData<&'a ()>);

impl<'a> Detector<'a> {
    /// As shipped. It finds something if there is a hook.
    pub(crate) fn blocking(_: Subject<'a>) -> Self {
        let hooked = HOOK.with_borrow(Option::is_some);
        Detector(
            Patience {
                limits: Cell::new(u32::from(hooked)),
                has_news: Cell::new(hooked),
                ..Patience::none()
            },
            std::marker::PhantomData,
        )
    }

    /// As shipped.
    pub(crate) fn passing(_: Subject<'a>) -> Self {
        Detector(Patience::none(), std::marker::PhantomData)
    }

    /// As shipped.
    pub(crate) fn quiet(subject: Subject<'a>) -> Self {
        Detector::passing(subject)
    }

    pub(crate) fn leader_patience(&self) -> Option<Duration> {
        self.0.leader_patience()
    }

    pub(crate) fn follower_patience(&self) -> Option<Duration> {
        self.0.follower_patience()
    }

    pub(crate) fn is_deadlock_due(&self) -> bool {
        self.0.is_deadlock_due()
    }

    pub(crate) fn check_stall(&self, open: &dyn Fn(usize) -> i64) -> bool {
        self.0.check_stall(open)
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
pub(crate) fn report_held_up(_: &Subject<'_>, _: &Readers, _: Budget, _: (u64, u64)) {}

/// There is no hook to be in.
pub(crate) fn is_in_hook() -> bool {
    false
}

/// Returns the time between two reports of the budget.
pub(crate) fn timeout() -> Duration {
    Duration::MAX
}
