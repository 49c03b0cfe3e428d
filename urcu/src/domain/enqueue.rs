//! Queueing callbacks: the fast path, which takes a few nanoseconds.

use super::domain::Domain;
use crate::callbacks::{self, Callback, Host};
use crate::sys::{Appended, INVOKE_BATCH};

impl Domain {
    /// Queues a callback. If the budget has no room, `waits` says whether to wait for it.
    #[inline(always)]
    pub(crate) fn enqueue(&self, callback: Callback, waits: bool) {
        if callback.is_large() {
            return self.enqueue_slow(Appended::Aborted, callback, waits);
        }
        // A caller of `call` runs no callbacks, because a destructor may take a lock that the caller holds.
        // (Decided here, where the result is known at compile time.)
        let helps = callback.drops();
        // SAFETY: the record belongs to a callback that lives until this returns.
        match unsafe { callbacks::append(&self.state().gp.readers, callback.record()) } {
            Appended::At(end) => {
                if helps && end.is_multiple_of(INVOKE_BATCH * size_of::<Callback>()) {
                    self.help_out();
                }
            }
            other => self.enqueue_slow(other, callback, waits),
        }
    }

    #[cold]
    #[inline(never)]
    fn help_out(&self) {
        let (_, driver) = self.driver();
        callbacks::help(driver);
    }

    /// Does the rest of [`Domain::enqueue`] if the callback could not be appended at once; `found` says why.
    #[cold]
    #[inline(never)]
    fn enqueue_slow(&self, found: Appended, callback: Callback, waits: bool) {
        let home = || {
            let (state, driver) = self.driver();
            (&state.gp, driver as &dyn Host)
        };
        callbacks::enqueue_slow(&home, found, callback, waits);
    }
}
