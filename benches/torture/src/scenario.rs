//! What a scenario is.

use urcu_host::affinity;
use urcu_host::threads;

use crate::delays;
use crate::environment::{Environment, has_sequences};
use crate::run::Run;

/// A load and a fault.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// The purpose of the scenario, in a line.
    pub about: &'static str,
    /// The abilities of the machine that it cannot do without.
    pub needs: &'static [Need],
    /// The environment of its process.
    pub environment: Environment,
    /// True if the engine injects delays now and then.
    pub chaos: bool,
    /// Starts its threads, and may wait for them; the engine does in any case. An `Err` says why
    /// it could not be run after all.
    pub run: fn(&'static Run) -> Result<(), String>,
    /// Called by the parent before the process starts; what it returns puts back, when that has
    /// ended, what a process that was killed may have left behind.
    pub remember: fn() -> Box<dyn FnOnce()>,
}

/// An ability of the machine that a scenario cannot do without.
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
    /// Says what is missing.
    ///
    /// # Errors
    /// If it is.
    pub fn check(self) -> Result<(), String> {
        let (there, missing) = match self {
            Need::Root => (threads::is_root(), "needs root"),
            Need::TwoCpus => (affinity::cpus().len() > 1, "needs two CPUs"),
            Need::Delays => (
                delays::BUILT,
                "needs delays, which this build does not have (--cfg rseq_ops_delay_injection)",
            ),
            Need::Sequences => (
                has_sequences(),
                "needs restartable sequences, of which this system has none",
            ),
        };
        if there { Ok(()) } else { Err(missing.into()) }
    }

    /// Returns its name for the list.
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
    /// Returns a scenario that needs nothing, with delays now and then.
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

    /// Returns the same with needs.
    pub const fn needs(self, needs: &'static [Need]) -> Self {
        Scenario { needs, ..self }
    }

    /// Returns the same in another environment.
    pub const fn under(self, environment: Environment) -> Self {
        Scenario {
            environment,
            ..self
        }
    }

    /// Returns the same without delays of the engine's.
    pub const fn without_chaos(self) -> Self {
        Scenario {
            chaos: false,
            ..self
        }
    }

    /// Returns the same with something to be put back.
    pub const fn remember(self, remember: fn() -> Box<dyn FnOnce()>) -> Self {
        Scenario { remember, ..self }
    }
}
