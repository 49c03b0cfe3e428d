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
    /// So many more verified reads.
    pub fn read(&self, count: u64) {
        self.reads.fetch_add(count, Relaxed);
    }

    /// One more version was reclaimed, or whatever else shows that grace periods end.
    pub fn updated(&self) {
        self.updates.fetch_add(1, Relaxed);
    }
}

/// A scenario that runs.
#[derive(Debug)]
pub struct Run {
    /// The settings of the run.
    pub settings: Settings,
    name: &'static str,
    start: Instant,
    over: AtomicBool,
    /// Nobody has to make progress now.
    stalled: AtomicBool,
    counters: Mutex<Vec<&'static Counter>>,
    domains: Mutex<Vec<&'static Domain>>,
    places: Mutex<Vec<&'static Place>>,
    /// Of domains that are gone, or of other processes.
    more: Mutex<Counts>,
    /// Set by who tells the result, which is told once.
    told: AtomicBool,
    /// Not that of a child that a scenario forked.
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
    /// Returns a run that begins now, and is there until the process ends.
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

    /// Verifies in the end that all that was retired is reclaimed, and that something was verified at all.
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
            self.fault("the end", format!("nothing was verified: {counts:?}"));
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

    /// Time since the beginning.
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

    /// Returns whether that is wrong on purpose.
    pub fn broken(&self, which: Break) -> bool {
        self.settings.broken == Some(which) && !self.settings.placebo
    }

    /// Returns whether the library is wrong on purpose (or would be, but for a placebo), so that
    /// callbacks are not to be used.
    pub fn library_is_broken(&self) -> bool {
        self.settings.broken.is_some_and(Break::is_inside)
    }

    /// Says that updates need make no progress, until it is said that they must again.
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, SeqCst);
    }

    /// Returns whether updates need make no progress now.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(SeqCst)
    }

    /// Returns true to its first caller, who tells the result: it is told once.
    pub(crate) fn tells(&self) -> bool {
        !self.told.swap(true, SeqCst)
    }

    /// Returns a domain whose statistics count.
    pub fn domain(&self, domain: Domain) -> &'static Domain {
        let domain: &'static Domain = Box::leak(Box::new(domain));
        lock(&self.domains).push(domain);
        domain
    }

    /// Counts a domain that is about to go.
    pub fn add_stats(&self, stats: &Stats) {
        lock(&self.more).add(stats);
    }

    /// Counts what other processes did.
    pub fn add_counts(&self, counts: &Counts) {
        let mut more = lock(&self.more);
        more.reads += counts.reads;
        more.updates += counts.updates;
        more.grace_periods += counts.grace_periods;
    }

    /// So many places of a domain.
    pub fn places(&self, domain: &'static Domain, count: usize) -> Vec<&'static Place> {
        let places: Vec<_> = (0..count).map(|_| Place::leak(domain)).collect();
        lock(&self.places).extend(&places);
        places
    }

    /// Something to be told with the result.
    pub fn note(&self, text: impl Into<String>) {
        lock(&self.notes).push(text.into());
    }

    /// Something to be counted with the result.
    pub fn tally(&self, what: &'static str, count: u64) {
        *lock(&self.tallies).entry(what).or_default() += count;
    }

    /// A fault, which ends the run. The parent is told at once: it knows of it even if this process
    /// crashes, or hangs, right after.
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

    /// A fault in a signal handler. Async-signal-safe.
    #[cold]
    pub fn fault_in_handler(&self, fault: &Fault) {
        // A fault that is found by looking is numbers alone.
        self.in_handlers.add(fault);
        self.over.store(true, SeqCst);
    }

    /// Notes a panic, wherever it happens.
    pub(crate) fn panicked(&self, panic: &PanicHookInfo<'_>) {
        // There is none any more in the last destructors.
        let _ = PANICKED.try_with(|panicked| panicked.set(true));
        let thread = std::thread::current();
        self.fault(thread.name().unwrap_or("some thread"), panic);
    }

    /// Does something that may panic, which is a fault of whoever does it. One without a call of the
    /// panic hook, too.
    fn guarded(&self, who: &str, body: impl FnOnce()) {
        PANICKED.set(false);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(body))
            && !PANICKED.take()
        {
            self.fault(who, format!("a panic: {}", words(&*payload)));
        }
    }

    /// Starts a thread, which [`Run::join`] waits for. Threads that are started in the same order
    /// decide the same with the same seed.
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

    /// Returns the state of a thread that the caller starts, or is.
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
            // Its panics are caught inside.
            let _ = thread.join();
        }
    }

    /// Returns what was counted so far.
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

    /// Returns what became of it so far.
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
    /// True if the hook has told the panic of this thread.
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Returns a panic's message.
fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("of some kind")
}

/// A line on standard error, without the standard library's lock. For forked children.
pub fn write_error(text: &str) {
    let line = format!("{text}\n");
    // SAFETY: so many bytes are there.
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
    /// Its dice.
    pub random: Random,
    /// Its counters.
    pub counter: &'static Counter,
    /// True if it has been told that this is the last time through its loop.
    last: Cell<bool>,
}

impl Thread {
    /// Returns whether it is time to stop. Once more `false` when it is: a thread that did not get to run
    /// in time, on a busy machine, does what it does once.
    #[inline(always)]
    pub fn over(&self) -> bool {
        self.run.over() && self.last.replace(true)
    }

    /// Returns a fault, if there was one. Whether all is well.
    pub fn check<T>(&self, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|fault| self.run.fault(&self.name, fault))
            .ok()
    }

    /// True once in so many times, if that is broken on purpose.
    pub fn breaks(&mut self, which: Break, one_in: u64) -> bool {
        self.run.broken(which) && self.random.one_in(one_in)
    }
}
