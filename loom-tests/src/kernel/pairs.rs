//! A bucket with two slots for pairs, and a list for one more; and the sequence that looks a key up in it.

use super::cpu::interrupted;
use super::lookups::Lookup;
use super::sequences::arm_without_slot;
use super::{AtomicUsize, Fault, Handle, Ordering, faulty, two};

/// A key and a value. Each is in an atomic of its own, so that torn pairs can be seen.
#[derive(Debug)]
struct Pair([AtomicUsize; 2]);

impl Pair {
    fn new() -> Self {
        Pair(two(|| AtomicUsize::new(0)))
    }

    fn write(&self, key: usize, value: usize) {
        self.0[0].store(key, Ordering::Relaxed);
        self.0[1].store(value, Ordering::Relaxed);
    }
}

/// A bucket. From bit `4 n` on, the header has the tag of slot `n`, which here is the key or 0.
#[derive(Debug)]
pub(crate) struct Pairs {
    header: AtomicUsize,
    slots: [Pair; 2],
    /// 1 if `outside` is in the list, otherwise 0.
    list: AtomicUsize,
    outside: Pair,
}

fn tag(header: usize, slot: usize) -> usize {
    header >> (4 * slot) & 15
}

fn with_tag(header: usize, slot: usize, tag: usize) -> usize {
    header & !(15 << (4 * slot)) | tag << (4 * slot)
}

impl Pairs {
    /// Returns a bucket with a key in the first slot, and the version 0.
    pub(crate) fn new(key: usize) -> Self {
        let pairs = Pairs {
            header: AtomicUsize::new(with_tag(0, 0, key)),
            slots: two(Pair::new),
            list: AtomicUsize::new(0),
            outside: Pair::new(),
        };
        pairs.slots[0].write(key, 0);
        pairs
    }

    /// Fills a slot, and empties another one in the same step. There is one updater.
    pub(crate) fn fill(&self, slot: usize, key: usize, value: u32, emptied: Option<usize>) {
        self.slots[slot].write(key, value as usize);
        let mut header = self.header.load(Ordering::Relaxed);
        if let Some(emptied) = emptied {
            header = with_tag(header, emptied, 0);
        }
        self.header
            .store(with_tag(header, slot, key), Ordering::Release);
    }

    /// Puts a pair into the list.
    pub(crate) fn push(&self, key: usize, value: u32) {
        self.outside.write(key, value as usize);
        self.list.store(1, Ordering::Release);
    }

    pub(crate) fn empty(&self, slot: usize) {
        let header = self.header.load(Ordering::Relaxed);
        self.header
            .store(with_tag(header, slot, 0), Ordering::Release);
    }

    /// Looks a key up, in a section or, with `interrupted`, in a sequence.
    fn look(&self, key: usize, relaxed: bool, interrupted: impl Fn() -> bool) -> Lookup {
        let list_first = faulty(Fault::ListFirst).then(|| self.list.load(Ordering::Acquire));
        let header = self.header.load(if relaxed {
            Ordering::Relaxed
        } else {
            Ordering::Acquire
        });
        let inside = (0..2)
            .filter(|slot| tag(header, *slot) == key)
            .map(|slot| &self.slots[slot]);
        for Pair([its, value]) in inside {
            if interrupted() {
                return Lookup::Aborted;
            }
            if its.load(Ordering::Relaxed) != key {
                continue;
            }
            if interrupted() {
                return Lookup::Aborted;
            }
            return Lookup::Found(value.load(Ordering::Relaxed) as u32);
        }
        let list = list_first.unwrap_or_else(|| self.list.load(Ordering::Acquire));
        let Pair([its, value]) = &self.outside;
        if list == 0 || its.load(Ordering::Relaxed) != key {
            return Lookup::Missing;
        }
        if interrupted() {
            return Lookup::Aborted;
        }
        Lookup::Found(value.load(Ordering::Relaxed) as u32)
    }

    /// Looks a key up in a section.
    pub(crate) fn read(&self, key: usize) -> Lookup {
        self.look(key, false, || false)
    }
}

/// Looks a key up, in one sequence.
///
/// # Safety
/// As shipped: a slot that was emptied is filled again after a restart.
pub(crate) unsafe fn lookup_inline(handle: Handle, pairs: &Pairs, key: usize) -> Lookup {
    if arm_without_slot(handle).is_none() {
        return Lookup::Aborted;
    }
    let goes_on = faulty(Fault::LookupGoesOn);
    pairs.look(key, faulty(Fault::RelaxedHeader), || {
        interrupted() && !goes_on
    })
}
