//! Torture: every fault that the library claims to survive, injected and counted, in the spirit of
//! the Linux kernel's `rcutorture`. The program `rcu-torture` is the face of this.
//!
//! A [`Scenario`] is a load and a fault. Each runs in a process of its own, which the
//! [supervisor] starts and watches: a crash or a hang is an error of that scenario and not
//! the end of the program, and what was arranged for one (a filter, priorities, a library that is
//! broken on purpose) does not reach another.
//!
//! | | |
//! |---|---|
//! | [`scenarios`] | one small file each; to add one, add a file and its line in the list there |
//! | [`versions`] | what is tortured, and how readers verify it |
//! | [`readers`], [`updaters`] | the usual loads |
//! | [`engine`] | threads, counters, faults and the monitor of a run |
//! | [`delays`] | delays inside the library's sequences |
//! | [`breaks`] | the controls: what is wrong on purpose and must be noticed |
//! | [`environment`] | processes without rseq or membarrier |
//! | [`poison`], [`stamped`] | what `Rcu` cells free, and what they hold |
//! | [`faults`], [`patience`] | how faults are counted, and hangs told from busy machines |
//! | [`supervisor`], [`progress`], [`console`], [`report`] | processes, the terminal, the results |
//!
//! # A new scenario
//! A thread of its own ([`Run::spawn`]) loops until [`engine::Thread::over`], counts what it verified
//! ([`engine::Counter`]; nothing verified is an error), and hands what may be wrong to
//! [`engine::Thread::check`]. Statistics are those of [`Run::domain`]. Callbacks are queued only
//! unless [`Run::library_is_broken`]. If the fault that is injected can be refused by the system,
//! count it: a scenario that did nothing must not pass.
//!
//! ```ignore
//! //! What it is and what it is to show.
//!
//! use crate::torture::{Scenario, engine::Run, readers, updaters};
//!
//! pub(super) const SCENARIO: Scenario = Scenario::new("calm", "one reader, one updater", run);
//!
//! fn run(run: &'static Run) -> Result<(), String> {
//!     let domain = run.domain(urcu::Domain::named("calm"));
//!     let places = run.places(domain, 1);
//!     readers::start(run, 1, &places);
//!     updaters::start(run, 1, &places, &updaters::WAYS, Some(10));
//!     Ok(())
//! }
//! ```

pub mod breaks;
pub mod console;
pub mod delays;
pub mod engine;
pub mod environment;
pub mod faults;
mod follow;
pub mod patience;
pub mod poison;
pub mod progress;
pub mod random;
pub mod readers;
pub mod report;
pub mod scenarios;
pub mod stamped;
pub mod supervisor;
pub mod system;
pub mod updaters;
pub mod versions;

use engine::Run;
use environment::Environment;

/// A load and a fault.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    /// What its process finds.
    pub environment: Environment,
    /// Whether the engine injects delays now and then.
    pub chaos: bool,
    /// Starts its threads, and may wait for them; the engine does in any case. An `Err` says why
    /// it could not be run after all.
    pub run: fn(&'static Run) -> Result<(), String>,
    /// Called by the parent before the process starts; what it returns puts back, when that has
    /// ended, what a process that was killed may have left behind.
    pub remember: fn() -> Box<dyn FnOnce()>,
}

/// What a scenario cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The rights of root.
    Root,
    /// Two CPUs to run on.
    TwoCpus,
    /// A build with delays.
    Delays,
    /// Restartable sequences.
    Sequences,
}

impl Need {
    /// What is missing.
    ///
    /// # Errors
    /// If it is.
    pub fn check(self) -> Result<(), String> {
        let (there, missing) = match self {
            Need::Root => (system::is_root(), "needs root"),
            Need::TwoCpus => (system::cpus().len() > 1, "needs two CPUs"),
            Need::Delays => (
                delays::BUILT,
                "needs delays, which this build has not (feature delay-injection)",
            ),
            Need::Sequences => (
                rseq_ops::process().owner != rseq_ops::Owner::Nobody
                    && rseq_ops::membarrier::register().is_ok(),
                "needs restartable sequences, of which this system has none",
            ),
        };
        if there { Ok(()) } else { Err(missing.into()) }
    }

    /// For the list.
    pub fn name(self) -> &'static str {
        match self {
            Need::Root => "root",
            Need::TwoCpus => "two CPUs",
            Need::Delays => "delays",
            Need::Sequences => "sequences",
        }
    }
}

impl Scenario {
    /// One that needs nothing, with delays now and then.
    pub const fn new(
        name: &'static str,
        about: &'static str,
        run: fn(&'static Run) -> Result<(), String>,
    ) -> Self {
        Scenario {
            name,
            about,
            needs: &[],
            environment: Environment::Usual,
            chaos: true,
            run,
            remember: || Box::new(|| ()),
        }
    }

    /// The same with needs.
    pub const fn needs(self, needs: &'static [Need]) -> Self {
        Scenario { needs, ..self }
    }

    /// The same elsewhere.
    pub const fn under(self, environment: Environment) -> Self {
        Scenario {
            environment,
            ..self
        }
    }

    /// The same without delays of the engine's.
    pub const fn without_chaos(self) -> Self {
        Scenario {
            chaos: false,
            ..self
        }
    }

    /// The same with something to be put back.
    pub const fn remember(self, remember: fn() -> Box<dyn FnOnce()>) -> Self {
        Scenario { remember, ..self }
    }
}
