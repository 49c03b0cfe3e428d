//! Additions to words of the calling CPU, none of which may be lost or done twice; and locks.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use rseq_ops::membarrier;
use rseq_ops::ops::{self, Commit};

use super::slots::{Slots, dawdle};
use super::subject::Subject;
use crate::random::Random;

/// `add_at` adds to word 0; `add_through_offset` adds to word 1 or 2 through one of two tables. Now and then
/// the other table takes its place: after a restart nobody may use the old one any more.
pub(super) struct Additions<C> {
    slots: Slots<C>,
    tables: [Vec<usize>; 2],
    /// The address of the table in use.
    current: AtomicUsize,
    at: AtomicUsize,
    through: AtomicUsize,
    /// The number of additions through a table that was no longer in use.
    late: AtomicUsize,
    /// True if some additions are not atomic on purpose.
    split: bool,
}

impl<C> Additions<C> {
    pub(super) fn new(slots: Slots<C>, split: bool) -> Self {
        let table = |word: usize| {
            let words = slots.all().map(|words| &words[word]);
            words
                .map(|word| word.as_ptr().expose_provenance())
                .collect()
        };
        let tables: [Vec<usize>; 2] = [table(1), table(2)];
        Additions {
            current: AtomicUsize::new(tables[0].as_ptr().expose_provenance()),
            tables,
            slots,
            at: AtomicUsize::new(0),
            through: AtomicUsize::new(0),
            late: AtomicUsize::new(0),
            split,
        }
    }
}

impl<C: Commit + Send + Sync> Subject for Additions<C> {
    fn name(&self) -> &'static str {
        "add_at and add_through_offset"
    }

    fn work(&self, random: &mut Random) {
        let Some(here) = self.slots.here() else {
            return;
        };
        let (handle, index, commit) = (here.handle, here.index, self.slots.commit);
        let word = &here.words[0];
        dawdle(random);
        if self.split && random.one_in(1024) {
            // Wrong on purpose.
            let before = word.load(Relaxed);
            std::thread::yield_now();
            word.store(before + 1, Relaxed);
            self.at.fetch_add(1, SeqCst);
        } else if random.one_in(2) {
            // SAFETY: the handle is this thread's; only these sequences change the word.
            let outcome = unsafe { ops::add_at(handle, index, word.as_ptr(), 1, commit) };
            self.at
                .fetch_add(usize::from(self.slots.done(outcome)), SeqCst);
        } else {
            let offset = index as usize * size_of::<usize>();
            let source = self.current.as_ptr().cast_const();
            // SAFETY: the handle is this thread's; both tables have the address of a word for each index, and
            // live on; only these sequences change the words.
            let outcome =
                unsafe { ops::add_through_offset(handle, index, source, offset, 1, commit) };
            self.through
                .fetch_add(usize::from(self.slots.done(outcome)), SeqCst);
        }
    }

    fn take(&self, random: &mut Random) {
        let addresses = self.tables.each_ref().map(|table| table.as_ptr().addr());
        let old = usize::from(self.current.load(SeqCst) != addresses[0]);
        self.current.store(addresses[1 - old], SeqCst);
        if membarrier::restart().is_err() {
            return;
        }
        let before = self.slots.sum(1 + old);
        std::thread::sleep(Duration::from_micros(random.skewed(8)));
        let late = self.slots.sum(1 + old).wrapping_sub(before);
        self.late.fetch_add(late, SeqCst);
    }

    fn audit(&self) -> Result<(), String> {
        let [at, through, late] =
            [&self.at, &self.through, &self.late].map(|count| count.load(SeqCst));
        let sums = [0, 1, 2].map(|word| self.slots.sum(word));
        if late != 0 {
            Err(format!(
                "{late} additions went through a table that had been replaced"
            ))
        } else if (sums[0], sums[1] + sums[2]) != (at, through) {
            Err(format!("{at} and {through} additions have left {sums:?}"))
        } else {
            Ok(())
        }
    }

    fn aborts(&self) -> u64 {
        self.slots.aborts()
    }
}

/// `compare_store` takes the lock in word 0; an atomic store releases it, on whichever CPU the holder is by
/// then. The lock protects word 1.
pub(super) struct Locks<C> {
    slots: Slots<C>,
    taken: AtomicUsize,
}

impl<C> Locks<C> {
    pub(super) fn new(slots: Slots<C>) -> Self {
        Locks {
            slots,
            taken: AtomicUsize::new(0),
        }
    }
}

impl<C: Commit + Send + Sync> Subject for Locks<C> {
    fn name(&self) -> &'static str {
        "locks by compare_store"
    }

    fn work(&self, random: &mut Random) {
        let Some(here) = self.slots.here() else {
            return;
        };
        let [lock, count, ..] = here.words;
        dawdle(random);
        // SAFETY: the handle is this thread's; only these sequences store to a lock that is free.
        let taken = self.slots.done(unsafe {
            let (handle, index, word) = (here.handle, here.index, lock.as_ptr());
            ops::compare_store(handle, index, word, 0, 1, self.slots.commit)
        });
        if taken {
            let before = count.load(Relaxed);
            dawdle(random);
            count.store(before + 1, Relaxed);
            lock.store(0, SeqCst);
            self.taken.fetch_add(1, SeqCst);
        }
    }

    fn audit(&self) -> Result<(), String> {
        let (held, counted) = (self.slots.sum(0), self.slots.sum(1));
        let taken = self.taken.load(SeqCst);
        if (held, counted) == (0, taken) {
            Ok(())
        } else {
            Err(format!(
                "the locks were taken {taken} times, {counted} of them were counted, and {held} are held"
            ))
        }
    }

    fn aborts(&self) -> u64 {
        self.slots.aborts()
    }
}
