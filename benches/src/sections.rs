//! The read-side sections that are compared: lock, load the pointer, read the value
//! behind it, unlock, in a loop of its own for each peer.

use std::hint::black_box;
use std::sync::RwLock;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_epoch as epoch;
use urcu::Rcu;

use crate::floor::Words;
use crate::memb;

/// The name of the library's guard section.
pub const GUARD: &str = "urcu read_lock guard";
/// The name of the library's section within a section.
pub const NESTED: &str = "urcu nested guard";
/// The name of the library's `Rcu::read`.
pub const READ: &str = "urcu read()";
/// The name of the library's `Rcu::snapshot`.
pub const SNAPSHOT: &str = "urcu snapshot()";
/// The name of liburcu-memb's section.
pub const MEMB: &str = "liburcu-memb";
/// The name of crossbeam-epoch's section.
pub const CROSSBEAM: &str = "crossbeam-epoch pin";
/// The name of arc-swap's section.
pub const ARC_SWAP: &str = "ArcSwap::load";
/// The name of the standard lock's section.
pub const RW_LOCK: &str = "RwLock::read";
/// The name of the two plain increments.
pub const FLOOR: &str = "floor: two increments";

/// One value as each peer keeps it.
#[derive(Debug)]
pub struct Data {
    rcu: Rcu<u64>,
    epoch: epoch::Atomic<u64>,
    arc_swap: ArcSwap<u64>,
    rw_lock: RwLock<Box<u64>>,
    plain: AtomicPtr<u64>,
}

impl Data {
    /// The value, published to every peer.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self {
            rcu: Rcu::new(value),
            epoch: epoch::Atomic::new(value),
            arc_swap: ArcSwap::from_pointee(value),
            rw_lock: RwLock::new(Box::new(value)),
            plain: AtomicPtr::new(Box::into_raw(Box::new(value))),
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let shared = std::mem::replace(&mut self.epoch, epoch::Atomic::null());
        // SAFETY: `&mut self`: nobody reads the value, which no other pointer owns.
        drop(unsafe { shared.try_into_owned() });
        // SAFETY: the pointer came from `Box::into_raw` in `new` and was never replaced;
        // the loops that read it have ended, as they borrow `self`.
        drop(unsafe { Box::from_raw(*self.plain.get_mut()) });
    }
}

/// A peer's read-side section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What is measured.
    pub name: &'static str,
    /// Runs the section that many times; the sum of the values read.
    pub run: fn(&Data, u64) -> u64,
}

impl Section {
    /// Runs the section `count` times. Returns how long that took, and the sum of what it read.
    pub fn time(&self, data: &Data, count: u64) -> (Duration, u64) {
        let start = Instant::now();
        let sum = (self.run)(data, count);
        (start.elapsed(), sum)
    }
}

/// Every section that can be measured here, the library's own first.
#[must_use]
pub fn all() -> Vec<Section> {
    let mut sections = vec![
        Section {
            name: GUARD,
            run: guard,
        },
        Section {
            name: NESTED,
            run: nested,
        },
        Section {
            name: READ,
            run: read,
        },
        Section {
            name: SNAPSHOT,
            run: snapshot,
        },
        Section {
            name: CROSSBEAM,
            run: crossbeam,
        },
        Section {
            name: ARC_SWAP,
            run: arc_swap,
        },
        Section {
            name: RW_LOCK,
            run: rw_lock,
        },
        Section {
            name: FLOOR,
            run: floor,
        },
    ];
    if memb::AVAILABLE {
        sections.insert(
            4,
            Section {
                name: MEMB,
                run: liburcu_memb,
            },
        );
    }
    sections
}

/// Sections of the library's guard.
#[inline(never)]
pub fn guard(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        let guard = urcu::read_lock();
        sum = sum.wrapping_add(*data.rcu.load(&guard));
    }
    black_box(sum)
}

/// Sections of the library's guard within one long section.
#[inline(never)]
pub fn nested(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    let outer = urcu::read_lock();
    for _ in 0..count {
        let guard = urcu::read_lock();
        sum = sum.wrapping_add(*data.rcu.load(&guard));
    }
    drop(outer);
    black_box(sum)
}

/// Sections of the library's `Rcu::read`.
#[inline(never)]
pub fn read(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        sum = sum.wrapping_add(*data.rcu.read());
    }
    black_box(sum)
}

/// Copies by the library's `Rcu::snapshot`.
#[inline(never)]
pub fn snapshot(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        sum = sum.wrapping_add(data.rcu.snapshot());
    }
    black_box(sum)
}

/// Sections of liburcu-memb, inlined from its headers; registers the thread for the loop.
///
/// # Panics
///
/// Panics if there is no liburcu-memb.
#[inline(never)]
pub fn liburcu_memb(data: &Data, count: u64) -> u64 {
    let _registration = memb::register();
    // SAFETY: the one pointer that `plain` ever holds is freed when `data` is dropped.
    black_box(unsafe { memb::sections(&data.plain, count) })
}

/// Sections of crossbeam-epoch's pin.
#[inline(never)]
pub fn crossbeam(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        let guard = epoch::pin();
        let shared = data.epoch.load(Ordering::Acquire, &guard);
        // SAFETY: the pointer is never null and its value lives until `data` is dropped.
        sum = sum.wrapping_add(unsafe { *shared.deref() });
    }
    black_box(sum)
}

/// Sections of arc-swap's load.
#[inline(never)]
pub fn arc_swap(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        sum = sum.wrapping_add(**data.arc_swap.load());
    }
    black_box(sum)
}

/// Sections of the standard reader-writer lock.
///
/// # Panics
///
/// Panics if the lock is poisoned, which no code here can bring about.
#[inline(never)]
pub fn rw_lock(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        let guard = data.rw_lock.read().expect("no writer panics");
        sum = sum.wrapping_add(**guard);
    }
    black_box(sum)
}

/// Two plain increments around the same load and read.
#[inline(never)]
pub fn floor(data: &Data, count: u64) -> u64 {
    let mut sum = 0u64;
    let mut words = Words::default();
    for _ in 0..count {
        words.lock();
        let pointer = data.plain.load(Ordering::Acquire);
        // SAFETY: the one pointer that `plain` ever holds is freed when `data` is dropped.
        sum = sum.wrapping_add(unsafe { *pointer });
        words.unlock();
    }
    black_box(words.counts());
    black_box(sum)
}

#[cfg(test)]
mod tests {
    use super::{Data, all};

    #[test]
    fn every_section_reads_the_value() {
        let data = Data::new(42);
        for section in all() {
            assert_eq!((section.run)(&data, 1000), 42_000, "{}", section.name);
            assert_eq!((section.run)(&data, 0), 0, "{}", section.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().iter().map(|section| section.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }
}
