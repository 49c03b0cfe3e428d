//! How a thread takes what sequences on other CPUs use.

use super::lock::Lock;
use super::machine::{self, AtomicUsize, Handle, Ordering, Refused};

/// Two banks of per-CPU words, of which sequences use the one that a word names, as in a
/// grace period with one flip: after the flip and a restart of all sequences nobody uses the other
/// bank any more, and it is the flipper's alone.
#[derive(Debug)]
pub(super) struct Banks {
    /// Address of the current bank in the slot of index 0.
    current: AtomicUsize,
    /// The two addresses, combined by exclusive or.
    flip: usize,
    /// For the inline way; `cs` is 0 where there is none.
    handle: Handle,
    /// Whether there are sequences at all: not without the means to restart them.
    sequences: bool,
    taker: Lock,
}

impl Banks {
    pub(super) fn new(first: usize, second: usize) -> Self {
        let sequences = machine::can_restart();
        let handle = if sequences {
            machine::shared_handle()
        } else {
            Handle { cs: 0, index: 0 }
        };
        Banks {
            current: AtomicUsize::new(first),
            flip: first ^ second,
            handle,
            sequences,
            taker: Lock::new(),
        }
    }

    /// The handle for one attempt inline, where every thread has the same.
    #[inline(always)]
    pub(super) fn handle(&self) -> Option<Handle> {
        (self.handle.cs != 0).then_some(self.handle)
    }

    /// For the sequences: where to find the current bank.
    #[inline(always)]
    pub(super) fn source(&self) -> &AtomicUsize {
        &self.current
    }

    /// [`machine::try_sequence`], where sequences can be restarted.
    pub(super) fn try_sequence<T>(&self, attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
        if self.sequences {
            machine::try_sequence(attempt)
        } else {
            None
        }
    }

    /// Flips, and hands the old bank's address to `take`, whose alone it is meanwhile.
    pub(super) fn flip<T>(&self, take: impl FnOnce(usize) -> T) -> Result<Option<T>, Refused> {
        if !self.sequences {
            return Ok(None);
        }
        let locked = self.taker.lock();
        let old = self.current.load(Ordering::Relaxed);
        self.current.store(old ^ self.flip, Ordering::Release);
        // Every sequence that loaded the old address has committed, visibly, or never will.
        if let Err(refused) = machine::restart() {
            // Nothing is known then. Both banks stay as they are and are used in turn.
            self.current.store(old, Ordering::Release);
            return Err(refused);
        }
        let taken = take(old);
        drop(locked);
        Ok(Some(taken))
    }
}
