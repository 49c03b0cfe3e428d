//! Picks the file up when it changes, and publishes what is valid.

use std::borrow::Borrow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{self, Refusal};
use crate::console::Console;
use crate::ledger::Ledger;
use crate::store::Store;
use crate::table::Table;
use crate::watch::FileWatch;

/// How long the parts of the reloads took: one entry each for every version published.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    /// From the rename until the reloader begins to read.
    pub(crate) notice: Vec<Duration>,
    /// Read, parse, validate, build.
    pub(crate) build: Vec<Duration>,
    /// The call of `replace`: with `Rcu`, the grace period.
    pub(crate) publish: Vec<Duration>,
    /// From the rename until every read that begins sees the version.
    pub(crate) total: Vec<Duration>,
}

/// The thread that keeps a store up to date with the file.
#[derive(Debug)]
pub(crate) struct Reloader<'a, S> {
    pub(crate) file: &'a Path,
    pub(crate) store: &'a S,
    /// The version whose `replace` has returned.
    pub(crate) published: &'a AtomicU64,
    pub(crate) ledger: &'a Mutex<Ledger>,
    pub(crate) console: &'a Console,
}

impl<S: Store> Reloader<'_, S> {
    /// Reloads whenever the file has another text than the one in the store, until `stop`. What has
    /// changed several times, or while a reload ran, is answered by a single reload.
    pub(crate) fn run(&self, mut watch: FileWatch, text: String, stop: &AtomicBool) -> Timings {
        let mut timings = Timings::default();
        let mut last = Ok(text);
        while !stop.load(Ordering::Relaxed) {
            if watch.wait(Duration::from_millis(50)) {
                self.reload(&mut last, &mut timings);
            }
        }
        timings
    }

    /// Reads the file and, unless it is what was read the `last` time, publishes it or says why not.
    fn reload(&self, last: &mut Result<String, Refusal>, timings: &mut Timings) {
        let started = Instant::now();
        let read = config::read(self.file);
        if *last == read {
            return;
        }
        let result = match &read {
            Ok(text) => self
                .build(text)
                .map(|table| self.publish(table, started, timings)),
            Err(Refusal::Missing) => Err(Refusal::Missing),
            Err(Refusal::Unreadable(kind)) => Err(Refusal::Unreadable(*kind)),
            Err(_) => unreachable!("nothing has been parsed"),
        };
        let refusal = result.err();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = ledger.judge(read.as_deref().ok(), refusal.as_ref());
        drop(ledger);
        match (verdict, refusal) {
            (Ok(Some(fault)), Some(refusal)) => {
                let in_force = self.published.load(Ordering::Relaxed);
                self.console
                    .refused(fault, &refusal.at(self.file), in_force);
            }
            (Ok(_), _) => {}
            (Err(wrong), _) => self.console.error(&wrong),
        }
        *last = read;
    }

    fn build(&self, text: &str) -> Result<Table, Refusal> {
        let config = config::parse(text)?;
        let in_force = self.published.load(Ordering::Relaxed);
        config::build(&config, text, in_force)
    }

    /// Publishes a version. The one before it comes back once no reader can be in it.
    fn publish(&self, table: Table, started: Instant, timings: &mut Timings) {
        let version = table.version();
        let before = self.published.load(Ordering::Relaxed);
        let built = Instant::now();
        let old = self.store.replace(table);
        // From here on no read may see an older version: the readers hold the store to it.
        self.published.store(version, Ordering::Release);
        let done = Instant::now();

        let returned = old.borrow().version();
        drop(old); // At once: a reader that were still in it would notice.
        if returned != before {
            self.console
                .error(&format!("version {returned} came back instead of {before}"));
        }
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(written) = ledger.get(version) {
            timings
                .notice
                .push(started.saturating_duration_since(written.at));
            timings.build.push(built - started);
            timings.publish.push(done - built);
            timings
                .total
                .push(done.saturating_duration_since(written.at));
        }
    }
}
