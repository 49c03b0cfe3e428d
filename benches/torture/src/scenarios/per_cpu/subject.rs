//! The interface of a structure or operation under torture.

use crate::random::Random;

/// A structure, or an operation.
pub(super) trait Subject: Send + Sync {
    /// Returns the name for reports.
    fn name(&self) -> &'static str;

    /// Does a small piece of work, in any thread. Also called in handlers, if `in_handlers` says so: then it
    /// must be async-signal-safe.
    fn work(&self, random: &mut Random);

    /// Returns whether handlers may call `work`.
    fn in_handlers(&self) -> bool {
        true
    }

    /// Does what one thread does to all CPUs while others work.
    fn take(&self, _: &mut Random) {}

    /// Checks, while nobody works, that everything is in its place, once.
    ///
    /// # Errors
    /// Says what is wrong.
    fn audit(&self) -> Result<(), String>;

    /// Returns the number of aborted attempts, where it is known.
    fn aborts(&self) -> u64 {
        0
    }
}
