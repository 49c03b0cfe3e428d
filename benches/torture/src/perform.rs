//! The child: runs a scenario, and tells its parent all about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use urcu_host::poison;

use crate::outcome::{Message, Outcome};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::settings::Settings;
use crate::{breaks, monitor, scenarios};

/// The task of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The name of the scenario that it runs.
    pub scenario: String,
    /// The settings of the scenario.
    pub settings: Settings,
}

impl Task {
    /// Does the task, in a process of its own, and tells standard output all about it as lines of
    /// JSON ([`Message`]). Returns true if there was no error.
    ///
    /// # Errors
    /// If there is no such scenario.
    pub fn perform(self) -> Result<bool, String> {
        let scenario = scenarios::named(&self.scenario)
            .ok_or_else(|| format!("no scenario {}", self.scenario))?;
        let outcome = match scenario.environment.verify() {
            Ok(()) => perform(scenario, self.settings),
            Err(difference) => {
                let mut outcome = Outcome {
                    scenario: scenario.name.to_owned(),
                    ..Outcome::default()
                };
                outcome.faults.add(difference);
                outcome
            }
        };
        let good = outcome.faults.is_empty();
        Message::Done(outcome).send();
        Ok(good)
    }
}

/// Runs a scenario in this process, and tells standard output how it goes.
///
/// # Panics
/// If no thread can be started.
fn perform(scenario: &'static Scenario, settings: Settings) -> Outcome {
    if let Some(which) = settings.broken {
        poison::keep_for_ever();
        if !settings.placebo {
            // SAFETY: versions and domains live for ever, and what the allocator is given back
            // of the cells' kind is kept; scenarios ask `library_is_broken` before they queue
            // callbacks.
            unsafe { breaks::break_library(which) };
        }
    }
    // Grace periods that take too long are this program's to notice.
    urcu::stall::set_timeout(Duration::MAX);
    let run = Run::leak(scenario.name, settings);
    // Anywhere: the library goes on after a panic of a callback or on a thread of its own. Here it
    // is an error.
    std::panic::set_hook(Box::new(|panic| run.panicked(panic)));
    let chaos = scenario.chaos && run.settings.delays;
    std::thread::Builder::new()
        .name("monitor".into())
        .spawn(move || monitor::watch(run, chaos))
        .expect("a thread");
    let skipped = (scenario.run)(run).err();
    run.join();
    if skipped.is_none() && !run.library_is_broken() {
        run.settle();
    }
    if !run.tells() {
        // The monitor has lost patience, and is about to end the process.
        loop {
            std::thread::park();
        }
    }
    run.outcome(skipped)
}
