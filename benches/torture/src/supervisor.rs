//! The parent: starts a process for each scenario, follows it, and restores what it may have left
//! changed.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use urcu_host::signals;

use crate::counts::Counts;
use crate::environment::Environment;
use crate::follow::{Limits, SIGNALS, follow};
use crate::outcome::Outcome;
use crate::perform::Task;
use crate::scenario::Scenario;
use crate::settings::Settings;

/// The option that gives a process its task.
pub const OPTION: &str = "--child";

/// True once the user has interrupted the program.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_: libc::c_int) {
    INTERRUPTED.store(true, SeqCst);
}

/// Installs handlers, so that an interrupt ends the program only after it has restored what a scenario
/// changed.
pub fn catch_interrupts() {
    for signal in SIGNALS {
        // SAFETY: the handler stores to an atomic and does nothing else.
        unsafe { signals::install(signal, interrupt) };
    }
}

/// Returns whether the user has interrupted the program.
pub fn interrupted() -> bool {
    INTERRUPTED.load(SeqCst)
}

/// Runs a scenario in a process of its own. `progress` gets the counts so far.
///
/// # Panics
/// Never: a task is numbers and text.
pub fn run(
    scenario: &'static Scenario,
    settings: &Settings,
    mut progress: impl FnMut(&Counts),
) -> Outcome {
    if let Err(missing) = scenario.needs.iter().try_for_each(|need| need.check()) {
        return Outcome::skipped(scenario.name, missing);
    }
    let task = Task {
        scenario: scenario.name.to_owned(),
        settings: settings.clone(),
    };
    // Not the program's path: another build may have replaced that file meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0_torture()
        .arg(OPTION)
        .arg(serde_json::to_string(&task).expect("numbers and text"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Err(reason) = scenario.environment.arrange(&mut command) {
        return Outcome::skipped(scenario.name, reason);
    }
    let put_back = (scenario.remember)();
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let what = format!("cannot start its process: {error}");
            let mut outcome = Outcome::skipped(scenario.name, what.clone());
            // Filters may be impossible on this system; all else is an error.
            if scenario.environment == Environment::Usual {
                outcome.skipped = None;
                outcome.faults.add(what);
            }
            return outcome;
        }
    };
    let limits = Limits {
        // The process's own monitor gives up long before.
        all: Duration::from_secs_f64(settings.seconds) + settings.patience() * 3,
        end: Duration::from_secs(20),
    };
    let outcome = follow(child, scenario.name, &limits, interrupted, &mut progress);
    put_back();
    outcome
}

/// Names the process after the program.
trait Named {
    fn arg0_torture(&mut self) -> &mut Self;
}

impl Named for Command {
    fn arg0_torture(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, "rcu-torture")
    }
}
