//! How the structures of this module reach the calling CPU's part of them.

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::area::possible_cpus;
use crate::membarrier::{self, Refused};
use crate::ops;
use crate::registration::{Handle, Owner, current_thread, process};

/// The handle that all threads of this process have, for all of its life, where libc registers
/// them. `cs` is 0 where there is none; it never is otherwise: there is the thread pointer.
pub(super) fn shared_handle() -> Handle {
    const NONE: Handle = Handle { cs: 0, index: 0 };
    match process().owner {
        Owner::Libc => current_thread().unwrap_or(NONE),
        _ => NONE,
    }
}

/// Runs `attempt` with the calling thread's handle until it answers, a bounded number of times.
pub(super) fn try_sequence<T>(mut attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
    let handle = current_thread()?;
    ops::retry(|| attempt(handle))
}

/// A number below `count` that differs between threads, mostly. The stack's address is to be had
/// everywhere, in signal handlers and destructors too.
pub(super) fn stripe(count: usize) -> usize {
    let here = 0u8;
    let hash = ((&raw const here).addr() >> 17).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (hash * count) >> 32
}

/// The calling thread's index now, or a stripe.
pub(super) fn index_hint() -> usize {
    let count = possible_cpus();
    let index = current_thread().map(|handle| {
        // SAFETY: this thread's handle.
        unsafe { handle.current_index() }
    });
    match index {
        Some(index) if (index as usize) < count => index as usize,
        _ => stripe(count),
    }
}

/// Whether the process can restart its sequences: registers it for that at the first call.
pub(super) fn can_restart() -> bool {
    const YES: u32 = 1;
    const NO: u32 = 2;
    static DECIDED: AtomicU32 = AtomicU32::new(0);
    let mut decided = DECIDED.load(Ordering::Acquire);
    if decided == 0 {
        let able = process().owner != Owner::Nobody && membarrier::register().is_ok();
        let found = if able { YES } else { NO };
        // Should two first uses disagree, because a filter came between them, the first stays.
        decided = DECIDED
            .compare_exchange(0, found, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|first| first, |_| found);
    }
    decided == YES
}

/// A lock for what is rare and never done in signal handlers.
#[derive(Debug, Default)]
pub(super) struct Lock(AtomicU32);

/// Unlocks at its end.
pub(super) struct Locked<'l>(&'l Lock);

impl Lock {
    pub(super) const fn new() -> Self {
        Lock(AtomicU32::new(0))
    }

    /// The lock, unless somebody has it: then whoever asks goes elsewhere, which is what makes
    /// this usable in signal handlers.
    pub(super) fn try_lock(&self) -> Option<Locked<'_>> {
        self.0
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then(|| Locked(self))
    }

    /// The lock, after waiting for it: not for signal handlers.
    pub(super) fn lock(&self) -> Locked<'_> {
        loop {
            if let Some(locked) = self.try_lock() {
                return locked;
            }
            #[cfg(target_os = "linux")]
            // SAFETY: no arguments.
            unsafe {
                libc::sched_yield();
            }
            core::hint::spin_loop();
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Release);
    }
}

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
        let sequences = can_restart();
        let handle = if sequences {
            shared_handle()
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
    pub(super) fn source(&self) -> *const usize {
        self.current.as_ptr()
    }

    /// [`try_sequence`], where sequences can be restarted.
    pub(super) fn try_sequence<T>(&self, attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
        if self.sequences {
            try_sequence(attempt)
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
        if let Err(refused) = membarrier::restart() {
            // Nothing is known then. Both banks stay as they are and are used in turn.
            self.current.store(old, Ordering::Release);
            return Err(refused);
        }
        let taken = take(old);
        drop(locked);
        Ok(Some(taken))
    }
}
