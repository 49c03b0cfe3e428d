//! Injects and counts every fault that the library claims to survive, in the spirit of the Linux
//! kernel's `rcutorture`. The program `rcu-torture` (of the package `urcu-benches`) runs [`main`].
//!
//! A [`Scenario`](scenario::Scenario) is a load and a fault. Each runs in a process of its own, which the
//! [supervisor] starts and watches. So a crash or a hang is an error of one scenario and does not end
//! the program, and what is arranged for one scenario (a filter, priorities, a library that is broken
//! on purpose) does not affect another.
//!
//! | | |
//! |---|---|
//! | [`scenarios`] | the scenarios, one small file each |
//! | [`versions`] | the values that are published and reclaimed, and how readers verify them |
//! | [`readers`], [`updaters`] | the usual loads |
//! | [`run`] | threads, counters and faults of a run |
//! | [`perform`] | the process that runs a scenario |
//! | [`delays`] | delays inside the library's sequences |
//! | [`breaks`] | the controls: faults made on purpose, which must be detected |
//! | [`environment`] | processes without rseq or membarrier |
//! | [`faults`] | how faults are counted |
//! | [`supervisor`], [`progress`], [`console`], [`outcome`], [`report`] | processes, the terminal, the results |
//! | [`options`], [`session`] | the command line and the main function |
//!
//! # A new scenario
//! Add a file to `scenarios`, and its line to the list in `scenarios/mod.rs`. A scenario starts threads
//! ([`run::Run::spawn`]). Each loops until [`run::Thread::over`], counts its verified reads
//! ([`run::Counter`]; a run that verified nothing is an error), and passes its results to
//! [`run::Thread::check`]. Statistics come from the domains that [`run::Run::domain`] returns. Do not queue
//! callbacks if [`run::Run::library_is_broken`]. If the system can refuse the injected fault, count how
//! often it was injected: a scenario that did nothing must not pass.
//!
//! ```ignore
//! //! One reader and one updater: the least that must work.
//!
//! use crate::{readers, run::Run, scenario::Scenario, updaters};
//!
//! pub(crate) const SCENARIO: Scenario = Scenario::new("calm", "one reader, one updater", run);
//!
//! fn run(run: &'static Run) -> Result<(), String> {
//!     let domain = run.domain(urcu::Domain::named("calm"));
//!     let places = run.places(domain, 1);
//!     readers::start(run, 1, &places);
//!     updaters::start(run, 1, &places, &updaters::WAYS, Some(10));
//!     Ok(())
//! }
//! ```

#![cfg(target_os = "linux")]

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

pub mod breaks;
pub mod console;
pub mod counts;
pub mod delays;
pub mod environment;
pub mod faults;
mod follow;
mod monitor;
pub mod options;
pub mod outcome;
pub mod perform;
pub mod progress;
pub mod random;
pub mod readers;
mod rebuild;
pub mod report;
pub mod run;
pub mod scenario;
pub mod scenarios;
pub mod session;
pub mod settings;
pub mod supervisor;
pub mod updaters;
pub mod versions;

pub use session::main;
