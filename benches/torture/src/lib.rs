//! Torture: every fault that the library claims to survive, injected and counted, in the spirit of
//! the Linux kernel's `rcutorture`. The program `rcu-torture` (of the package
//! `urcu-benches`) runs [`main`].
//!
//! A [`Scenario`](scenario::Scenario) is a load and a fault. Each runs in a process of its own, which the
//! [supervisor] starts and watches: a crash or a hang is an error of that scenario and not
//! the end of the program, and what was arranged for one (a filter, priorities, a library that is
//! broken on purpose) does not reach another.
//!
//! | | |
//! |---|---|
//! | [`scenarios`] | one small file each; to add one, add a file and its line in the list there |
//! | [`versions`] | what is tortured, and how readers verify it |
//! | [`readers`], [`updaters`] | the usual loads |
//! | [`run`] | threads, counters and faults of a run |
//! | [`perform`] | the process that runs a scenario, and the monitor that ends it |
//! | [`delays`] | delays inside the library's sequences |
//! | [`breaks`] | the controls: what is wrong on purpose and must be noticed |
//! | [`environment`] | processes without rseq or membarrier |
//! | [`faults`] | how faults are counted |
//! | [`supervisor`], [`progress`], [`console`], [`outcome`], [`report`] | processes, the terminal, the results |
//! | [`options`], [`session`] | the program |
//!
//! # A new scenario
//! A thread of its own ([`run::Run::spawn`]) loops until [`run::Thread::over`], counts what it verified
//! ([`run::Counter`]; nothing verified is an error), and hands what may be wrong to
//! [`run::Thread::check`]. Statistics are those of [`run::Run::domain`]. Callbacks are queued only
//! unless [`run::Run::library_is_broken`]. If the fault that is injected can be refused by the system,
//! count it: a scenario that did nothing must not pass.
//!
//! ```ignore
//! //! What it is and what it is to show.
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
