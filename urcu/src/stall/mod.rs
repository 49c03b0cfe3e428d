//! Reports of grace periods that take too long, and of threads that may wait for themselves.
//!
//! A grace period ends when the sections that were open have ended. If one of them does not end (it
//! blocks, its guard was forgotten, its thread does not get to run), memory grows and callers hang. A
//! grace period that takes longer than the [`timeout`] (ten seconds unless [set](set_timeout)) is
//! reported through the [hook](set_hook), again at twice that age, and so on. Without a hook a report is a
//! line on standard error, or a warning of `log` or `tracing` if that feature is on.
//!
//! ```
//! use std::time::Duration;
//!
//! urcu::stall::set_timeout(Duration::from_millis(20));
//! urcu::stall::set_hook(|report| println!("{report}"));
//! # let (sender, receiver) = std::sync::mpsc::channel();
//! # urcu::stall::set_hook(move |report| { let _ = sender.send(report.to_string()); });
//!
//! static JOBS: urcu::Domain = urcu::Domain::named("jobs");
//! let guard = JOBS.read_lock();
//! std::thread::spawn(|| JOBS.synchronize());
//! // urcu: grace period 1 of RCU domain "jobs" has waited 20 ms for 1 open read-side section ...
//! # let line = receiver.recv().unwrap();
//! # assert!(line.starts_with("grace period 1 of RCU domain \"jobs\" has waited "), "{line}");
//! # drop(guard);
//! ```
//!
//! A thread that has to wait because its domain is over its [budget](crate::Budget) is reported through
//! the same hook, and the first time at once: see [`Report::over_budget`].
//!
//! # With `stall-trace`
//! With the feature `stall-trace`, and in builds with debug assertions, reports also say where the
//! sections began. And a thread that waits for a grace period while a section is open that it began
//! itself is reported after three seconds, or after the timeout if that is shorter, once for each wait:
//! see [`Report::deadlock`]. This costs some tens of nanoseconds for each section.
//!
//! The idea is that of the stall detector of the Linux kernel (`kernel/rcu/tree_stall.h`).

pub(crate) mod trace;

use core::cell::{Cell, RefCell};
use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use crate::callbacks::Budget;
use crate::domain::State;
use crate::driver::Driver;
use crate::sync::fork;
use crate::sync::hook::{self, Hook};
use crate::sync::{self, Mutex};
use crate::sys;
pub use trace::Site;

/// How long a thread waits for a section of its own, in builds that would know, before that is
/// reported. Its guard may have been moved, so it is given some time.
const DEADLOCK: Duration = Duration::from_secs(3);

/// A report: of a grace period that takes too long, or of a thread that has to wait.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The domain: its name, or its address.
    pub domain: String,
    /// The number of the grace period in its domain, counted from 1.
    pub grace_period: u64,
    /// How long the grace period has waited. Zero if it began only a moment ago.
    pub age: Duration,
    /// How many sections it waits for. If `over_budget` is set, about how many sections of the domain
    /// are open.
    pub open: i64,
    /// For each CPU, how many more sections began there than ended there. Sections may end on another CPU,
    /// so a number may be negative, and is but a hint; the sum is exact.
    pub by_cpu: Vec<(usize, i64)>,
    /// Where open sections began, the oldest first. Some of them may have begun after the grace period,
    /// which does not wait for those. Always empty without the feature `stall-trace` in builds without
    /// debug assertions.
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
    /// Where the section began.
    pub section: Site,
}

/// The part of a [`Report`] that is about a domain over its budget.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OverBudget {
    /// The domain's budget.
    pub budget: Budget,
    /// How many callbacks wait for grace periods, as counted against the budget.
    pub pending: u64,
    /// How many bytes they hold.
    pub pending_bytes: u64,
    /// Where the reporting thread itself began an open section of the same domain, if it did: that
    /// section keeps the budget full. Always `None` without the feature `stall-trace` in builds without
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
             while a read-side section of the same domain is open that it began at {} ({:.3?} \
             ago): it waits for itself, for ever, unless the guard is another thread's by now; \
             drop the guard first",
            section.place, section.age
        )
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
            write!(f, "; more are taken all the same, without a limit")?;
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
                "; this thread waits for a section of its own, which began at {place} and should be \
                 ended now and then"
            )?;
        }
        Ok(())
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
        for (number, site) in self.sites.iter().enumerate() {
            let before = if number == 0 { "; begun at " } else { ", " };
            let Site { place, thread, age } = site;
            write!(f, "{before}{place} ({age:.3?} ago, thread {thread})")?;
        }
        if self.sites.is_empty() && self.open != 0 {
            write!(f, "; the feature `stall-trace` says where they began")?;
        }
        Ok(())
    }
}

/// None for the default.
static HOOK: Hook<dyn Fn(&Report) + Send + Sync> = Hook::new();
static TIMEOUT: AtomicU64 = AtomicU64::new(10_000_000_000);

/// Sets the hook that is called with every report, of all domains.
///
/// It replaces the default, which writes a warning through `tracing` or `log` if one of these features
/// is on, and otherwise a line on standard error.
///
/// The hook runs on a thread that waits for the grace period, or on a thread of its own if only a
/// background thread waits. No lock of this library is held meanwhile, and other threads go on with the
/// grace period. So the hook may read, retire, wait for grace periods, await them, drop domains and fork,
/// and need not return. (Waiting in it for the section that it was called about lasts as long as that
/// section.) Nothing is reported from inside the hook. A panic in it is caught.
///
/// A report with [`Report::over_budget`] comes from the thread that has to wait, in the middle of
/// [`Domain::call`](crate::Domain::call), `defer_drop`, `store` and the like. The program may hold locks
/// there, which the hook must not take, and be inside sections, which it must not wait for.
pub fn set_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    HOOK.set(Some(Arc::new(hook)));
}

/// Removes the hook set by [`set_hook`]: reports go to the default again.
pub fn remove_hook() {
    HOOK.set(None);
}

/// Sets the time after which a grace period is reported for the first time, in all domains. The default
/// is ten seconds; with [`Duration::MAX`] grace periods are never reported.
///
/// Grace periods that are being waited for already keep the timeout that was set before.
///
/// Two other reports go by it. A domain over its budget is reported at once, and again no sooner than
/// after this time. A thread that waits for a section of its own is reported (see
/// [`Report::deadlock`]) after this time, or after three seconds if that is shorter.
pub fn set_timeout(timeout: Duration) {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    TIMEOUT.store(nanoseconds, Ordering::Relaxed);
}

/// Returns the time after which a grace period is reported: see [`set_timeout`].
pub fn timeout() -> Duration {
    match TIMEOUT.load(Ordering::Relaxed) {
        u64::MAX => Duration::MAX,
        nanoseconds => Duration::from_nanos(nanoseconds),
    }
}

fn default_hook(report: &Report) {
    say(format_args!("{report}"));
}

/// A line for whoever operates the program.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "urcu", "{line}");
    #[cfg(all(feature = "log", not(feature = "tracing")))]
    log::warn!(target: "urcu", "{line}");
    #[cfg(not(any(feature = "log", feature = "tracing")))]
    {
        // Not `eprintln!`, which panics where there is no standard error.
        sys::write_line(&format!("urcu: {line}\n"));
    }
}

/// A grace period that has waited long enough to look at the clock.
#[derive(Debug)]
struct Waiting {
    round: u64,
    since: Instant,
    /// When it is reported next; never, if that is too far away.
    next: Option<Instant>,
    reported: bool,
}

/// For a domain, the grace period that waits.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    waiting: Mutex<Option<Waiting>>,
    /// What whoever drives has to tell when it drives no more.
    untold: Mutex<Option<Arc<Report>>>,
}

/// A thread that waits itself.
struct Waiter {
    place: &'static Location<'static>,
    /// Since when it has waited for a section that it began.
    since: Cell<Option<Instant>>,
    /// It was reported as one that may wait for itself.
    reported: Cell<bool>,
}

/// What a caller that waits for a grace period does besides.
pub(crate) struct Watch<'a> {
    driver: Option<&'a Driver>,
    /// Whether this leaves reports to others.
    quiet: bool,
    waiter: Option<Waiter>,
    /// What [`Watch::tell`] has to tell.
    news: RefCell<Option<Box<Report>>>,
}

impl<'a> Watch<'a> {
    /// Nothing.
    pub(crate) const fn none() -> Self {
        Watch {
            driver: None,
            quiet: true,
            waiter: None,
            news: RefCell::new(None),
        }
    }

    /// For a thread that waits itself.
    #[track_caller]
    pub(crate) fn blocking(driver: &'a Driver) -> Self {
        Watch {
            waiter: Some(Waiter {
                place: Location::caller(),
                since: Cell::new(None),
                reported: Cell::new(false),
            }),
            ..Watch::passing(driver)
        }
    }

    /// For the worker and others who come again.
    pub(crate) const fn passing(driver: &'a Driver) -> Self {
        Watch {
            driver: Some(driver),
            quiet: false,
            waiter: None,
            news: RefCell::new(None),
        }
    }

    /// For those who come again and run nobody's code.
    pub(crate) const fn quiet(driver: &'a Driver) -> Self {
        let mut watch = Watch::passing(driver);
        watch.quiet = true;
        watch
    }

    /// Nothing in a child that was forked in the middle of what the caller does: what waits there
    /// is its parent's.
    fn driver(&self) -> Option<&'a Driver> {
        self.driver.filter(|driver| driver.is_current_process())
    }

    /// The same where this is to report.
    fn reports_for(&self) -> Option<&'a Driver> {
        self.driver().filter(|_| !self.quiet && !is_in_hook())
    }

    /// The sequences were restarted; whether a barrier was issued for it.
    pub(crate) fn restarted(&self, issued: bool) {
        if let (Some(driver), true) = (self.driver, issued) {
            driver.counts.membarriers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A grace period is about to end, whose phase was `old`.
    pub(crate) fn ends(&self, old: usize) {
        if let Some(driver) = self.driver() {
            driver.collect(old);
        }
    }

    /// How long whoever leads may sleep before it calls [`Watch::look`].
    pub(crate) fn patience(&self) -> Option<Duration> {
        let driver = self.reports_for()?;
        let next = driver.clock.with(driver, |waiting| waiting.next);
        let left = next.map(|next| next.saturating_duration_since(Instant::now()));
        [left, self.patience_of_a_follower()]
            .into_iter()
            .flatten()
            .min()
    }

    /// How long a thread may sleep while others lead before it asks [`Watch::is_due`].
    pub(crate) fn patience_of_a_follower(&self) -> Option<Duration> {
        let driver = self.reports_for()?;
        let waiter = self.waiter.as_ref()?;
        if waiter.reported.get() || timeout() == Duration::MAX {
            return None;
        }
        trace::begun_by_this_thread(driver.domain())?;
        let since = waiter.since.get().unwrap_or_else(Instant::now);
        waiter.since.set(Some(since));
        Some(DEADLOCK.min(timeout()).saturating_sub(since.elapsed()))
    }

    /// Whether it is time that the calling thread is reported as one that may wait for itself.
    pub(crate) fn is_due(&self) -> bool {
        let waits = self.waiter.as_ref().and_then(|waiter| waiter.since.get());
        waits.is_some() && self.patience_of_a_follower() == Some(Duration::ZERO)
    }

    /// A thread that waits, or takes a turn, has a look at the time. `open` counts the sections by
    /// slot. Whether there is something to be told.
    pub(crate) fn look(&self, open: impl Fn(usize) -> i64) -> bool {
        let Some(driver) = self.reports_for() else {
            return false;
        };
        let report = if self.is_due() {
            self.suspect(driver, open)
        } else {
            self.stalled(driver, open)
        };
        let any = report.is_some();
        self.news.replace(report.map(Box::new));
        any
    }

    /// A thread that may wait for itself.
    fn suspect(&self, driver: &Driver, open: impl Fn(usize) -> i64) -> Option<Report> {
        let waiter = self.waiter.as_ref()?;
        waiter.reported.set(true);
        let age = waiter.since.get()?.elapsed();
        let section = trace::begun_by_this_thread(driver.domain())?;
        let grace_period = driver.progress.sequence.done() + 1;
        let deadlock = Deadlock {
            wait: waiter.place,
            section,
        };
        Some(Report {
            deadlock: Some(deadlock),
            ..Report::new(driver, grace_period, age, open)
        })
    }

    /// A grace period that has waited for too long, if it has.
    fn stalled(&self, driver: &Driver, open: impl Fn(usize) -> i64) -> Option<Report> {
        let due = driver.clock.with(driver, |waiting| {
            let age = waiting.since.elapsed();
            if waiting.next.is_none_or(|next| Instant::now() < next) {
                return None;
            }
            waiting.next = waiting.since.checked_add(age * 2);
            let first = !std::mem::replace(&mut waiting.reported, true);
            Some((waiting.round, age, first))
        });
        let (grace_period, age, first) = due?;
        let report = Report::new(driver, grace_period, age, open);
        if report.open == 0 {
            return None; // Over just now.
        }
        if first {
            driver.counts.stalls.fetch_add(1, Ordering::Relaxed);
        }
        Some(report)
    }

    /// Tells what there is to tell, once. To be called where the caller holds nothing that others
    /// wait for: the hook is a user's code.
    pub(crate) fn tell(&self) {
        if let Some(report) = self.news.take() {
            report_to_hook(&report);
        }
    }

    /// The same on a thread made for it: on that of the caller others' work would wait for the hook,
    /// and perhaps the hook for that work. False if there can be no thread: then the caller is to leave
    /// whatever it holds, and [`Clock::tell`].
    pub(crate) fn tell_elsewhere(&self) -> bool {
        let Some(report) = self.news.take().map(Arc::<Report>::from) else {
            return true;
        };
        let theirs = Arc::clone(&report);
        let thread = sync::start_thread("urcu-stall".into(), move || report_to_hook(&theirs));
        if thread.is_none()
            && let Some(driver) = self.driver()
        {
            *driver.clock.untold.lock() = Some(report);
            return false;
        }
        true
    }
}

impl Report {
    fn new(driver: &Driver, grace_period: u64, age: Duration, open: impl Fn(usize) -> i64) -> Self {
        let by_slot = (0..sys::slots()).map(|slot| (slot, open(slot)));
        let by_cpu: Vec<_> = by_slot.filter(|(_, open)| *open != 0).collect();
        Report {
            domain: driver.shown(),
            grace_period,
            age,
            open: by_cpu.iter().map(|(_, open)| open).sum(),
            by_cpu,
            sites: oldest_first(driver.domain()),
            deadlock: None,
            over_budget: None,
        }
    }
}

fn oldest_first(domain: *const State) -> Vec<Site> {
    let mut sites = trace::open(domain);
    sites.sort_by_key(|site| core::cmp::Reverse(site.age));
    sites
}

/// Reports that the calling thread is about to be held up. It has no lock of ours, and leads nothing.
pub(crate) fn report_held_up(state: &State, driver: &Driver, budget: Budget, held: (u64, u64)) {
    let readers = &state.gp.readers;
    // Of both phases, while sections begin and end: about so many.
    let by_cpu: Vec<_> = readers.word().map_or_else(Vec::new, |word| {
        let words = [word.get(), word.get() ^ sys::PHASE_BIT];
        let open = |slot| words.map(|word| readers.open_in(word, slot));
        let by_slot = (0..sys::slots()).map(|slot| (slot, open(slot).iter().sum::<i64>()));
        by_slot.filter(|(_, open)| *open != 0).collect()
    });
    let report = Report {
        domain: driver.shown(),
        grace_period: driver.progress.sequence.done() + 1,
        age: driver.clock.age(driver),
        open: by_cpu.iter().map(|(_, open)| open).sum::<i64>().max(0),
        by_cpu,
        sites: oldest_first(driver.domain()),
        deadlock: None,
        over_budget: Some(OverBudget {
            budget,
            pending: held.0,
            pending_bytes: held.1,
            own_section: trace::begun_by_this_thread(driver.domain()).map(|site| site.place),
        }),
    };
    report_to_hook(&report);
}

impl Clock {
    /// Tells what could not be told elsewhere. To be called as [`Watch::tell`].
    pub(crate) fn tell(&self) {
        let untold = self.untold.lock().take();
        if let Some(report) = untold {
            report_to_hook(&report);
        }
    }

    /// How long the domain's grace period is known to wait.
    fn age(&self, driver: &Driver) -> Duration {
        let waiting = self.waiting.lock();
        let round = driver.progress.sequence.done() + 1;
        match &*waiting {
            Some(waiting) if waiting.round == round => waiting.since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// The domain's grace period that is not over, as of now if it was not known to wait yet.
    fn with<R>(&self, driver: &Driver, f: impl FnOnce(&mut Waiting) -> R) -> R {
        let mut waiting = self.waiting.lock();
        let round = driver.progress.sequence.done() + 1;
        let waiting = match &mut *waiting {
            Some(waiting) if waiting.round == round => waiting,
            other => {
                let since = Instant::now();
                other.insert(Waiting {
                    round,
                    since,
                    next: since.checked_add(timeout()),
                    reported: false,
                })
            }
        };
        f(waiting)
    }
}

thread_local! {
    /// The process in which the thread is inside the hook; 0: in none. Without a destructor: it is
    /// there as long as the thread is.
    static REPORTING: Cell<u64> = const { Cell::new(0) };
}

/// Whether the calling thread is inside the hook. A child that the hook has forked is not.
pub(crate) fn is_in_hook() -> bool {
    REPORTING.get() == fork::generation()
}

fn report_to_hook(report: &Report) {
    let outer = REPORTING.replace(fork::generation());
    // A hook that panics must not end a grace period early, nor the worker.
    sync::as_user(|| {
        hook::use_up(HOOK.get(), |hook| match hook {
            Some(hook) => hook(report),
            None => default_hook(report),
        });
    });
    REPORTING.set(outer);
}
