//! A service's configuration, read by every worker thread and replaced fifty times a second.
//!
//! Worker threads look up routes and features as fast as they can while the configuration file is rewritten.
//! One version in ten is broken on purpose, and must be refused for the right reason. [`urcu_reload`] notices
//! each change, parses and validates the file, and publishes it. Every read is checked: it must see a whole
//! version, and never one older than a version that was in force before the read began. For comparison, other
//! stores take turns with the same work: `replace`, which waits for readers, `arc_swap::ArcSwap`, and
//! `std::sync::RwLock<Arc<_>>`.
//!
//! ```text
//! cargo run --release --example config_reload -- --seconds 10 --readers 2
//! ```
//!
//! `service.rs` shows how to use the library; the example `minimal_reload` does the same in 30 lines.

mod arguments;
mod config;
mod console;
mod ledger;
mod report;
mod service;
mod store;
mod table;
mod worker;
mod writer;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;
use std::{fs, io, thread};

use arc_swap::ArcSwap;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use urcu_reload::{Version, Watched};

use crate::arguments::Arguments;
use crate::config::Config;
use crate::console::Console;
use crate::ledger::Ledger;
use crate::service::{Service, lock};
use crate::store::Replace;
use crate::table::Table;
use crate::worker::Work;
use crate::writer::Writer;

/// The number of rounds in which the stores take turns, so that other load on the machine meets all of them.
const ROUNDS: u32 = 3;

fn main() -> ExitCode {
    let ended = match Arguments::parse() {
        Ok(Some(arguments)) => run(&arguments),
        Ok(None) => Ok(true),
        Err(reason) => Err(reason),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            let _ = writeln!(io::stderr().lock(), "{reason}");
            ExitCode::from(2)
        }
    }
}

/// Runs everything. Returns `false` if a read was stale or anything went wrong, and an error if the program cannot
/// run or was interrupted.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let shipped =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config_reload/service.toml");
    let original = arguments.config.clone().unwrap_or_else(shipped);
    let told = |error: io::Error| format!("{}: {error}", original.display());
    let text = fs::read_to_string(&original).map_err(told)?;
    let directory =
        Scratch::new().map_err(|error| format!("cannot make a temporary directory: {error}"))?;
    let file = directory.0.join("service.toml");
    fs::write(&file, &text).map_err(told)?;
    let original = original.display();

    // Load the file once, to check it and to know what the readers can ask for.
    let config = urcu_reload::watch::<Config>(&file)
        .start()
        .map_err(|error| error.to_string())?;
    let table =
        config::build(&config.read()).map_err(|invalid| format!("{original}: {invalid}"))?;
    config.stop();
    let config = config.read();
    let readers = match arguments.readers {
        Some(readers) => readers.into(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let mut service = Service {
        ledger: Arc::new(Mutex::new(Ledger::new(table.version()))),
        requests: (0..readers)
            .map(|n| worker::requests(&config, n as u64))
            .collect(),
        writer: Writer::new(&file, text).map_err(|error| format!("{original}: {error}"))?,
        console: Arc::new(Console::new(arguments.length, arguments.verbose)),
        file: &file,
        start: Instant::now(),
        is_interrupted: catch_interrupts()
            .map_err(|error| format!("cannot install signal handlers: {error}"))?,
    };
    service.console.print(format_args!(
        "{original}: {} backends, {} routes, {} features; {readers} readers, {} s\n\
         A copy of it is rewritten 50 times a second. One version in ten is broken on purpose, and must be \
         refused\nfor the right reason at the right line. The first refusals of each kind:",
        config.backend.len(),
        config.route.len(),
        config.feature.len(),
        arguments.length.as_secs_f64(),
    ));
    drop((config, table));
    serve(&mut service, arguments)
}

/// Gives each store its turns, and then prints the results.
fn serve(service: &mut Service<'_>, arguments: &Arguments) -> Result<bool, String> {
    // The end of each turn within a round. Most of the time goes to lookups through the library.
    let round = arguments.length / ROUNDS;
    let (mut store, mut replace, mut arc_swap, mut rw_lock) = Default::default();
    let mut take_turns = || -> Result<(), String> {
        for n in 0..ROUNDS {
            let until = |part| round * n + round.mul_f64(part);
            service.turn::<Watched<Table>>(Work::Lookup, until(0.46), &mut store)?;
            service.turn::<Replace>(Work::Lookup, until(0.58), &mut replace)?;
            service.turn::<ArcSwap<Version<Table>>>(Work::Lookup, until(0.70), &mut arc_swap)?;
            service.turn::<RwLock<Arc<Version<Table>>>>(Work::Lookup, until(0.82), &mut rw_lock)?;
            service.turn::<Watched<Table>>(Work::VersionOnly, until(0.88), &mut store)?;
            service.turn::<ArcSwap<Version<Table>>>(
                Work::VersionOnly,
                until(0.94),
                &mut arc_swap,
            )?;
            service.turn::<RwLock<Arc<Version<Table>>>>(
                Work::VersionOnly,
                until(1.0),
                &mut rw_lock,
            )?;
        }
        Ok(())
    };
    let served = take_turns();
    let console = &service.console;
    console.finish();
    // From here on a closing line is printed, whatever goes wrong.
    if let Err(reason) = served {
        console.error(&reason);
    }
    match report::text(
        &[&store, &replace, &arc_swap, &rw_lock],
        &lock(&service.ledger),
    ) {
        Ok(text) => console.print(text),
        Err(error) => console.error(&error.to_string()),
    }
    let stale = store.stale + replace.stale + arc_swap.stale + rw_lock.stale;
    let closing = || {
        format!(
            "config_reload: reads={} reloads={} stale={stale} errors={}",
            store.lookups.reads,
            store.timings.total.len(),
            console.errors(),
        )
    };
    let errors = console.errors();
    console.print(closing());
    if console.errors() != errors {
        console.line(closing()); // It could not be written to standard output.
    }
    if stale != 0 || console.errors() != 0 {
        return Ok(false);
    }
    if service.is_interrupted.load(Ordering::Relaxed) {
        return Err("interrupted".into());
    }
    Ok(true)
}

/// Makes interrupts only set a flag, so that the program ends in order: it prints its closing line and removes
/// its directory.
fn catch_interrupts() -> io::Result<Arc<AtomicBool>> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_interrupted))?;
    }
    Ok(is_interrupted)
}

/// A temporary directory, removed at the end.
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
        // A failure is ignored: nothing more can be done about it.
        let _ = fs::remove_dir_all(&self.0);
    }
}
