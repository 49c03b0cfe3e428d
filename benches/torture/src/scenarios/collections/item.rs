//! Values that show whether they are whole.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU64, fence};
use std::time::Duration;

use urcu::Budget;

use crate::run::{Run, Thread};

/// The budget, chosen as that of `raw-list`.
pub(super) const BUDGET: Budget = Budget::new(1 << 20, 64 << 20).patience(Duration::from_millis(1));
/// The number of words in a value. All follow from its number.
const WORDS: usize = 4;

/// The numbers of values that were made and freed.
pub(super) struct Ledger {
    pub(super) run: &'static Run,
    made: AtomicU64,
    freed: AtomicU64,
}

impl Ledger {
    pub(super) fn leak(run: &'static Run) -> &'static Ledger {
        Box::leak(Box::new(Ledger {
            run,
            made: AtomicU64::new(0),
            freed: AtomicU64::new(0),
        }))
    }

    /// Checks, after everything was reclaimed, that every value was freed.
    pub(super) fn check(&self) {
        let (made, freed) = (self.made.load(SeqCst), self.freed.load(SeqCst));
        if made != freed && self.run.settings.broken.is_none() {
            let what = format!("{made} values were made but {freed} freed");
            self.run.fault("the end", what);
        }
    }
}

/// A value.
pub(super) struct Item {
    /// Atomic, because a run that is broken on purpose marks values that readers may hold.
    words: [AtomicU64; WORDS],
    ledger: &'static Ledger,
}

/// Returns a word of a value. No two are the same, unlike the words of freed memory.
fn word(number: u64, place: usize) -> u64 {
    (number ^ 0xC0 << 56).wrapping_add(place as u64 * 0x9E37_79B9)
}

impl Item {
    pub(super) fn new(ledger: &'static Ledger, number: u64) -> Item {
        ledger.made.fetch_add(1, Relaxed);
        Item {
            words: std::array::from_fn(|place| AtomicU64::new(word(number, place))),
            ledger,
        }
    }

    /// Returns the number, if the value is whole.
    fn number(&self) -> Option<u64> {
        let number = self.words[0].load(Relaxed) ^ 0xC0 << 56;
        let whole = |place: usize| self.words[place].load(Relaxed) == word(number, place);
        (0..WORDS).all(whole).then_some(number)
    }

    /// Returns the number, or reports a fault and returns `None`.
    pub(super) fn look(&self, thread: &Thread) -> Option<u64> {
        let number = self.number();
        if number.is_none() {
            let words: Vec<u64> = self.words.iter().map(|word| word.load(Relaxed)).collect();
            let what = format!("a value is not whole: {words:x?}");
            thread.run.fault(&thread.name, what);
        }
        number
    }

    /// Marks a value as freed, in a run that is broken on purpose. A marked value is never really freed.
    pub(super) fn mark(&self) {
        self.words.iter().for_each(|word| word.store(0, Relaxed));
        fence(SeqCst);
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if self.number().is_none() && self.ledger.run.settings.broken.is_none() {
            let what = "a value was not whole when it was dropped";
            self.ledger.run.fault("reclaimer", what);
        }
        self.ledger.freed.fetch_add(1, SeqCst);
        self.mark();
    }
}
