//! What a run is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaks::Break;

/// The settings of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The length of the run, in seconds.
    pub seconds: f64,
    /// Of all random decisions.
    pub seed: u64,
    /// Reader threads, where the scenario does not need so many.
    pub threads: usize,
    /// The fault that is built in on purpose.
    pub broken: Option<Break>,
    /// True for the placebo, in which the fault is left out: there must be no errors, or those of the control
    /// come from something else.
    pub placebo: bool,
    /// True if delays are used, where they are built in.
    pub delays: bool,
    /// The seconds for which updates may make no progress, and which the end may take.
    pub patience: u64,
}

impl Settings {
    /// Those of a test.
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

    /// Returns how long updates may make no progress, and the end may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}
