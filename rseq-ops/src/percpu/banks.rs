//! Two banks of words, which let one thread take over words that sequences on other CPUs use.

use super::lock::Lock;
use super::sys::{self, AtomicBool, AtomicUsize, Handle, MembarrierError, Ordering};

/// Two banks of per-CPU words. Sequences use the current bank, which a word names. A taker flips that word to
/// the other bank and restarts all sequences, as in a grace period with one flip. After that nobody uses the
/// old bank any more, and it is the taker's alone.
#[derive(Debug)]
pub(super) struct Banks {
    /// The address of the current bank in the slot of index 0.
    current: AtomicUsize,
    /// The exclusive or of the two banks' addresses.
    flip: usize,
    /// The handle for inline sequences. Its `cs` is 0 if there is no handle that all threads share.
    handle: Handle,
    /// True if sequences may be used: only where they can also be restarted.
    sequences: bool,
    /// True if the restart after the taker's last flip was refused, and the flip was undone. Only the taker uses
    /// this.
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

    /// Returns the handle for one inline attempt, if all threads share one.
    #[inline(always)]
    pub(super) fn handle(&self) -> Option<Handle> {
        (self.handle.cs != 0).then_some(self.handle)
    }

    /// Returns the word that names the current bank, for the sequences.
    #[inline(always)]
    pub(super) fn source(&self) -> &AtomicUsize {
        &self.current
    }

    /// Tries a sequence as [`sys::try_sequence`] does, if sequences can be restarted.
    pub(super) fn try_sequence<T>(&self, attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
        if self.sequences {
            sys::try_sequence(attempt)
        } else {
            None
        }
    }

    /// Flips the banks, and calls `take` with the address of the old bank, which is `take`'s alone during the
    /// call. If the restart of the last flip was refused, calls `take` with the other bank first.
    pub(super) fn flip(&self, mut take: impl FnMut(usize)) -> Result<(), MembarrierError> {
        if !self.sequences {
            return Ok(());
        }
        let _locked = self.taker.lock();
        let old = self.current.load(Ordering::Relaxed);
        let new = old ^ self.flip;
        if self.refused.load(Ordering::Relaxed) {
            // A thread that loaded the other bank's address before that flip was undone is done with it after
            // this restart.
            sys::restart()?;
            take(new);
            self.refused.store(false, Ordering::Relaxed);
        }
        self.current.store(new, Ordering::Release);
        // Every sequence that loaded the old address has committed, visibly, or never will.
        if let Err(refused) = sys::restart() {
            // It is unknown now whether the sequences were restarted, and the new bank may have been used.
            self.refused.store(true, Ordering::Relaxed);
            self.current.store(old, Ordering::Release);
            return Err(refused);
        }
        take(old);
        Ok(())
    }
}
