//! Reports of grace periods that take too long, and of deadlocks with oneself.
//!
//! A grace period ends when the sections that were open have ended. If one does not (it blocks, its
//! guard was forgotten, its thread does not get to run) memory grows and callers hang; what is
//! needed then is to know *who*. A grace period that takes longer than the [`timeout`] is reported
//! through the [hook](set_hook), then again at twice that age, and so on.
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
//! With the feature `stall-trace` (and in debug builds, at a cost of some tens of nanoseconds for
//! each section) the report also says where the sections began. The idea is that of the stall
//! detector of the Linux kernel (`kernel/rcu/tree_stall.h`).

use core::cell::Cell;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use crate::domain::State;
use crate::fork;
use crate::hook::Hook;
use crate::machine::{self, Mutex};
use crate::tasks::Tasks;
use crate::trace;
pub use crate::trace::Site;

/// How long a thread waits for a section of its own, in builds that would know, before it gives up
/// and panics. Its guard may have been moved, so it is given some time.
const DEADLOCK: Duration = Duration::from_secs(3);

/// What a grace period has waited for too long.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The domain: its name, or its address.
    pub domain: String,
    /// Which of the domain's grace periods, counted from 1.
    pub grace_period: u64,
    /// How long it has waited.
    pub age: Duration,
    /// How many sections it waits for.
    pub open: i64,
    /// By CPU (or slot, in general), how many sections more began there than ended there. Sections
    /// may end on another CPU, so this hints at where to look; the sum is exact.
    pub by_cpu: Vec<(usize, i64)>,
    /// Where sections began that are open now, the oldest first; some of them may be of the next
    /// grace period. Empty without the feature `stall-trace` in builds without debug assertions.
    pub sites: Vec<Site>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.open == 1 { "" } else { "s" };
        write!(
            f,
            "grace period {} of {} has waited {:.3?} for {} open read-side section{plural}",
            self.grace_period, self.domain, self.age, self.open
        )?;
        for (number, (cpu, open)) in self.by_cpu.iter().enumerate() {
            let before = if number == 0 { "; by CPU: " } else { ", " };
            write!(f, "{before}{cpu}: {open:+}")?;
        }
        for (number, site) in self.sites.iter().enumerate() {
            let before = if number == 0 { "; begun at " } else { ", " };
            let Site { place, thread, age } = site;
            write!(f, "{before}{place} ({age:.3?} ago, thread {thread})")?;
        }
        if self.sites.is_empty() {
            write!(f, "; the feature `stall-trace` says where they began")?;
        }
        Ok(())
    }
}

/// None for the default.
static HOOK: Hook<dyn Fn(&Report) + Send + Sync> = Hook::new();
static TIMEOUT: AtomicU64 = AtomicU64::new(10_000_000_000);

/// What is called with every report, in the place of the default: a line through `tracing` or
/// `log`, whichever of these features is on, else on standard error. It runs on a thread that
/// leads the grace period: waiting for one of the same domain, or dropping that, panics there; it may
/// read and retire. A panic in it is caught. A child that it forks may do all that, but must end
/// in it if it has dropped the domain, or has threads of its own that wait for grace periods.
pub fn set_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    HOOK.set(Some(Arc::new(hook)));
}

/// Back to the default.
pub fn remove_hook() {
    HOOK.set(None);
}

/// After what time a grace period is reported for the first time, in all domains; 10 s unless set.
/// [`Duration::MAX`]: never. Grace periods that wait already keep to what was set before.
///
/// With debug assertions this is also how long a thread that waits for a section it has begun
/// itself is given before it panics, three seconds at most: the guard may have been moved.
pub fn set_timeout(timeout: Duration) {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    TIMEOUT.store(nanoseconds, Ordering::Relaxed);
}

/// What [`set_timeout`] set.
pub fn timeout() -> Duration {
    match TIMEOUT.load(Ordering::Relaxed) {
        u64::MAX => Duration::MAX,
        nanoseconds => Duration::from_nanos(nanoseconds),
    }
}

fn default_hook(report: &Report) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "urcu", "{report}");
    #[cfg(all(feature = "log", not(feature = "tracing")))]
    log::warn!(target: "urcu", "{report}");
    #[cfg(not(any(feature = "log", feature = "tracing")))]
    {
        // Not `eprintln!`, which panics where there is no standard error.
        machine::write_line(&format!("urcu: {report}\n"));
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
pub(crate) struct Clock(Mutex<Option<Waiting>>);

/// What a caller that waits for a grace period does besides.
pub(crate) struct Watch<'a> {
    context: Option<(&'a State, &'a Tasks)>,
    /// Whether the calling thread itself waits.
    blocks: bool,
    since: Cell<Option<Instant>>,
    gave_up: Cell<bool>,
}

impl<'a> Watch<'a> {
    /// Nothing.
    pub(crate) const fn none() -> Self {
        Watch {
            context: None,
            blocks: false,
            since: Cell::new(None),
            gave_up: Cell::new(false),
        }
    }

    /// For a thread that waits itself.
    ///
    /// # Panics
    /// In the hook for a stall of the same domain.
    pub(crate) fn blocking(state: &'a State, tasks: &'a Tasks) -> Self {
        assert_outside_hook(state);
        Watch {
            context: Some((state, tasks)),
            blocks: true,
            since: Cell::new(None),
            gave_up: Cell::new(false),
        }
    }

    /// For the worker and others who come again.
    pub(crate) const fn passing(state: &'a State, tasks: &'a Tasks) -> Self {
        Watch {
            context: Some((state, tasks)),
            blocks: false,
            since: Cell::new(None),
            gave_up: Cell::new(false),
        }
    }

    /// Nothing in a child that was forked in the middle of what the caller does: what waits there
    /// is its parent's.
    fn context(&self) -> Option<(&'a State, &'a Tasks)> {
        self.context.filter(|(_, tasks)| tasks.is_ours())
    }

    /// The sequences were restarted; whether a barrier was issued for it.
    pub(crate) fn restarted(&self, issued: bool) {
        if let (Some((_, tasks)), true) = (self.context, issued) {
            tasks.counts.membarriers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A grace period is about to end, whose period was `old`.
    pub(crate) fn ends(&self, old: usize) {
        if let Some((state, tasks)) = self.context() {
            tasks.collect(state, old);
        }
    }

    /// How long whoever leads may sleep before it calls [`Watch::look`].
    pub(crate) fn patience(&self) -> Option<Duration> {
        let (state, tasks) = self.context()?;
        let next = tasks.clock.with(state, |waiting| waiting.next);
        let left = next.map(|next| next.saturating_duration_since(Instant::now()));
        [left, self.patience_of_a_follower()]
            .into_iter()
            .flatten()
            .min()
    }

    /// How long a thread may sleep while others lead before it calls [`Watch::follow`].
    pub(crate) fn patience_of_a_follower(&self) -> Option<Duration> {
        let (state, _) = self.context()?;
        if !self.blocks {
            return None;
        }
        trace::begun_by_this_thread(state)?;
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        Some(DEADLOCK.min(timeout()).saturating_sub(since.elapsed()))
    }

    /// A follower has slept.
    ///
    /// # Panics
    /// If it waits for itself.
    pub(crate) fn follow(&self) {
        let (Some((state, _)), Some(since)) = (self.context(), self.since.get()) else {
            return;
        };
        if since.elapsed() < DEADLOCK.min(timeout()) {
            return;
        }
        if let Some(place) = trace::begun_by_this_thread(state) {
            self.gave_up.set(true);
            panic!(
                "a thread waits for a grace period of {} inside a read-side section of the same \
                 domain, which began at {place}: it would wait for itself for ever; drop the guard \
                 first (a guard that was moved to another thread and rests there unused looks the \
                 same after {:?})",
                state.shown(),
                DEADLOCK.min(timeout()),
            );
        }
    }

    /// Whether [`Watch::follow`] has panicked.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up.get()
    }

    /// Whoever leads has slept: reports if it is time. `open` counts the sections by slot.
    ///
    /// # Panics
    /// As [`Watch::follow`].
    pub(crate) fn look(&self, open: impl Fn(usize) -> i64) {
        let Some((state, tasks)) = self.context() else {
            return;
        };
        self.follow();
        let due = tasks.clock.with(state, |waiting| {
            let age = waiting.since.elapsed();
            if waiting.next.is_none_or(|next| Instant::now() < next) {
                return None;
            }
            waiting.next = waiting.since.checked_add(age * 2);
            let first = !std::mem::replace(&mut waiting.reported, true);
            Some((waiting.round, age, first))
        });
        let Some((grace_period, age, first)) = due else {
            return;
        };
        let by_slot = (0..machine::slots()).map(|slot| (slot, open(slot)));
        let by_cpu: Vec<_> = by_slot.filter(|(_, open)| *open != 0).collect();
        let open = by_cpu.iter().map(|(_, open)| open).sum();
        if open == 0 {
            return; // Over just now.
        }
        if first {
            tasks.counts.stalls.fetch_add(1, Ordering::Relaxed);
        }
        let mut sites = trace::open(state);
        sites.sort_by_key(|site| core::cmp::Reverse(site.age));
        let report = Report {
            domain: state.shown().to_string(),
            grace_period,
            age,
            open,
            by_cpu,
            sites,
        };
        report_to_hook(state, &report);
    }
}

impl Clock {
    /// The domain's grace period that is not over, as of now if it was not known to wait yet.
    fn with<R>(&self, state: &State, f: impl FnOnce(&mut Waiting) -> R) -> R {
        let mut waiting = self.0.lock();
        let round = state.grace_periods.rounds.done() + 1;
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

/// A domain of which the thread is reporting a stall.
struct Reporting {
    state: *const State,
    /// The process that reports. A child that the hook forks leads nothing.
    incarnation: u64,
    /// The hook, called for that one, waits for another.
    outer: *const Reporting,
}

thread_local! {
    // Without a destructor: it is there as long as the thread is.
    static REPORTING: Cell<*const Reporting> = const { Cell::new(ptr::null()) };
}

/// Whoever reports leads the grace period and would wait for itself.
///
/// # Panics
/// If the calling thread is in the hook, with a report of this domain.
pub(crate) fn assert_outside_hook(state: &State) {
    let mut next = REPORTING.get();
    // SAFETY: these are on this thread's stack, and are taken off the list before they go.
    while let Some(reporting) = unsafe { next.as_ref() } {
        assert!(
            !ptr::eq(reporting.state, state) || reporting.incarnation != fork::incarnation(),
            "the hook for stalled grace periods, called for {0}, waits for a grace period of {0} or \
             drops it: it runs on the thread that leads that grace period, and would wait for \
             itself; do so on another thread",
            state.shown(),
        );
        next = reporting.outer;
    }
}

fn report_to_hook(state: &State, report: &Report) {
    let hook = HOOK.get();
    let call = || match &hook {
        Some(hook) => hook(report),
        None => default_hook(report),
    };
    let outer = REPORTING.get();
    let reporting = Reporting {
        state,
        incarnation: fork::incarnation(),
        outer,
    };
    REPORTING.set(&raw const reporting);
    // A hook that panics must not end a grace period early, nor the worker.
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) {
        crate::callbacks::discard(payload);
    }
    REPORTING.set(outer);
}
