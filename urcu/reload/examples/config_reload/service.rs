//! A turn: the library keeps a table up to date with the file, readers look things up in it, and a writer
//! rewrites the file.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use urcu_reload::{Change, Error, Invalid, Watched};

use crate::config::{self, Config};
use crate::console::Console;
use crate::ledger::Ledger;
use crate::report::{Results, Timings};
use crate::store::Store;
use crate::table::Table;
use crate::worker::{self, Request, Tally, Work};
use crate::writer::Writer;

/// The file is rewritten this often.
const TICK: Duration = Duration::from_millis(20);
/// If the last version of a turn is not in force after so long, it is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts watching: tells the library the file, how to make a table of it, and which versions to refuse.
pub(crate) fn watch(file: &Path) -> Result<Watched<Table>, Error> {
    urcu_reload::watch::<Table>(file)
        .convert(|config: Config| config::build(&config))
        .validate_change(|old, new| {
            let (old, new) = (old.version(), new.version());
            if new > old {
                return Ok(());
            }
            let reason = format!("version {new} is not newer than version {old}");
            Err(Invalid::new(reason).at_key("version"))
        })
        // The file is only ever replaced by a rename: it is complete when it is there.
        .debounce(Duration::ZERO)
        // Without notifications it keeps up with the writer, too.
        .poll_every(TICK)
        .start()
}

/// The parts that stay the same from turn to turn.
pub(crate) struct Service<'a> {
    pub(crate) file: &'a Path,
    pub(crate) writer: Writer,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) console: Arc<Console>,
    /// By reader.
    pub(crate) requests: Vec<Vec<Request>>,
    pub(crate) start: Instant,
    pub(crate) is_interrupted: Arc<AtomicBool>,
}

impl Service<'_> {
    /// Serves through a store of type `S`, until so long after the start of the program.
    pub(crate) fn turn<S: Store>(
        &mut self,
        work: Work,
        until: Duration,
        results: &mut Results,
    ) -> Result<(), String> {
        if self.is_interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        let config = watch(self.file).map_err(|error| error.to_string())?;
        let store = S::new(&config);
        let reloads = Arc::new(Reloads {
            published: AtomicU64::new(config.read().version()),
            timings: Mutex::default(),
            store,
            ledger: Arc::clone(&self.ledger),
            console: Arc::clone(&self.console),
        });
        let hook = Arc::clone(&reloads);
        config.on_change(move |change| hook.changed(change));
        let hook = Arc::clone(&reloads);
        config.on_error(move |error| hook.refused(error));
        // Versions written before the hooks were there are not told to them.
        reloads
            .published
            .fetch_max(config.read().version(), Ordering::Release);

        let (tallies, reading) = self.serve(&reloads, work, until, results)?;
        config.stop();
        let panics = config.status().counts.hook_panics;
        if panics != 0 {
            return Err(format!("{panics} hooks have panicked"));
        }
        let timings = std::mem::take(&mut *reloads.lock_timings());
        results.add(S::NAME, work, &tallies, &reading, timings);
        Ok(())
    }

    /// Readers, and, on this thread, the writer.
    fn serve<S: Store>(
        &mut self,
        reloads: &Reloads<S>,
        work: Work,
        until: Duration,
        results: &Results,
    ) -> Result<(Vec<Tally>, Vec<Duration>), String> {
        let stop = &AtomicBool::new(false);
        let requests = std::mem::take(&mut self.requests);
        let tallies: Vec<Tally> = requests.iter().map(|_| Tally::default()).collect();
        let Reloads {
            store, published, ..
        } = reloads;
        let reading: Option<Vec<_>> = thread::scope(|scope| {
            let stop_at_the_end = StopOnDrop(stop);
            let readers = requests.iter().zip(&tallies).map(|(requests, tally)| {
                scope.spawn(move || worker::run(store, work, requests, published, tally, stop))
            });
            let readers: Vec<_> = readers.collect();
            self.write(reloads, until, &tallies, results);
            drop(stop_at_the_end);
            readers
                .into_iter()
                .map(|reader| reader.join().ok())
                .collect()
        });
        self.requests = requests;
        Ok((tallies, reading.ok_or("a reader has panicked")?))
    }

    fn write<S: Store>(
        &mut self,
        reloads: &Reloads<S>,
        until: Duration,
        tallies: &[Tally],
        results: &Results,
    ) {
        let begun = Instant::now();
        let is_interrupted = || self.is_interrupted.load(Ordering::Relaxed);
        while self.start.elapsed() + TICK < until && !is_interrupted() {
            thread::sleep(TICK);
            if let Err(error) = self.writer.write(&self.ledger) {
                self.console.error(&format!("writing the file: {error}"));
            }
            let reads = tallies.iter().map(Tally::reads).sum::<u64>() as f64;
            let stale = tallies.iter().map(Tally::stale).sum::<u64>();
            self.console.progress(
                self.start.elapsed(),
                format_args!(
                    "{}: {:.1} M reads/s, version {}, {} stale, {} errors",
                    S::NAME,
                    reads / begun.elapsed().as_secs_f64() / 1e6,
                    reloads.published.load(Ordering::Relaxed),
                    results.stale + stale,
                    self.console.errors(),
                ),
            );
        }
        self.finish(&reloads.published);
    }

    /// Ends a turn with a valid version, and sees that it comes into force.
    fn finish(&mut self, published: &AtomicU64) {
        if let Err(error) = self.writer.write_valid(&self.ledger) {
            return self.console.error(&format!("writing the file: {error}"));
        }
        let last = lock(&self.ledger).newest();
        let written = Instant::now();
        while published.load(Ordering::Relaxed) < last {
            if written.elapsed() > PATIENCE {
                return self.console.error(&format!(
                    "version {last} was written and never came into force"
                ));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The hooks' record of a turn's versions.
struct Reloads<S> {
    store: S,
    /// The version that every read sees that begins now.
    published: AtomicU64,
    timings: Mutex<Timings>,
    ledger: Arc<Mutex<Ledger>>,
    console: Arc<Console>,
}

impl<S: Store> Reloads<S> {
    fn changed(&self, change: &Change<Table>) {
        let version = change.new.version();
        let begun = Instant::now();
        self.store.publish(change);
        let took = change.publication + begun.elapsed();
        // From here on no read may see an older version: the readers hold the store to it.
        self.published.store(version, Ordering::Release);
        let done = Instant::now();
        let mut ledger = lock(&self.ledger);
        let written = ledger.get(version);
        if let Err(wrong) = ledger.judge_published(version) {
            self.console.error(&wrong);
        }
        drop(ledger);
        if let Some(written) = written {
            let mut timings = self.lock_timings();
            let begun = change.new.begun();
            timings
                .notice
                .push(begun.saturating_duration_since(written.at));
            timings
                .build
                .push(change.new.built().saturating_duration_since(begun));
            timings.publish.push(took);
            timings
                .total
                .push(done.saturating_duration_since(written.at));
        }
    }

    fn refused(&self, error: &Error) {
        let verdict = lock(&self.ledger).judge_refused(error);
        match verdict {
            Ok(fault) => {
                let in_force = self.published.load(Ordering::Relaxed);
                self.console.refused(fault, error, in_force);
            }
            Err(wrong) => self.console.error(&wrong),
        }
    }

    fn lock_timings(&self) -> std::sync::MutexGuard<'_, Timings> {
        lock(&self.timings)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the readers to stop, also if this thread panics: they are waited for then too.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
