//! A hash table of one bucket. Each lookup is one sequence, while updaters replace the entries and the
//! table.

use std::array;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize};

use rseq_ops::ops::{self, Lookup, Place};
use rseq_ops::{current_thread, membarrier};

use super::subject::Subject;
use crate::random::Random;

/// The slots of a bucket. Each has its key; the keys of the upper half come and go.
const KEYS: usize = 6;
/// The contents of a reclaimed entry.
const GONE: u64 = 0xDDDD_DDDD_DDDD_DDDD;
const MOVED: u64 = 2;

/// A table as [`ops::lookup`] expects it: a mask and one bucket.
#[repr(C, align(64))]
struct Table {
    mask: usize,
    unused: [usize; 7],
    header: AtomicU64,
    slots: [AtomicUsize; KEYS],
    next: usize,
}

/// A hash (which does not matter), a key, a value and its complement.
type Entry = [AtomicU64; 4];
const VALUE: usize = 16;

pub(super) struct Lookups {
    root: AtomicPtr<u8>,
    tables: [Table; 2],
    /// Two entries for each key, at most one of which is in the table.
    entries: [[Entry; 2]; KEYS],
    version: AtomicU64,
    wrong: AtomicU64,
    aborts: AtomicU64,
}

fn hash(key: usize) -> u64 {
    // Three tags, each shared by two keys. (No tag is less than 2.)
    (key as u64 / 2 + 2) << 56
}

impl Lookups {
    pub(super) fn new() -> Box<Self> {
        let lookups = Box::new(Lookups {
            root: AtomicPtr::default(),
            tables: array::from_fn(|_| Table {
                mask: 0,
                unused: [0; 7],
                header: AtomicU64::new(0),
                slots: Default::default(),
                next: 0,
            }),
            entries: Default::default(),
            version: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
        });
        let header = (0..KEYS).fold(0, |header, key| {
            header | hash(key) >> 56 << (16 + 8 * key)
        });
        for key in 0..KEYS {
            lookups.tables[0].slots[key].store(lookups.filled(key, 0), Relaxed);
        }
        // Tags may be there without entries, so they stay.
        lookups.tables[0].header.store(header, Relaxed);
        let first = (&raw const lookups.tables[0]).cast_mut().cast();
        lookups.root.store(first, Release);
        lookups
    }

    /// Returns the address of one of a key's entries, with a new value.
    fn filled(&self, key: usize, which: usize) -> usize {
        let value = (key as u64) << 48 | self.version.fetch_add(1, Relaxed);
        let entry = &self.entries[key][which];
        for (word, value) in entry.iter().zip([hash(key), key as u64, value, !value]) {
            word.store(value, Relaxed);
        }
        entry.as_ptr().expose_provenance()
    }

    /// Overwrites an entry. Called after a restart, so that no lookup can still use the entry.
    fn reclaim(&self, address: usize) {
        let mut all = self.entries.iter().flatten();
        if let Some(entry) = all.find(|entry| entry.as_ptr().expose_provenance() == address) {
            entry.iter().for_each(|word| word.store(GONE, Relaxed));
        }
    }

    fn look(&self, key: usize) -> Lookup {
        let place = Place {
            root: self.root.as_ptr().cast_const().cast(),
            hash: hash(key),
            offset: VALUE,
        };
        let Some(handle) = current_thread() else {
            return Lookup::Aborted;
        };
        let mut value = [0; 2];
        // SAFETY: the handle is this thread's, and the table has the form that `lookup` asks for. Entries
        // and tables live as long as `self`, and are overwritten only after a restart.
        let found = unsafe { ops::lookup(handle, &place, &(key as u64), &raw mut value) };
        let good = value[0] == !value[1] && value[0] >> 48 == key as u64;
        let is_wrong = match found {
            Lookup::Found => !good,
            Lookup::Missing => key < KEYS / 2,
            Lookup::Inconclusive | Lookup::Aborted => false,
        };
        self.wrong.fetch_add(u64::from(is_wrong), Relaxed);
        self.aborts.fetch_add(u64::from(found == Lookup::Aborted), Relaxed);
        found
    }
}

impl Subject for Lookups {
    fn name(&self) -> &'static str {
        "lookups"
    }

    fn work(&self, random: &mut Random) {
        let _ = self.look(random.below(KEYS as u64) as usize);
    }

    fn take(&self, random: &mut Random) {
        let root = self.root.load(Acquire);
        let [first, second] = &self.tables;
        let (now, other) = if ptr::eq(root.cast(), first) {
            (first, second)
        } else {
            (second, first)
        };
        if random.one_in(8) {
            for (from, to) in now.slots.iter().zip(&other.slots) {
                to.store(from.load(Relaxed), Relaxed);
            }
            other.header.store(now.header.load(Relaxed), Relaxed);
            now.header.fetch_or(MOVED, Release);
            self.root.store(ptr::from_ref(other).cast_mut().cast(), Release);
            if membarrier::restart().is_ok() {
                now.slots.iter().for_each(|slot| slot.store(0, Relaxed));
                now.header.store(0, Relaxed);
            }
            return;
        }
        let key = random.below(KEYS as u64) as usize;
        let old = now.slots[key].load(Relaxed);
        let new = if key >= KEYS / 2 && random.one_in(2) {
            0
        } else {
            let in_use = self.entries[key][0].as_ptr().expose_provenance() == old;
            self.filled(key, usize::from(in_use))
        };
        now.slots[key].store(new, Release);
        if membarrier::restart().is_ok() {
            self.reclaim(old);
        }
    }

    fn audit(&self) -> Result<(), String> {
        let wrong = self.wrong.load(SeqCst);
        if wrong > 0 {
            return Err(format!("{wrong} lookups missed a key or saw a reclaimed entry"));
        }
        let lost = (0..KEYS / 2).find(|key| {
            let found = ops::retry(|| self.look(*key));
            !matches!(found, Lookup::Found | Lookup::Aborted)
        });
        lost.map_or(Ok(()), |key| Err(format!("the key {key} was lost")))
    }

    fn aborts(&self) -> u64 {
        self.aborts.load(Relaxed)
    }
}
