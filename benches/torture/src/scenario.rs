//! The description of a scenario.

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
    /// The features that the machine or the build must have.
    pub needs: &'static [Need],
    /// The environment of its process.
    pub environment: Environment,
    /// True if the engine injects delays now and then.
    pub chaos: bool,
    /// Starts the threads of the scenario. It may wait for them; the engine does so in any case. An `Err`
    /// says why the scenario could not run.
    pub run: fn(&'static Run) -> Result<(), String>,
    /// Called by the parent before the process starts. After the process has ended, the parent calls the
    /// returned closure, which restores what a killed process may have left changed.
    pub remember: fn() -> Box<dyn FnOnce()>,
}

/// Something that a scenario needs of the machine or the build.
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
    /// Checks whether the need is met.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn check(self) -> Result<(), String> {
        let (there, missing) = match self {
            Need::Root => (threads::is_root(), "needs root"),
            Need::TwoCpus => (affinity::cpus().len() > 1, "needs two CPUs"),
            Need::Delays => (
                delays::BUILT,
                "needs delays, which this build lacks (--cfg rseq_ops_delay_injection)",
            ),
            Need::Sequences => (
                has_sequences(),
                "needs restartable sequences, which this system does not have",
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
    /// Returns a scenario without needs, during which the engine injects delays now and then.
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

    /// Returns the scenario with these needs.
    pub const fn needs(self, needs: &'static [Need]) -> Self {
        Scenario { needs, ..self }
    }

    /// Returns the scenario in another environment.
    pub const fn under(self, environment: Environment) -> Self {
        Scenario {
            environment,
            ..self
        }
    }

    /// Returns the scenario without the engine's delays.
    pub const fn without_chaos(self) -> Self {
        Scenario {
            chaos: false,
            ..self
        }
    }

    /// Returns the scenario with something to restore afterwards.
    pub const fn remember(self, remember: fn() -> Box<dyn FnOnce()>) -> Self {
        Scenario { remember, ..self }
    }
}
