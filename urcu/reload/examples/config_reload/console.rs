//! What is told while the program runs: a progress line, and what goes wrong.

use std::fmt::{Arguments, Display};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::ledger::Fault;

/// The number of refusals of a kind that are shown, unless all of them are asked for.
const SHOWN: u64 = 1;
/// Of the bar, in characters.
const WIDTH: usize = 24;

/// Everything that is printed. The progress line is left out if standard error is no terminal. What
/// cannot be written (the disk is full, nobody reads on) is an error like others, and no reason to
/// leave without a closing line and a status.
#[derive(Debug)]
pub(crate) struct Console {
    length: Duration,
    is_terminal: bool,
    has_progress: AtomicBool,
    verbose: bool,
    refused: [AtomicU64; Fault::ALL.len()],
    errors: AtomicU64,
}

impl Console {
    pub(crate) fn new(length: Duration, verbose: bool) -> Self {
        Self {
            length,
            is_terminal: io::stderr().is_terminal(),
            has_progress: AtomicBool::new(false),
            verbose,
            refused: Default::default(),
            errors: AtomicU64::new(0),
        }
    }

    pub(crate) fn progress(&self, elapsed: Duration, message: Arguments<'_>) {
        if !self.is_terminal {
            return;
        }
        let part = (elapsed.as_secs_f64() / self.length.as_secs_f64()).min(1.0);
        let bar = "#".repeat((part * WIDTH as f64) as usize);
        self.has_progress.store(true, Relaxed);
        let _ = write!(
            io::stderr().lock(),
            "\r\x1b[2K[{bar:-<WIDTH$}] {:>3.0} %  {message}",
            part * 100.0
        );
    }

    /// Takes the progress line away.
    pub(crate) fn finish(&self) {
        if self.has_progress.swap(false, Relaxed) {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }

    /// A line of its own on standard error, above the progress line.
    pub(crate) fn line(&self, line: impl Display) {
        self.finish();
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// A line on standard output.
    pub(crate) fn print(&self, line: impl Display) {
        self.finish();
        let mut output = io::stdout().lock();
        let written = writeln!(output, "{line}").and_then(|()| output.flush());
        if let Err(error) = written {
            self.error(&format!("standard output: {error}"));
        }
    }

    /// A file was refused that was broken on purpose.
    pub(crate) fn refused(&self, fault: Fault, reason: &impl Display, in_force: u64) {
        let count = 1 + self.refused[fault as usize].fetch_add(1, Relaxed);
        if self.verbose || count <= SHOWN {
            let kind = fault.name();
            self.line(format_args!(
                "on purpose ({kind}): {reason}; version {in_force} stays in force"
            ));
        }
    }

    /// Something went wrong that nobody meant to.
    pub(crate) fn error(&self, what: &str) {
        self.errors.fetch_add(1, Relaxed);
        self.line(format_args!("error: {what}"));
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }
}
