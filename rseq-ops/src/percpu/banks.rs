//! Two banks of words, so that one thread can take what sequences on other CPUs use.

use super::lock::Lock;
use super::sys::{self, AtomicBool, AtomicUsize, Handle, MembarrierError, Ordering};

/// Two banks of per-CPU words, of which sequences use the one that a word names, as in a
/// grace period with one flip: after the flip and a restart of all sequences nobody uses the other
/// bank any more, and it is the flipper's alone.
#[derive(Debug)]
pub(super) struct Banks {
    /// Address of the current bank in the slot of index 0.
    current: AtomicUsize,
    /// The two addresses, combined by exclusive or.
    flip: usize,
    /// The handle for sequences inline; its `cs` is 0 where there is none.
    handle: Handle,
    /// True if there are sequences at all: not without the means to restart them.
    sequences: bool,
    /// True if the taker's last flip was refused and taken back. Only the taker uses it.
    refused: AtomicBool,
    taker: Lock,
}

impl Banks {
    pub(super) fn new(first: usize, second: usize) -> Self {
        let sequences = sys::can_restart();
        let handle = if sequences {
            sys::shared_handle()
        } else {
            sys::NO_HANDLE
        };
        Banks {
            current: AtomicUsize::new(first),
            flip: first ^ second,
            handle,
            sequences,
            refused: AtomicBool::new(false),
            taker: Lock::new(),
        }
    }

    /// Returns the handle for one attempt inline, where every thread has the same.
    #[inline(always)]
    pub(super) fn handle(&self) -> Option<Handle> {
        (self.handle.cs != 0).then_some(self.handle)
    }

    /// Returns the word that names the current bank, for the sequences.
    #[inline(always)]
    pub(super) fn source(&self) -> &AtomicUsize {
        &self.current
    }

    /// Tries a sequence as [`sys::try_sequence`] does, where sequences can be restarted.
    pub(super) fn try_sequence<T>(&self, attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
        if self.sequences {
            sys::try_sequence(attempt)
        } else {
            None
        }
    }

    /// Flips, and calls `take` with the address of the old bank, which belongs to `take` alone meanwhile.
    /// After a flip that was refused, calls it with the other bank first.
    pub(super) fn flip(&self, mut take: impl FnMut(usize)) -> Result<(), MembarrierError> {
        if !self.sequences {
            return Ok(());
        }
        let _locked = self.taker.lock();
        let old = self.current.load(Ordering::Relaxed);
        let new = old ^ self.flip;
        if self.refused.load(Ordering::Relaxed) {
            // A thread that loaded its address before the flip was taken back is done with it after this.
            sys::restart()?;
            take(new);
            self.refused.store(false, Ordering::Relaxed);
        }
        self.current.store(new, Ordering::Release);
        // Every sequence that loaded the old address has committed, visibly, or never will.
        if let Err(refused) = sys::restart() {
            // Nobody knows then whether the sequences were restarted, and the new bank may have been used.
            self.refused.store(true, Ordering::Relaxed);
            self.current.store(old, Ordering::Release);
            return Err(refused);
        }
        take(old);
        Ok(())
    }
}
