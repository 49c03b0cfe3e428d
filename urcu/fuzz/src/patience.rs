//! How long to wait.

use std::thread;
use std::time::{Duration, Instant};

/// How long one waits for what must happen soon. Time alone would tell nothing where this process
/// does not get to run: whoever waits must have had the chance to look so often, too.
pub struct Patience {
    began: Instant,
    looks: u64,
}

impl Patience {
    pub fn new() -> Self {
        Patience {
            began: Instant::now(),
            looks: 0,
        }
    }

    /// Whether to look again, after a moment.
    pub fn lasts(&mut self) -> bool {
        thread::yield_now();
        self.looks += 1;
        self.looks < 100_000 || self.began.elapsed() < Duration::from_secs(60)
    }
}
