//! The contents of a report.

use core::fmt;
use core::panic::Location;
use core::time::Duration;

use super::trace::Site;
use crate::settings::Budget;

/// The number of places that the text of a report shows of each kind. A program may have thousands of open sections.
const MOST_SITES: usize = 8;

/// A report: of a grace period that takes too long, or of a thread that has to wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The domain: its name, or its address.
    pub domain: String,
    /// The number of the grace period in its domain, counted from 1.
    pub grace_period: u64,
    /// The time for which the grace period has waited. Zero if it began only a moment ago.
    pub age: Duration,
    /// The number of sections it waits for. If `over_budget` is set, about how many sections of the domain
    /// are open.
    pub open: i64,
    /// For each CPU, how many more sections began there than ended there. Sections may end on another CPU,
    /// so a single number may be negative and is only a hint. The sum is exact.
    pub by_cpu: Vec<(usize, i64)>,
    /// The places where open sections began, the oldest first. Some of them may have begun after the grace
    /// period, which does not wait for those unless they are clones: their `age` is less than that of the report.
    /// Always empty without the feature `stall-trace` in builds
    /// without debug assertions.
    pub sites: Vec<Site>,
    /// Set if a thread may be waiting for itself; `age` is then how long it has waited. Never set without
    /// the feature `stall-trace` in builds without debug assertions.
    pub deadlock: Option<Deadlock>,
    /// Set if this is not about a stall, but about a thread that retires values or queues callbacks in a
    /// domain that is over its budget. The reporting thread is the one that has to wait.
    pub over_budget: Option<OverBudget>,
}

/// A thread that waits for a grace period while a section is open that it began itself.
///
/// It waits for ever, unless another thread has the guard by now and drops it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deadlock {
    /// The call that waits.
    pub wait: &'static Location<'static>,
    /// The place where the section began.
    pub section: Site,
}

/// The part of a [`Report`] that is about a domain over its budget.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OverBudget {
    /// The domain's budget.
    pub budget: Budget,
    /// The number of callbacks that wait for grace periods, as counted against the budget.
    pub pending: u64,
    /// The number of bytes that they hold.
    pub pending_bytes: u64,
    /// The place where the reporting thread itself began an open section of the same domain, if it did so before
    /// that grace period: that section keeps the budget full. Always `None` without the feature `stall-trace` in builds without
    /// debug assertions.
    pub own_section: Option<&'static Location<'static>>,
}

impl Report {
    fn say_stall(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "grace period {} of {} has waited {:.3?} for {} open read-side section{}",
            self.grace_period,
            self.domain,
            self.age,
            self.open,
            plural(self.open)
        )
    }

    fn say_deadlock(&self, deadlock: &Deadlock, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            domain,
            grace_period,
            age,
            ..
        } = self;
        let Deadlock { wait, section } = deadlock;
        write!(
            f,
            "a thread has waited {age:.3?} for grace period {grace_period} of {domain}, at {wait}, \
             while it has a read-side section of the same domain open, begun at {section}: it waits \
             for itself for ever, unless another thread has the guard by now; drop the guard first",
        )
    }

    /// Writes where sections began: first those that are old enough to keep the grace period waiting, if there are any.
    fn say_sites(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, later): (Vec<_>, Vec<_>) =
            self.sites.iter().partition(|site| site.age >= self.age);
        if old.is_empty() {
            return say_places(f, "; begun at ", &later);
        }
        say_places(f, "; begun at ", &old)?;
        // A clone of a guard is waited for as the guard is.
        say_places(f, "; begun since then, and mostly not waited for: ", &later)
    }

    fn say_over_budget(&self, over: &OverBudget, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Budget {
            count,
            bytes,
            patience,
            ..
        } = over.budget;
        let OverBudget {
            pending,
            pending_bytes,
            own_section,
            ..
        } = over;
        write!(
            f,
            "{} has used seven eighths of its budget or more: {pending} of {count} callbacks and \
             {pending_bytes} of {bytes} bytes wait for grace period {}",
            self.domain, self.grace_period
        )?;
        if patience.is_zero() {
            write!(f, "; the domain takes more all the same, without a limit")?;
        } else {
            write!(
                f,
                "; whoever retires a value is held up, for up to {patience:?}"
            )?;
        }
        write!(f, " (`Domain::set_budget` changes the budget)")?;
        match self.open {
            0 => write!(f, "; no section is open: callbacks run too slowly")?,
            open => write!(f, "; {open} read-side section{} open", plural(open))?,
        }
        if !self.age.is_zero() {
            write!(f, " (that grace period has waited {:.3?})", self.age)?;
        }
        if let Some(place) = own_section {
            write!(
                f,
                "; this thread waits for a section of its own, which began at {place}: end or refresh it \
                 now and then"
            )?;
        }
        Ok(())
    }
}

/// Writes up to [`MOST_SITES`] places, and how many more there are.
fn say_places(f: &mut fmt::Formatter<'_>, before: &str, sites: &[&Site]) -> fmt::Result {
    for (number, site) in sites.iter().take(MOST_SITES).enumerate() {
        write!(f, "{}{site}", if number == 0 { before } else { ", " })?;
    }
    match sites.len().saturating_sub(MOST_SITES) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(deadlock) = &self.deadlock {
            return self.say_deadlock(deadlock, f);
        }
        match &self.over_budget {
            None => self.say_stall(f)?,
            Some(over) => self.say_over_budget(over, f)?,
        }
        for (number, (cpu, open)) in self.by_cpu.iter().enumerate() {
            let before = if number == 0 { "; by CPU: " } else { ", " };
            write!(f, "{before}{cpu}: {open:+}")?;
        }
        self.say_sites(f)?;
        if self.sites.is_empty() && self.open != 0 {
            write!(
                f,
                "; with the feature `stall-trace` of urcu-percpu reports say where sections began"
            )?;
        }
        Ok(())
    }
}
