//! A table of one bucket with two slots, and the sequence that looks a key up in it.

use std::cell::RefCell;
use std::rc::Rc;

use super::cpu::interrupted;
use super::sequences::arm_without_slot;
use super::{AtomicUsize, Fault, Handle, Number, Ordering, faulty, two};

/// A bit in a header: the contents have moved to the other table.
const MOVED: usize = 1;

/// As `rseq_ops::ops::Lookup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    Found(u32),
    Missing,
    Inconclusive,
    Aborted,
}

#[derive(Debug)]
struct Table {
    /// A number that is reclaimed with the table. A lookup that follows the root reads it.
    memory: Number,
    /// The bit [`MOVED`], and from bit `4 n + 4` on the tag of slot `n`, which here is the key or 0.
    header: AtomicUsize,
    /// The numbers of entries, counted from 1; 0 for none.
    slots: [AtomicUsize; 2],
}

/// Two tables, one of which is in use, and their entries. Nothing that is reclaimed is used again.
#[derive(Debug)]
pub(crate) struct Tables {
    root: AtomicUsize,
    tables: [Table; 2],
    entries: RefCell<Vec<Rc<(usize, Number)>>>,
}

fn tag(header: usize, slot: usize) -> usize {
    header >> (4 * slot + 4) & 15
}

impl Tables {
    /// Returns tables with the key 1 in the first slot, and the version 0.
    pub(crate) fn new() -> Self {
        let table = || Table {
            memory: Number::new(0),
            header: AtomicUsize::new(0),
            slots: two(|| AtomicUsize::new(0)),
        };
        let tables = Tables {
            root: AtomicUsize::new(0),
            tables: two(table),
            entries: RefCell::default(),
        };
        tables.tables[0].slots[0].store(tables.entry(1, 0), Ordering::Relaxed);
        tables.tables[0].header.store(1 << 4, Ordering::Relaxed);
        tables
    }

    fn entry(&self, key: usize, version: u32) -> usize {
        let mut entries = self.entries.borrow_mut();
        entries.push(Rc::new((key, Number::new(version))));
        entries.len()
    }

    /// Returns the value at an entry's address.
    fn follow(&self, entry: usize) -> Rc<(usize, Number)> {
        Rc::clone(&self.entries.borrow()[entry - 1])
    }

    /// Reclaims an entry.
    pub(crate) fn end(&self, entry: usize) {
        self.follow(entry).1.end();
    }

    /// Returns the table in which keys are found now.
    fn current(&self) -> &Table {
        let [old, new] = &self.tables;
        match old.header.load(Ordering::Acquire) & MOVED {
            0 => old,
            _ => new,
        }
    }

    /// Stores another version of a key in its slot. Returns the entry that was there, or 0. There is one updater.
    pub(crate) fn store(&self, slot: usize, key: usize, version: u32) -> usize {
        let entry = self.entry(key, version);
        let table = self.current();
        let old = table.slots[slot].load(Ordering::Relaxed);
        let header = table.header.load(Ordering::Relaxed);
        let header = header & !(15 << (4 * slot + 4)) | key << (4 * slot + 4);
        table.header.store(header, Ordering::Release);
        table.slots[slot].store(entry, Ordering::Release);
        old
    }

    /// Removes the entry in a slot, and returns it.
    pub(crate) fn remove(&self, slot: usize) -> usize {
        let table = self.current();
        let old = table.slots[slot].load(Ordering::Relaxed);
        table.slots[slot].store(0, Ordering::Release);
        let header = table.header.load(Ordering::Relaxed);
        table
            .header
            .store(header & !(15 << (4 * slot + 4)), Ordering::Release);
        old
    }

    /// Moves everything to the other table, before the root leads there.
    pub(crate) fn move_on(&self) {
        let [old, new] = &self.tables;
        for (from, to) in old.slots.iter().zip(&new.slots) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let header = old.header.load(Ordering::Relaxed);
        new.header.store(header, Ordering::Relaxed);
        old.header.store(header | MOVED, Ordering::Release);
    }

    /// Makes the root lead to the other table.
    pub(crate) fn leave(&self) {
        self.root.store(1, Ordering::Release);
    }

    /// Reclaims the table that was left.
    pub(crate) fn end_table(&self) {
        self.tables[0].memory.end();
    }

    /// Looks a key up inside a section.
    pub(crate) fn read(&self, key: usize) -> Lookup {
        let mut table = &self.tables[self.root.load(Ordering::Acquire)];
        table.memory.read();
        if table.header.load(Ordering::Acquire) & MOVED != 0 {
            table = &self.tables[1];
        }
        for slot in &table.slots {
            let entry = slot.load(Ordering::Acquire);
            if entry != 0 && self.follow(entry).0 == key {
                return Lookup::Found(self.follow(entry).1.read());
            }
        }
        Lookup::Missing
    }
}

/// Looks a key up, in one sequence.
///
/// # Safety
/// As shipped: what is unlinked is reclaimed after a restart.
pub(crate) unsafe fn lookup(handle: Handle, tables: &Tables, key: usize) -> Lookup {
    if arm_without_slot(handle).is_none() {
        return Lookup::Aborted;
    }
    let goes_on = faulty(Fault::LookupGoesOn);
    let root = tables.root.load(if faulty(Fault::RelaxedRoot) {
        Ordering::Relaxed
    } else {
        Ordering::Acquire
    });
    if interrupted() && !goes_on {
        return Lookup::Aborted;
    }
    let table = &tables.tables[root];
    table.memory.read();
    let header = table.header.load(Ordering::Relaxed);
    if header & MOVED != 0 && !faulty(Fault::LookupStays) {
        return Lookup::Inconclusive;
    }
    for slot in (0..2).filter(|slot| tag(header, *slot) == key) {
        // Acquire: it stands for the address dependency, which loom does not know.
        let entry = table.slots[slot].load(Ordering::Acquire);
        if entry == 0 {
            continue;
        }
        if interrupted() && !goes_on {
            return Lookup::Aborted;
        }
        let entry = tables.follow(entry);
        if entry.0 != key {
            continue;
        }
        let version = entry.1.read();
        if interrupted() && !goes_on {
            return Lookup::Aborted;
        }
        return Lookup::Found(version);
    }
    Lookup::Missing
}
