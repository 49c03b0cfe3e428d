//! A service's configuration, read by every worker thread and replaced fifty times a second.
//!
//! Worker threads look routes and features up as fast as they can while the file that they come
//! from is rewritten, now and then with a mistake in it. What changes is noticed, parsed, validated
//! and published with [`urcu::Rcu`]; the version before it comes back after its grace period. Every
//! read is checked: its content has to be whole, and never older than the version whose
//! `replace` had returned before the read began. The same is done with `arc_swap::ArcSwap` and
//! `std::sync::RwLock<Arc<_>>`, in turns, to see what the difference is.
//!
//! ```text
//! cargo run --release --example config_reload -- --seconds 10 --readers 2
//! ```
//!
//! `store.rs` is where the library is used, `watch` is what notices changes of the file; the rest is
//! the service around them.

mod config;
mod console;
mod interrupt;
mod ledger;
mod reload;
mod report;
mod store;
mod table;
mod watch;
mod worker;
mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use arc_swap::ArcSwap;
use clap::Parser;
use urcu::Rcu;

use crate::console::Console;
use crate::ledger::Ledger;
use crate::reload::Reloader;
use crate::report::Results;
use crate::store::Store;
use crate::table::Table;
use crate::watch::FileWatch;
use crate::worker::{Request, Tally, Work};
use crate::writer::Writer;

/// The file is rewritten this often.
const TICK: Duration = Duration::from_millis(20);
/// The stores take turns so many times, so that each gets its part of what else the machine does.
const ROUNDS: u32 = 3;
/// If the last version of a turn is not in force after so long, it is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a configuration from many threads while it is being replaced.
#[derive(Debug, Parser)]
struct Args {
    /// How long to run, in all
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// How many threads read [default: as many as there are CPUs]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    readers: Option<u16>,
    /// A configuration to use instead of the one that comes with the program; it is not modified
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show every refused file, instead of the first few of a kind
    #[arg(long)]
    verbose: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (1.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 1 to 86400 is needed".into()),
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            let _ = writeln!(io::stderr().lock(), "{reason}");
            ExitCode::from(2)
        }
    }
}

/// Runs everything; `false` if anything was stale or went wrong, an error if it cannot run at all or
/// was interrupted.
fn run(args: &Args) -> Result<bool, String> {
    let shipped =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config_reload/service.toml");
    let original = args.config.clone().unwrap_or_else(shipped);
    let text = config::read(&original).map_err(|refusal| refusal.at(&original).to_string())?;
    let config = config::parse(&text).map_err(|refusal| refusal.at(&original).to_string())?;
    let table =
        config::build(&config, &text, 0).map_err(|refusal| refusal.at(&original).to_string())?;
    let readers = match args.readers {
        Some(readers) => readers.into(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };

    let directory = Scratch::new().map_err(|error| format!("no temporary directory: {error}"))?;
    let file = directory.0.join("service.toml");
    fs::write(&file, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    interrupt::catch();
    let length = Duration::from_secs_f64(args.seconds);
    let mut service = Service {
        ledger: Mutex::new(Ledger::new(table.version(), config.version.span().start)),
        requests: (0..readers)
            .map(|n| worker::requests(&config, n as u64))
            .collect(),
        writer: Writer::new(&file, text, &config),
        console: Console::new(length, args.verbose),
        file: &file,
        start: Instant::now(),
    };
    service.console.print(format_args!(
        "{}: {} backends, {} routes, {} features; {readers} readers, {} s",
        original.display(),
        config.backend.len(),
        config.route.len(),
        config.feature.len(),
        args.seconds,
    ));
    drop((config, table));

    // What part of a round each turn gets. Most of it goes to the lookups through `Rcu`.
    let round = length / ROUNDS;
    let (mut rcu, mut arc_swap, mut rw_lock) = Default::default();
    let mut serve = || -> Result<(), String> {
        for n in 0..ROUNDS {
            let until = |part| round * n + round.mul_f64(part);
            service.turn::<Rcu<Table>>(Work::Lookup, until(0.54), &mut rcu)?;
            service.turn::<ArcSwap<Table>>(Work::Lookup, until(0.68), &mut arc_swap)?;
            service.turn::<RwLock<Arc<Table>>>(Work::Lookup, until(0.82), &mut rw_lock)?;
            service.turn::<Rcu<Table>>(Work::VersionOnly, until(0.88), &mut rcu)?;
            service.turn::<ArcSwap<Table>>(Work::VersionOnly, until(0.94), &mut arc_swap)?;
            service.turn::<RwLock<Arc<Table>>>(Work::VersionOnly, until(1.0), &mut rw_lock)?;
        }
        Ok(())
    };
    let served = serve();
    let console = &service.console;
    console.finish();
    // From here on there is a closing line, whatever has gone wrong.
    if let Err(reason) = served {
        console.error(&reason);
    }
    let ledger = service
        .ledger
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match report::text(&[&rcu, &arc_swap, &rw_lock], &ledger) {
        Ok(text) => console.print(text),
        Err(error) => console.error(&error.to_string()),
    }
    let stale = rcu.stale + arc_swap.stale + rw_lock.stale;
    let closing = || {
        format!(
            "config_reload: reads={} reloads={} stale={stale} errors={}",
            rcu.lookups.reads,
            rcu.timings.total.len(),
            console.errors(),
        )
    };
    let errors = console.errors();
    console.print(closing());
    if console.errors() != errors {
        console.line(closing()); // It could not be written to where it belongs.
    }
    if stale != 0 || console.errors() != 0 {
        return Ok(false);
    }
    if interrupt::asked() {
        return Err("interrupted".into());
    }
    Ok(true)
}

/// What stays the same from turn to turn.
#[derive(Debug)]
struct Service<'a> {
    file: &'a Path,
    writer: Writer,
    ledger: Mutex<Ledger>,
    console: Console,
    /// By reader.
    requests: Vec<Vec<Request>>,
    start: Instant,
}

impl Service<'_> {
    /// Serves through a store of type `S`, until so long after the start of the program: readers,
    /// reloader and, on this thread, the writer.
    fn turn<S: Store>(
        &mut self,
        work: Work,
        until: Duration,
        results: &mut Results,
    ) -> Result<(), String> {
        if interrupt::asked() {
            return Ok(());
        }
        // Before the file is read: what changes after that is noticed.
        let watch = FileWatch::new(self.file)
            .map_err(|error| format!("{}: cannot be watched: {error}", self.file.display()))?
            // Without notifications it keeps up with the writer, too.
            .look_every(Duration::from_secs(2), TICK);
        let text = config::read(self.file).map_err(|refusal| refusal.at(self.file).to_string())?;
        let table = config::parse(&text)
            .and_then(|config| config::build(&config, &text, 0))
            .map_err(|refusal| refusal.at(self.file).to_string())?;
        let published = AtomicU64::new(table.version());
        let store = S::new(table);
        let stop = &AtomicBool::new(false);
        let tallies: Vec<Tally> = self.requests.iter().map(|_| Tally::default()).collect();
        let Self {
            file,
            writer,
            ledger,
            console,
            requests,
            start,
            ..
        } = self;
        let reloader = Reloader {
            file,
            store: &store,
            published: &published,
            ledger,
            console,
        };

        let (reading, timings) = thread::scope(|scope| {
            let stop_at_the_end = StopOnDrop(stop);
            let reloading = scope.spawn(move || reloader.run(watch, text, stop));
            let workers: Vec<_> = requests
                .iter()
                .zip(&tallies)
                .map(|(requests, tally)| {
                    let (store, published) = (&store, &published);
                    scope.spawn(move || worker::run(store, work, requests, published, tally, stop))
                })
                .collect();

            let begun = Instant::now();
            while start.elapsed() + TICK < until && !interrupt::asked() {
                thread::sleep(TICK);
                if let Err(error) = writer.write(ledger) {
                    console.error(&format!("writing the file: {error}"));
                }
                let reads = tallies.iter().map(Tally::reads).sum::<u64>() as f64;
                let stale = tallies.iter().map(Tally::stale).sum::<u64>();
                let message = format!(
                    "{}: {:.1} M reads/s, version {}, {} stale, {} errors",
                    S::NAME,
                    reads / begun.elapsed().as_secs_f64() / 1e6,
                    published.load(Ordering::Relaxed),
                    results.stale + stale,
                    console.errors(),
                );
                console.progress(start.elapsed(), message);
            }
            finish(writer, ledger, &published, console);

            drop(stop_at_the_end);
            let reading: Option<Vec<_>> = workers.into_iter().map(|w| w.join().ok()).collect();
            (reading, reloading.join().ok())
        });
        let reading = reading.ok_or("a reader has panicked")?;
        results.add(
            S::NAME,
            work,
            &tallies,
            &reading,
            timings.ok_or("the reloader has panicked")?,
        );
        Ok(())
    }
}

/// Ends a turn with a valid version, and sees that it comes into force.
fn finish(writer: &mut Writer, ledger: &Mutex<Ledger>, published: &AtomicU64, console: &Console) {
    if let Err(error) = writer.write_valid(ledger) {
        return console.error(&format!("writing the file: {error}"));
    }
    let last = ledger
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .newest();
    let written = Instant::now();
    while published.load(Ordering::Relaxed) < last {
        if written.elapsed() > PATIENCE {
            return console.error(&format!(
                "version {last} was written and never came into force"
            ));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Tells the other threads to stop, also if this one panics: they are waited for then too.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A directory of our own, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let name = format!("config_reload-{}-{tries}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 100 => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing more can be done about it if this fails.
        let _ = fs::remove_dir_all(&self.0);
    }
}
