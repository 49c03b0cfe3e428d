//! What the program prints while it runs: a progress line, refusals and errors.

use std::fmt::{Arguments, Display};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::ledger::Fault;

/// The number of refusals of each kind that are shown without `--verbose`.
const SHOWN: u64 = 1;
/// The width of the bar, in characters.
const WIDTH: usize = 24;

/// Prints everything. The progress line is left out if standard error is no terminal. A line that cannot be
/// written (a full disk, a closed pipe) counts as an error, but the program still ends with a closing line and a
/// status.
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

    /// Removes the progress line.
    pub(crate) fn finish(&self) {
        if self.has_progress.swap(false, Relaxed) {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }

    /// Prints a line on standard error, above the progress line.
    pub(crate) fn line(&self, line: impl Display) {
        self.finish();
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Prints a line on standard output.
    pub(crate) fn print(&self, line: impl Display) {
        self.finish();
        let mut output = io::stdout().lock();
        let written = writeln!(output, "{line}").and_then(|()| output.flush());
        if let Err(error) = written {
            self.error(&format!("cannot write to standard output: {error}"));
        }
    }

    /// Reports that a file that was broken on purpose was refused.
    pub(crate) fn refused(&self, fault: Fault, reason: &impl Display, in_force: u64) {
        let count = 1 + self.refused[fault as usize].fetch_add(1, Relaxed);
        if self.verbose || count <= SHOWN {
            let kind = fault.name();
            self.line(format_args!(
                "on purpose ({kind}): refused: {reason}; version {in_force} stays in force"
            ));
        }
    }

    /// Reports an error.
    pub(crate) fn error(&self, what: &str) {
        self.errors.fetch_add(1, Relaxed);
        self.line(format_args!("error: {what}"));
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }
}
