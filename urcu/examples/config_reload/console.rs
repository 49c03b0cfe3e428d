//! What is told while the program runs: a progress line, and what goes wrong.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ledger::Fault;

/// How many refusals of a kind are shown, unless all of them are asked for.
const SHOWN: u64 = 3;

/// Everything that is printed. The progress line is left out if standard error is no terminal. What
/// cannot be written (the disk is full, nobody reads on) is an error like others, and no reason to
/// leave without a closing line and a status.
#[derive(Debug)]
pub(crate) struct Console {
    bar: ProgressBar,
    verbose: bool,
    refused: [AtomicU64; Fault::ALL.len()],
    errors: AtomicU64,
}

impl Console {
    pub(crate) fn new(length: Duration, verbose: bool) -> Self {
        let bar = ProgressBar::new(length.as_millis() as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            verbose,
            refused: Default::default(),
            errors: AtomicU64::new(0),
        }
    }

    pub(crate) fn progress(&self, elapsed: Duration, message: String) {
        self.bar.set_position(elapsed.as_millis() as u64);
        self.bar.set_message(message);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// A line of its own on standard error, above the progress line.
    pub(crate) fn line(&self, line: impl Display) {
        let _ = self.bar.suspend(|| writeln!(io::stderr().lock(), "{line}"));
    }

    /// A line on standard output.
    pub(crate) fn print(&self, line: impl Display) {
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
            self.line(format_args!("{reason}; version {in_force} stays in force"));
        }
        if !self.verbose && count == SHOWN {
            let kind = fault.name();
            self.line(format_args!(
                "(more of \"{kind}\" are counted only; --verbose shows all)"
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
