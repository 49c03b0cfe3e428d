//! Waiting while the kernel refuses the barrier.

use core::time::Duration;

use crate::sync::{Instant, thread};
use crate::sys::{self, MembarrierError};

/// Counts the time for which the kernel has refused the barrier.
pub(super) struct Refusals {
    /// The time of the first refusal.
    since: Option<Instant>,
    pause: Duration,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Refusals {
            since: None,
            pause: Duration::from_millis(1),
        }
    }

    /// Sleeps before the next try.
    ///
    /// # Errors
    /// Returns the refusal if there is to be no next try.
    pub(super) fn pause(&mut self, refused: MembarrierError) -> Result<(), MembarrierError> {
        let since = self.since.get_or_insert_with(Instant::now);
        if !refused.is_passing() || since.elapsed() >= sys::PATIENCE {
            return Err(refused);
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(Duration::from_millis(100));
        Ok(())
    }
}
