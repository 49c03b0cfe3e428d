//! A run of one scenario, in a process of its own: its threads, counters and faults.
//!
//! Everything here lives until the process ends, so threads need not be scoped, callbacks can
//! refer to it, and what was broken on purpose cannot dangle.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use urcu::{Domain, Stats};
use urcu_host::machine;

use crate::breaks::Break;
use crate::counts::Counts;
use crate::faults::{Faults, InHandlers};
use crate::outcome::{Message, Outcome};
use crate::random::Random;
use crate::settings::Settings;
use crate::versions::{Fault, Place};

/// A thread's counters, on a line of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counter {
    reads: AtomicU64,
    updates: AtomicU64,
}

impl Counter {
    /// Counts verified reads.
    pub fn read(&self, count: u64) {
        self.reads.fetch_add(count, Relaxed);
    }

    /// Counts a reclaimed version, or whatever else shows that grace periods end.
    pub fn updated(&self) {
        self.updates.fetch_add(1, Relaxed);
    }
}

/// A run of a scenario.
#[derive(Debug)]
pub struct Run {
    /// The settings of the run.
    pub settings: Settings,
    name: &'static str,
    start: Instant,
    over: AtomicBool,
    /// True while updates need make no progress.
    stalled: AtomicBool,
    counters: Mutex<Vec<&'static Counter>>,
    domains: Mutex<Vec<&'static Domain>>,
    places: Mutex<Vec<&'static Place>>,
    /// The counts of domains that are gone, and of other processes.
    more: Mutex<Counts>,
    /// Set by the thread that sends the result, which is sent once.
    told: AtomicBool,
    /// The process that runs the scenario, as opposed to children that it forks.
    process: u32,
    faults: Mutex<Faults>,
    in_handlers: InHandlers,
    notes: Mutex<Vec<String>>,
    tallies: Mutex<BTreeMap<&'static str, u64>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    started: AtomicU32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Run {
    /// Returns a run that begins now, and lives until the process ends.
    pub(crate) fn leak(name: &'static str, settings: Settings) -> &'static Run {
        Box::leak(Box::new(Run {
            settings,
            name,
            start: Instant::now(),
            over: AtomicBool::new(false),
            stalled: AtomicBool::new(false),
            counters: Mutex::default(),
            domains: Mutex::default(),
            places: Mutex::default(),
            more: Mutex::default(),
            told: AtomicBool::new(false),
            process: std::process::id(),
            faults: Mutex::default(),
            in_handlers: InHandlers::default(),
            notes: Mutex::default(),
            tallies: Mutex::default(),
            threads: Mutex::default(),
            started: AtomicU32::new(0),
        }))
    }

    /// Verifies, at the end, that everything retired was reclaimed, and that something was verified at all.
    pub(crate) fn settle(&self) {
        let domains = lock(&self.domains).clone();
        // Twice: callbacks may have queued others.
        for domain in domains.iter().chain(&domains) {
            domain.barrier();
        }
        let left: usize = lock(&self.places)
            .iter()
            .map(|place| place.outstanding())
            .sum();
        if left != 0 {
            self.fault("the end", format!("{left} versions were never reclaimed"));
        }
        let counts = self.counts();
        if counts.reads == 0 || counts.updates == 0 || counts.grace_periods == 0 {
            self.fault(
                "the end",
                format!("reads, updates or grace periods are 0: {counts:?}"),
            );
        }
    }

    /// Returns the name of the scenario.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns whether it is time to stop.
    #[inline(always)]
    pub fn over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Ends the run now.
    pub fn stop(&self) {
        self.over.store(true, SeqCst);
    }

    /// Returns the time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns how long the scenario is to run.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.settings.seconds)
    }

    /// Sleeps, but not far past the end.
    pub fn sleep(&self, time: Duration) {
        let left = self.length().saturating_sub(self.elapsed());
        std::thread::sleep(time.min(left.max(Duration::from_millis(1))));
    }

    /// Returns whether this is the fault that is made on purpose.
    pub fn broken(&self, which: Break) -> bool {
        self.settings.broken == Some(which) && !self.settings.placebo
    }

    /// Returns whether the control breaks the library, so that no callbacks may be queued. Also true for
    /// its placebo.
    pub fn library_is_broken(&self) -> bool {
        self.settings.broken.is_some_and(Break::is_inside)
    }

    /// Sets whether updates may stall: while this is true, they need make no progress.
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, SeqCst);
    }

    /// Returns whether updates need make no progress now.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(SeqCst)
    }

    /// Returns true to its first caller, which sends the result, and false to all others.
    pub(crate) fn tells(&self) -> bool {
        !self.told.swap(true, SeqCst)
    }

    /// Returns the domain with its statistics included in the run's counts.
    pub fn domain(&self, domain: Domain) -> &'static Domain {
        let domain: &'static Domain = Box::leak(Box::new(domain));
        lock(&self.domains).push(domain);
        domain
    }

    /// Adds the statistics of a domain that is about to be dropped.
    pub fn add_stats(&self, stats: &Stats) {
        lock(&self.more).add(stats);
    }

    /// Adds the counts of another process.
    pub fn add_counts(&self, counts: &Counts) {
        let mut more = lock(&self.more);
        more.reads += counts.reads;
        more.updates += counts.updates;
        more.grace_periods += counts.grace_periods;
    }

    /// Returns `count` new places of a domain.
    pub fn places(&self, domain: &'static Domain, count: usize) -> Vec<&'static Place> {
        let places: Vec<_> = (0..count).map(|_| Place::leak(domain)).collect();
        lock(&self.places).extend(&places);
        places
    }

    /// Adds a note to the result.
    pub fn note(&self, text: impl Into<String>) {
        lock(&self.notes).push(text.into());
    }

    /// Adds `count` to a tally, which the result prints as "COUNT WHAT".
    pub fn tally(&self, what: &'static str, count: u64) {
        *lock(&self.tallies).entry(what).or_default() += count;
    }

    /// Reports a fault, which ends the run. The parent is told at once, so that it knows of the fault even
    /// if this process crashes or hangs right after.
    #[cold]
    pub fn fault(&self, who: &str, what: impl Display) {
        self.over.store(true, SeqCst);
        let text = format!("{who}, after {:.3?}: {what}", self.elapsed());
        if std::process::id() != self.process {
            // Locks may be held by threads that a forked child does not have.
            return write_error(&text);
        }
        let mut faults = lock(&self.faults);
        if faults.add(&text) {
            drop(faults);
            Message::Fault(text).send();
        }
    }

    /// Reports a fault in a signal handler. Async-signal-safe.
    #[cold]
    pub fn fault_in_handler(&self, fault: &Fault) {
        // The faults that a look finds hold only numbers, so formatting them is async-signal-safe.
        self.in_handlers.add(fault);
        self.over.store(true, SeqCst);
    }

    /// Notes a panic, wherever it happens.
    pub(crate) fn panicked(&self, panic: &PanicHookInfo<'_>) {
        // The thread-local may be gone in a thread's last destructors.
        let _ = PANICKED.try_with(|panicked| panicked.set(true));
        let thread = std::thread::current();
        self.fault(thread.name().unwrap_or("some thread"), panic);
    }

    /// Runs `body`, and reports a panic as a fault of `who`, also one that did not call the panic hook.
    fn guarded(&self, who: &str, body: impl FnOnce()) {
        PANICKED.set(false);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body))
            && !PANICKED.take()
        {
            self.fault(who, format!("a panic: {}", words(&*payload)));
        }
    }

    /// Starts a thread, which [`Run::join`] waits for. With the same seed, threads that are started in the
    /// same order make the same random decisions.
    pub fn spawn(
        &'static self,
        role: &'static str,
        body: impl FnOnce(&mut Thread) + Send + 'static,
    ) {
        let mut thread = self.thread(role);
        let builder = std::thread::Builder::new().name(thread.name.clone());
        let started = builder.spawn(move || {
            let name = thread.name.clone();
            self.guarded(&name, || body(&mut thread));
        });
        match started {
            Ok(handle) => lock(&self.threads).push(handle),
            Err(error) => self.fault(role, format!("cannot start a thread: {error}")),
        }
    }

    /// Returns the state of a thread: of one that the caller starts, or of the caller itself.
    pub fn thread(&'static self, role: &'static str) -> Thread {
        let number = self.started.fetch_add(1, Relaxed);
        let counter: &'static Counter = Box::leak(Box::default());
        lock(&self.counters).push(counter);
        Thread {
            run: self,
            name: format!("{role}-{number}"),
            number,
            random: Random::new(self.settings.seed, u64::from(number)),
            counter,
            last: Cell::new(false),
        }
    }

    /// Waits for all threads that were started.
    pub fn join(&self) {
        loop {
            let Some(thread) = lock(&self.threads).pop() else {
                return;
            };
            // `guarded` has caught its panics.
            let _ = thread.join();
        }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        let mut counts = lock(&self.more).clone();
        for counter in lock(&self.counters).iter() {
            counts.reads += counter.reads.load(Relaxed);
            counts.updates += counter.updates.load(Relaxed);
        }
        for domain in lock(&self.domains).iter() {
            counts.add(&domain.stats());
        }
        counts.memory = machine::about_resident();
        counts
    }

    /// Returns the outcome so far.
    pub(crate) fn outcome(&self, skipped: Option<String>) -> Outcome {
        let mut faults = lock(&self.faults).clone();
        self.in_handlers.add_to(&mut faults);
        let mut notes = lock(&self.notes).clone();
        let tallies = lock(&self.tallies);
        if !tallies.is_empty() {
            let all = tallies
                .iter()
                .map(|(what, count)| format!("{count} {what}"));
            notes.push(all.collect::<Vec<_>>().join(", "));
        }
        Outcome {
            scenario: self.name.to_owned(),
            seconds: self.elapsed().as_secs_f64(),
            counts: self.counts(),
            threads: self.started.load(Relaxed),
            faults,
            notes,
            skipped,
        }
    }
}

thread_local! {
    /// True if the panic hook has reported the panic of this thread.
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Returns a panic's message.
fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("of some kind")
}

/// Writes a line to standard error without the standard library's lock, for forked children.
pub fn write_error(text: &str) {
    let line = format!("{text}\n");
    // SAFETY: `line` is valid for reads of its length.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

/// A thread of a run.
#[derive(Debug)]
pub struct Thread {
    /// The run.
    pub run: &'static Run,
    /// Its role and number.
    pub name: String,
    /// Counted from 0 in the order of starting.
    pub number: u32,
    /// Its random numbers.
    pub random: Random,
    /// Its counters.
    pub counter: &'static Counter,
    /// True if `over` has already returned `false` for the last turn of the thread's loop.
    last: Cell<bool>,
}

impl Thread {
    /// Returns whether it is time to stop. The first call after the end still returns `false`, so that a
    /// thread that a busy machine did not run in time does its work at least once.
    #[inline(always)]
    pub fn over(&self) -> bool {
        self.run.over() && self.last.replace(true)
    }

    /// Returns the value of a result, or reports its fault and returns `None`.
    pub fn check<T>(&self, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|fault| self.run.fault(&self.name, fault))
            .ok()
    }

    /// Returns true once in `one_in` calls on average if this control is on, and false otherwise.
    pub fn breaks(&mut self, which: Break, one_in: u64) -> bool {
        self.run.broken(which) && self.random.one_in(one_in)
    }
}
