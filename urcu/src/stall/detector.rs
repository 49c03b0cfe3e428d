//! Finds grace periods that take too long, and threads that may wait for themselves.

use core::cell::{Cell, RefCell};
use core::panic::Location;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use super::clock::Clock;
use super::hook::{self, is_in_hook, timeout};
use super::report::{Deadlock, OverBudget, Report};
use super::trace::{self, DomainId, Site};
use crate::gp::readers::Readers;
use crate::gp::sequence::{Round, Sequence};
use crate::settings::Budget;
use crate::sync::{Instant, fork};
use crate::sys;

/// The time for which a thread waits for a section of its own, in builds that would know, before that is
/// reported. Its guard may have been moved, so it is given some time.
const DEADLOCK: Duration = Duration::from_secs(3);

/// The domain that the detector watches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// Its name, if it has one.
    pub(crate) name: Option<&'static str>,
    pub(crate) domain: DomainId,
    pub(crate) clock: &'a Clock,
    /// The sequence of its grace periods.
    pub(crate) sequence: &'a Sequence,
    /// The number of stalls that were reported.
    pub(crate) stalls: &'a AtomicU64,
    /// The fork generation of the process in which the domain's driver was made.
    pub(crate) fork_generation: u64,
}

impl Subject<'_> {
    /// Returns the domain's name, or its address, for messages.
    fn shown(&self) -> String {
        match self.name {
            Some(name) => format!("RCU domain \"{name}\""),
            None => format!("RCU domain at {}", self.domain),
        }
    }

    /// Returns the number of the first grace period that is not over.
    fn next(&self) -> Round {
        self.sequence.done().next()
    }

    fn report(&self, age: Duration, by_slot: &dyn Fn(usize) -> i64) -> Report {
        let by_slot = (0..sys::slots()).map(|slot| (slot, by_slot(slot)));
        let by_cpu: Vec<_> = by_slot.filter(|(_, open)| *open != 0).collect();
        Report {
            domain: self.shown(),
            grace_period: self.next().number(),
            age,
            open: by_cpu.iter().map(|(_, open)| open).sum(),
            by_cpu,
            sites: oldest_first(self.domain),
            deadlock: None,
            over_budget: None,
        }
    }
}

fn oldest_first(domain: DomainId) -> Vec<Site> {
    let mut sites = trace::open(domain);
    sites.sort_by_key(|site| core::cmp::Reverse(site.age));
    sites
}

/// The state of a thread that waits itself, as opposed to one that takes a step and returns.
struct Waiter {
    place: &'static Location<'static>,
    /// The time since which it has waited while a section is open that it began itself.
    since: Cell<Option<Instant>>,
    /// True once it was reported as waiting for itself, perhaps.
    reported: Cell<bool>,
}

/// The stall detector of one caller that waits for a grace period, or takes a step towards its end.
pub(crate) struct Detector<'a> {
    subject: Subject<'a>,
    /// True if this leaves reports to others.
    quiet: bool,
    waiter: Option<Waiter>,
    /// The report that [`Detector::tell`] will make.
    news: RefCell<Option<Box<Report>>>,
}

impl<'a> Detector<'a> {
    /// Returns the detector of a thread that waits itself.
    #[track_caller]
    pub(crate) fn blocking(subject: Subject<'a>) -> Self {
        Detector {
            waiter: Some(Waiter {
                place: Location::caller(),
                since: Cell::new(None),
                reported: Cell::new(false),
            }),
            ..Detector::passing(subject)
        }
    }

    /// Returns the detector of the worker, and of others who take a step and come again.
    pub(crate) const fn passing(subject: Subject<'a>) -> Self {
        Detector {
            subject,
            quiet: false,
            waiter: None,
            news: RefCell::new(None),
        }
    }

    /// Returns the detector of those who take a step and must run no user code.
    pub(crate) const fn quiet(subject: Subject<'a>) -> Self {
        let mut detector = Detector::passing(subject);
        detector.quiet = true;
        detector
    }

    /// Returns the subject if it may be reported. `None` in a child that was forked in the middle of the
    /// caller's work: the grace period that waits is its parent's.
    fn reported(&self) -> Option<&Subject<'a>> {
        let current = self.subject.fork_generation == fork::generation();
        (current && !self.quiet && !is_in_hook()).then_some(&self.subject)
    }

    /// Returns how long a leader may sleep before it calls [`Detector::check_stall`].
    pub(crate) fn leader_patience(&self) -> Option<Duration> {
        let subject = self.reported()?;
        let next = subject.clock.with(subject.next(), |waiting| waiting.next);
        let left = next.map(|next| next.saturating_duration_since(Instant::now()));
        [left, self.follower_patience()].into_iter().flatten().min()
    }

    /// Returns how long a thread may sleep while others lead before it asks
    /// [`Detector::is_deadlock_due`].
    pub(crate) fn follower_patience(&self) -> Option<Duration> {
        let subject = self.reported()?;
        let waiter = self.waiter.as_ref()?;
        if waiter.reported.get() || timeout() == Duration::MAX {
            return None;
        }
        trace::begun_by_this_thread(subject.domain)?;
        let since = waiter.since.get().unwrap_or_else(Instant::now);
        waiter.since.set(Some(since));
        Some(DEADLOCK.min(timeout()).saturating_sub(since.elapsed()))
    }

    /// Returns whether it is time to report that the calling thread may be waiting for itself.
    pub(crate) fn is_deadlock_due(&self) -> bool {
        let waits = self.waiter.as_ref().and_then(|waiter| waiter.since.get());
        waits.is_some() && self.follower_patience() == Some(Duration::ZERO)
    }

    /// Looks at the time, for a thread that waits or takes a step. `open` counts the open sections by slot.
    /// Returns whether there is a report to make.
    pub(crate) fn check_stall(&self, open: &dyn Fn(usize) -> i64) -> bool {
        let Some(subject) = self.reported() else {
            return false;
        };
        let report = if self.is_deadlock_due() {
            self.check_self_deadlock(subject, open)
        } else {
            stalled(subject, open)
        };
        let any = report.is_some();
        self.news.replace(report.map(Box::new));
        any
    }

    /// Returns a report if the calling thread may be waiting for itself.
    fn check_self_deadlock(
        &self,
        subject: &Subject<'_>,
        open: &dyn Fn(usize) -> i64,
    ) -> Option<Report> {
        let waiter = self.waiter.as_ref()?;
        waiter.reported.set(true);
        let age = waiter.since.get()?.elapsed();
        let section = trace::begun_by_this_thread(subject.domain)?;
        let deadlock = Deadlock {
            wait: waiter.place,
            section,
        };
        Some(Report {
            deadlock: Some(deadlock),
            ..subject.report(age, open)
        })
    }

    /// Makes the report, if there is one, and forgets it. The caller holds nothing that others wait for,
    /// because the hook is user code.
    pub(crate) fn tell(&self) {
        if let Some(report) = self.news.take() {
            hook::tell(&report);
        }
    }

    /// Makes the report on a thread that is started for it. (On the caller's thread, other domains' work
    /// would wait for the hook, and the hook perhaps for that work.) Returns false if no thread can be
    /// started: then the caller releases whatever it holds and calls [`Clock::tell`].
    pub(crate) fn tell_elsewhere(&self) -> bool {
        let Some(report) = self.news.take().map(Arc::<Report>::from) else {
            return true;
        };
        let theirs = Arc::clone(&report);
        let thread = sys::start_thread("urcu-stall".into(), move || hook::tell(&theirs));
        if thread.is_none() && self.subject.fork_generation == fork::generation() {
            *self.subject.clock.untold.lock() = Some(report);
            return false;
        }
        true
    }
}

/// Returns a report if the grace period that waits has waited for too long.
fn stalled(subject: &Subject<'_>, open: &dyn Fn(usize) -> i64) -> Option<Report> {
    let due = subject.clock.with(subject.next(), |waiting| {
        let age = waiting.since.elapsed();
        if waiting.next.is_none_or(|next| Instant::now() < next) {
            return None;
        }
        waiting.next = waiting.since.checked_add(age * 2);
        let first = !std::mem::replace(&mut waiting.reported, true);
        Some((waiting.number, age, first))
    });
    let (grace_period, age, first) = due?;
    let report = Report {
        grace_period: grace_period.number(),
        ..subject.report(age, open)
    };
    if report.open == 0 {
        return None; // Over just now.
    }
    if first {
        subject.stalls.fetch_add(1, Ordering::Relaxed);
    }
    Some(report)
}

/// Reports that the calling thread is about to wait for room. It holds no lock of this library, and leads no
/// grace period.
pub(crate) fn report_held_up(
    subject: &Subject<'_>,
    readers: &Readers,
    budget: Budget,
    pending: (u64, u64),
) {
    // An estimate: it counts both phases while sections begin and end.
    let open = |slot| readers.about_open_in(slot);
    let age = subject.clock.age(subject.next());
    let report = subject.report(age, &open);
    // A section that began after the grace period did is not what keeps it waiting.
    let own = trace::begun_by_this_thread(subject.domain).filter(|site| site.age >= age);
    let report = Report {
        open: report.open.max(0),
        over_budget: Some(OverBudget {
            budget,
            pending: pending.0,
            pending_bytes: pending.1,
            own_section: own.map(|site| site.place),
        }),
        ..report
    };
    hook::tell(&report);
}
