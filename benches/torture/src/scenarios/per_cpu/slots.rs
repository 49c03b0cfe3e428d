//! Words for each index, and the attempts of sequences on them.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use rseq_ops::Handle;
use rseq_ops::ops::{Outcome, Popped};
use rseq_ops::percpu::{Allocator, PerCpu};

use crate::random::Random;

/// One index's words.
pub(super) type Words = [AtomicUsize; 64];

/// Words for each index. All sequences on them use the same kind of index and of commit.
pub(super) struct Slots<C> {
    index: fn() -> Option<Handle>,
    pub(super) commit: C,
    words: PerCpu<'static, Words>,
    aborts: AtomicU64,
}

/// The place of an attempt: the calling thread's handle, its index, and the words of this index.
pub(super) struct Here<'s> {
    pub(super) handle: Handle,
    pub(super) index: u32,
    pub(super) words: &'s Words,
}

impl<C> Slots<C> {
    pub(super) fn new(index: fn() -> Option<Handle>, commit: C) -> Self {
        Slots {
            index,
            commit,
            words: PerCpu::zeroed(Allocator::global()).expect("memory"),
            aborts: AtomicU64::new(0),
        }
    }

    /// Returns the calling thread's place, or `None` on a thread without sequences.
    pub(super) fn here(&self) -> Option<Here<'_>> {
        let handle = (self.index)()?;
        // SAFETY: the handle is this thread's.
        let index = unsafe { handle.current_index() }?;
        let words = self.words.get(index as usize)?;
        Some(Here {
            handle,
            index,
            words,
        })
    }

    /// Returns the words of all indexes.
    pub(super) fn all(&self) -> impl Iterator<Item = &Words> {
        self.words.iter()
    }

    /// Returns the sum of all indexes' words of this number.
    pub(super) fn sum(&self, word: usize) -> usize {
        let words = self.all().map(|words| words[word].load(SeqCst));
        words.fold(0, usize::wrapping_add)
    }

    /// Counts an abort. Returns whether the sequence was committed.
    pub(super) fn done(&self, outcome: Outcome) -> bool {
        self.aborts
            .fetch_add(u64::from(outcome == Outcome::Aborted), Relaxed);
        outcome == Outcome::Committed
    }

    /// Counts an abort. Returns what was popped.
    pub(super) fn popped(&self, popped: Popped) -> Option<usize> {
        self.aborts
            .fetch_add(u64::from(popped == Popped::Aborted), Relaxed);
        match popped {
            Popped::Committed(head) => Some(head),
            Popped::Mismatch | Popped::Aborted => None,
        }
    }

    pub(super) fn aborts(&self) -> u64 {
        self.aborts.load(Relaxed)
    }
}

/// Spins for a moment, to widen the gap between two steps.
pub(super) fn dawdle(random: &mut Random) {
    (0..random.skewed(7)).for_each(|_| std::hint::spin_loop());
}
