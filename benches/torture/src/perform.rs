//! The child: runs a scenario, and reports to its parent.

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
    /// Does the task, in a process of its own, and reports on standard output, in lines of JSON
    /// ([`Message`]). Returns true if there was no error.
    ///
    /// # Errors
    /// If there is no such scenario.
    pub fn perform(self) -> Result<bool, String> {
        let scenario = scenarios::named(&self.scenario)
            .ok_or_else(|| format!("no scenario is called {}", self.scenario))?;
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

/// Runs a scenario in this process, and reports its progress on standard output.
///
/// # Panics
/// If no thread can be started.
fn perform(scenario: &'static Scenario, settings: Settings) -> Outcome {
    if let Some(which) = settings.broken {
        poison::keep_for_ever();
        if !settings.placebo {
            // SAFETY: versions and domains live for ever, and the allocator keeps freed memory of the
            // sizes that cells use; scenarios ask `library_is_broken` before they queue callbacks.
            unsafe { breaks::break_library(which) };
        }
    }
    // This program itself notices grace periods that take too long.
    urcu::stall::set_timeout(Duration::MAX);
    let run = Run::leak(scenario.name, settings);
    // A hook sees panics on every thread: the library survives one in a callback or on a thread of its
    // own, but here each is an error.
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
        // The monitor has given up, and is about to end the process.
        loop {
            std::thread::park();
        }
    }
    run.outcome(skipped)
}
