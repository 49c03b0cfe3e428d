//! The outcome of a scenario, and the messages of its process.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::counts::{Counts, short};
use crate::faults::Faults;

/// A message of a process that runs a scenario to its parent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The counts so far.
    Tick(Counts),
    /// A fault. It is sent at once, because the process may crash afterwards.
    Fault(String),
    /// The result, with all faults.
    Done(Outcome),
}

/// The outcome of a scenario.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name.
    pub scenario: String,
    /// The time it took.
    pub seconds: f64,
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
    /// Threads that ran at the same time.
    pub threads: u32,
    /// The faults found.
    #[serde(flatten)]
    pub faults: Faults,
    /// Further notes.
    pub notes: Vec<String>,
    /// Why the scenario was not run.
    pub skipped: Option<String>,
}

impl Outcome {
    /// Returns the outcome of a scenario that was not run.
    pub fn skipped(scenario: &str, reason: String) -> Self {
        Outcome {
            scenario: scenario.to_owned(),
            skipped: Some(reason),
            ..Outcome::default()
        }
    }

    /// Returns the number of faults.
    pub fn errors(&self) -> u64 {
        self.faults.count()
    }

    /// Returns a line that is easy to read.
    pub fn line(&self) -> String {
        if let Some(reason) = &self.skipped
            && self.faults.is_empty()
        {
            return format!("{:<18} skipped: {reason}", self.scenario);
        }
        let Counts {
            reads,
            grace_periods,
            aborts,
            fallbacks,
            memory,
            ..
        } = self.counts;
        format!(
            "{:<18} {:>8} reads {:>8} grace periods {:>6.1} s {:>7} aborts {:>7} fallbacks {:>4} MiB  {}",
            self.scenario,
            short(reads),
            short(grace_periods),
            self.seconds,
            short(aborts),
            short(fallbacks),
            memory >> 20,
            match self.errors() {
                0 => "ok".to_owned(),
                errors => format!("{errors} ERRORS"),
            }
        )
    }
}

impl Message {
    /// Writes the message as a line on standard output. Returns false if nobody reads it.
    ///
    /// # Panics
    /// Never: a message is numbers and text.
    pub fn send(&self) -> bool {
        let mut line = serde_json::to_string(self).expect("numbers and text");
        line.push('\n');
        let mut output = std::io::stdout().lock();
        output.write_all(line.as_bytes()).is_ok() && output.flush().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn results_name_their_errors_and_faults_as_ever() {
        let mut outcome = Outcome::default();
        outcome.faults.add("a fault");
        let json = serde_json::to_value(&outcome).unwrap();
        assert_eq!(json["errors"], 1);
        assert_eq!(json["faults"][0], "a fault");
        let again: Outcome = serde_json::from_value(json).unwrap();
        assert_eq!(again.faults, outcome.faults);
    }
}
