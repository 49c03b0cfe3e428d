//! What is tortured.

use crate::random::Random;

/// A structure, or an operation.
pub(super) trait Subject: Send + Sync {
    /// For the report.
    fn name(&self) -> &'static str;

    /// A small piece of work, by any thread or handler; async-signal-safe if that is asked for.
    fn work(&self, random: &mut Random);

    /// Returns whether handlers may work.
    fn in_handlers(&self) -> bool {
        true
    }

    /// By one thread, while others work: what is done from afar.
    fn take(&self, _: &mut Random) {}

    /// While nobody works: everything is where it should be, once.
    ///
    /// # Errors
    /// Returns the fault.
    fn audit(&self) -> Result<(), String>;

    /// Attempts that were aborted, where that is to be known.
    fn aborts(&self) -> u64 {
        0
    }
}
