//! The settings of a run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaks::Break;

/// The settings of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The length of the run, in seconds.
    pub seconds: f64,
    /// The seed of all random decisions.
    pub seed: u64,
    /// The number of reader threads, unless the scenario decides it.
    pub threads: usize,
    /// The fault that is made on purpose.
    pub broken: Option<Break>,
    /// True for the placebo, which leaves the fault out. It must have no errors: otherwise those of the
    /// control may have another cause.
    pub placebo: bool,
    /// True if delays are injected.
    pub delays: bool,
    /// The seconds for which updates may make no progress; the end may take as long.
    pub patience: u64,
}

impl Settings {
    /// The settings of unit tests.
    #[cfg(test)]
    pub(crate) const TEST: Self = Settings {
        seconds: 1.0,
        seed: 7,
        threads: 2,
        broken: None,
        placebo: false,
        delays: false,
        patience: 20,
    };

    /// Returns how long updates may make no progress; the end may take as long.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
