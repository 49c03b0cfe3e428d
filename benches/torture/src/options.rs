//! The options of the program, and the scenarios and settings that follow from them.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use urcu_host::affinity;

use crate::breaks::{self, Control};
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::{delays, scenarios};

/// Injects every fault that urcu-percpu claims to survive, and verifies what readers see.
///
/// The scenarios run one after the other, each in a process of its own, for the time that --seconds
/// says. As root, the program also takes CPUs off line, makes a cpuset and uses real-time priorities, and
/// restores everything afterwards, with one exception: the kernel removes a CPU that was off line from
/// all other cpusets of cgroup v1 for good. When a scenario ends, its errors are reported on standard
/// error, with the seed and everything that its process printed. Exits with status 1 if there was an
/// error, and with 2 if it could not run, was interrupted, or could not write its results.
#[derive(Debug, Parser)]
#[command(name = "rcu-torture")]
pub struct Options {
    /// Seconds for which each scenario runs
    #[arg(long, default_value_t = 3.0, value_name = "N")]
    pub(crate) seconds: f64,
    /// Run only this scenario; may be given several times [default: all, one after the other]
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Vec<String>,
    /// List the scenarios and the controls
    #[arg(long)]
    pub(crate) list: bool,
    /// Seed of all random decisions [default: a new one for each run, which is printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Also write the results to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Run a control: break something on purpose, which must be detected. Stops at the first error
    #[arg(long = "break", value_name = "NAME")]
    pub(crate) broken: Option<String>,
    /// With --break: run the same scenario without the fault, which must find no error
    #[arg(long, requires = "broken")]
    pub(crate) placebo: bool,
    /// Number of reader threads, unless the scenario decides it [default: one for each CPU]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Seconds without progress after which a wait is an error [default: 20, or 5 with --break]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) patience: Option<u64>,
    /// Use no delays inside the sequences, and do not rebuild the program for them
    #[arg(long)]
    pub(crate) no_delays: bool,
    /// The task of a child process
    #[arg(long, hide = true, value_name = "JSON")]
    pub(crate) child: Option<String>,
}

impl Options {
    /// Returns the control that was asked for.
    ///
    /// # Errors
    /// If there is none of that name.
    pub(crate) fn control(&self) -> Result<Option<&'static Control>, String> {
        let Some(name) = &self.broken else {
            return Ok(None);
        };
        let control = breaks::named(name);
        control
            .map(Some)
            .ok_or_else(|| format!("no control is called {name}: see rcu-torture --list"))
    }

    /// Returns the scenarios to run.
    ///
    /// # Errors
    /// If one that was asked for does not exist.
    pub(crate) fn scenarios(
        &self,
        control: Option<&Control>,
    ) -> Result<Vec<&'static Scenario>, String> {
        let named = |name: &str| {
            scenarios::named(name)
                .ok_or_else(|| format!("no scenario is called {name}: see rcu-torture --list"))
        };
        match control {
            _ if !self.scenario.is_empty() => {
                self.scenario.iter().map(|name| named(name)).collect()
            }
            Some(control) => Ok(vec![named(control.scenario)?]),
            None => Ok(scenarios::ALL.iter().collect()),
        }
    }

    /// Returns the settings of the scenarios.
    pub(crate) fn settings(&self, control: Option<&Control>) -> Settings {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH);
        Settings {
            seconds: self.seconds,
            seed: self
                .seed
                .unwrap_or(clock.map_or(1, |time| time.as_nanos() as u64 % 1_000_000_000)),
            threads: self.threads.unwrap_or(affinity::cpus().len()).max(1),
            broken: control.map(|control| control.is),
            placebo: self.placebo,
            delays: delays::BUILT && !self.no_delays,
            patience: self.patience.unwrap_or(match control {
                Some(_) => 5,
                None => 20,
            }),
        }
    }
}
