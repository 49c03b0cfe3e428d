//! What a run is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaks::Break;

/// What a run is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// How long, in seconds.
    pub seconds: f64,
    /// Of all random decisions.
    pub seed: u64,
    /// Reader threads, where the scenario does not need so many.
    pub threads: usize,
    /// What is to be wrong.
    pub broken: Option<Break>,
    /// Whether it is not wrong after all: then there must be no errors, or those of the control come
    /// from something else.
    pub placebo: bool,
    /// Whether delays are used, if they are built in.
    pub delays: bool,
    /// How long updates may make no progress, and the end may take. Seconds.
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
