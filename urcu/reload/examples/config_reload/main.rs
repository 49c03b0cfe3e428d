//! A service's configuration, read by every worker thread and replaced fifty times a second.
//!
//! Worker threads look routes and features up as fast as they can while the file that they come from is
//! rewritten; one version in ten is broken on purpose, and has to be refused for the right reason.
//! [`urcu_reload`] notices what changes, parses and validates it, and publishes it. Every read is checked:
//! its content has to be whole, and never older than a version that was in force before the read began.
//! The same is done with `replace`, which waits for readers, with `arc_swap::ArcSwap` and with
//! `std::sync::RwLock<Arc<_>>`, in turns, to see what the difference is.
//!
//! ```text
//! cargo run --release --example config_reload -- --seconds 10 --readers 2
//! ```
//!
//! `service.rs` is where the library is used; `minimal_reload`, beside this, is the same in 30 lines.

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

/// The stores take turns so many times, so that each gets its part of what else the machine does.
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

/// Runs everything; `false` if anything was stale or went wrong, an error if it cannot run at all or
/// was interrupted.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let shipped =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config_reload/service.toml");
    let original = arguments.config.clone().unwrap_or_else(shipped);
    let told = |error: io::Error| format!("{}: {error}", original.display());
    let text = fs::read_to_string(&original).map_err(told)?;
    let directory = Scratch::new().map_err(|error| format!("no temporary directory: {error}"))?;
    let file = directory.0.join("service.toml");
    fs::write(&file, &text).map_err(told)?;
    let original = original.display();

    // Once to see whether it is any good, and to know what to ask for.
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
        is_interrupted: catch_interrupts().map_err(|error| format!("no handlers: {error}"))?,
    };
    service.console.print(format_args!(
        "{original}: {} backends, {} routes, {} features; {readers} readers, {} s\n\
         A copy of it is rewritten 50 times a second. One version in ten is broken on purpose: it has to be \
         refused,\nfor the right reason at the right line. The first of each kind:",
        config.backend.len(),
        config.route.len(),
        config.feature.len(),
        arguments.length.as_secs_f64(),
    ));
    drop((config, table));
    serve(&mut service, arguments)
}

/// Everybody has turns, then the results are told.
fn serve(service: &mut Service<'_>, arguments: &Arguments) -> Result<bool, String> {
    // The part of a round that each turn gets. Most of it goes to the lookups through the library.
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
    // From here on there is a closing line, whatever has gone wrong.
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
        console.line(closing()); // It could not be written to where it belongs.
    }
    if stale != 0 || console.errors() != 0 {
        return Ok(false);
    }
    if service.is_interrupted.load(Ordering::Relaxed) {
        return Err("interrupted".into());
    }
    Ok(true)
}

/// Interrupts are only noted, from now on: the program ends in order then, with its closing line, and
/// without the directory that it made.
fn catch_interrupts() -> io::Result<Arc<AtomicBool>> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_interrupted))?;
    }
    Ok(is_interrupted)
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
