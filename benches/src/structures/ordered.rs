//! Ordered maps of numbers.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;
use std::sync::RwLock;

use crate::structures::Named;

/// The number of entries that a range visits.
pub const RANGE: usize = 100;

/// A map, as its users call it.
pub(crate) trait Tree: Send + Sync + Sized {
    fn new() -> Self;
    fn get(&self, key: u64) -> Option<u64>;
    fn insert(&self, key: u64, value: u64);
    fn remove(&self, key: u64);
    /// Returns the sum of the values of the first [`RANGE`] keys from this one on.
    fn range(&self, from: u64) -> u64;
}

/// The loads of a map that are measured, without a virtual call for each operation.
pub trait Map: Send + Sync {
    /// Returns what the map has for a key.
    fn get(&self, key: u64) -> Option<u64>;
    /// Inserts a pair, or replaces what is there for the key.
    fn insert(&self, key: u64, value: u64);
    /// Removes a key.
    fn remove(&self, key: u64);
    /// Looks each key up, in a section or under a lock for each.
    fn look_each(&self, keys: &[u64]) -> u64;
    /// Visits [`RANGE`] entries from each key on.
    fn ranges(&self, keys: &[u64]) -> u64;
    /// Inserts each key and removes it again.
    fn insert_and_remove(&self, keys: &[u64]);
    /// Of a thousand operations, so many insert a key or remove it, in turns; the others look one up.
    fn mixed(&self, keys: &[u64], updates: u64);
}

impl<T: Tree> Map for T {
    fn get(&self, key: u64) -> Option<u64> {
        Tree::get(self, key)
    }

    fn insert(&self, key: u64, value: u64) {
        Tree::insert(self, key, value);
    }

    fn remove(&self, key: u64) {
        Tree::remove(self, key);
    }

    #[inline(never)]
    fn look_each(&self, keys: &[u64]) -> u64 {
        let looks = keys.iter().map(|key| black_box(Tree::get(self, *key)));
        looks.flatten().fold(0, u64::wrapping_add)
    }

    #[inline(never)]
    fn ranges(&self, keys: &[u64]) -> u64 {
        let ranges = keys.iter().map(|key| black_box(self.range(*key)));
        ranges.fold(0, u64::wrapping_add)
    }

    #[inline(never)]
    fn insert_and_remove(&self, keys: &[u64]) {
        for key in keys {
            Tree::insert(self, *key, 0);
            Tree::remove(self, *key);
        }
    }

    #[inline(never)]
    fn mixed(&self, keys: &[u64], updates: u64) {
        let mut due = 0;
        let mut inserts = false;
        for key in keys {
            due += updates;
            if due < 1000 {
                black_box(Tree::get(self, *key));
                continue;
            }
            due -= 1000;
            inserts = !inserts;
            if inserts {
                Tree::insert(self, *key, *key);
            } else {
                Tree::remove(self, *key);
            }
        }
    }
}

/// A kind of ordered map.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name and its use.
    pub named: Named,
    /// Makes an empty one.
    pub make: fn() -> Box<dyn Map>,
}

impl Debug for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.named.fmt(f)
    }
}

const fn kind<T: Tree + 'static>(
    name: &'static str,
    package: &'static str,
    how: &'static str,
) -> Kind {
    Kind {
        named: Named { name, package, how },
        make: || Box::new(T::new()),
    }
}

/// Returns all ordered maps, ours first.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    vec![
        kind::<Ours>(
            "urcu BTreeMap",
            "urcu-collections",
            "`pin().get`, `pin().range`; a range is no snapshot",
        ),
        kind::<SkipList>(
            "crossbeam-skiplist",
            "crossbeam-skiplist",
            "`SkipMap`: `get`, `range`",
        ),
        kind::<SccTree>(
            "scc TreeIndex",
            "scc",
            "`peek_with`, `range`; `insert_sync` after `remove_sync` where the key is there",
        ),
        kind::<Congee>(
            "congee",
            "congee",
            "`U64Congee`: 8-byte keys alone; `get`, `range` into an array",
        ),
        kind::<Locked>("RwLock<BTreeMap>", "std", "`read`; `write`"),
    ]
}

struct Ours(urcu_collections::BTreeMap<u64, u64>);

impl Tree for Ours {
    fn new() -> Self {
        Self(urcu_collections::BTreeMap::new())
    }

    #[inline(always)]
    fn get(&self, key: u64) -> Option<u64> {
        self.0.pin().get(&key).copied()
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.pin().remove(&key);
    }

    #[inline(always)]
    fn range(&self, from: u64) -> u64 {
        let pinned = self.0.pin();
        let range = pinned.range(from..).take(RANGE);
        range.fold(0, |sum, (_, value)| sum.wrapping_add(*value))
    }
}

struct SkipList(crossbeam_skiplist::SkipMap<u64, u64>);

impl Tree for SkipList {
    fn new() -> Self {
        Self(crossbeam_skiplist::SkipMap::new())
    }

    #[inline(always)]
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key).map(|entry| *entry.value())
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.remove(&key);
    }

    #[inline(always)]
    fn range(&self, from: u64) -> u64 {
        let range = self.0.range(from..).take(RANGE);
        range.fold(0, |sum, entry| sum.wrapping_add(*entry.value()))
    }
}

struct SccTree(scc::TreeIndex<u64, u64>);

impl Tree for SccTree {
    fn new() -> Self {
        Self(scc::TreeIndex::new())
    }

    #[inline(always)]
    fn get(&self, key: u64) -> Option<u64> {
        self.0.peek_with(&key, |_, value| *value)
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        while self.0.insert_sync(key, value).is_err() {
            self.0.remove_sync(&key);
        }
    }

    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.remove_sync(&key);
    }

    #[inline(always)]
    fn range(&self, from: u64) -> u64 {
        let guard = scc::Guard::new();
        let range = self.0.range(from.., &guard).take(RANGE);
        range.fold(0, |sum, (_, value)| sum.wrapping_add(*value))
    }
}

struct Congee(congee::U64Congee<usize>);

impl Tree for Congee {
    fn new() -> Self {
        Self(congee::U64Congee::new())
    }

    #[inline(always)]
    fn get(&self, key: u64) -> Option<u64> {
        let guard = congee::epoch::pin();
        self.0.get(key, &guard).map(|value| value as u64)
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        let guard = congee::epoch::pin();
        let inserted = self.0.insert(key, value as usize, &guard);
        assert!(inserted.is_ok(), "no memory");
    }

    #[inline(always)]
    fn remove(&self, key: u64) {
        let guard = congee::epoch::pin();
        self.0.remove(key, &guard);
    }

    #[inline(always)]
    fn range(&self, from: u64) -> u64 {
        let guard = congee::epoch::pin();
        let mut found = [([0; 8], 0); RANGE];
        let count = self.0.range(from, u64::MAX, &mut found, &guard);
        let found = found[..count].iter();
        found.fold(0, |sum, (_, value)| sum.wrapping_add(*value as u64))
    }
}

struct Locked(RwLock<BTreeMap<u64, u64>>);

impl Tree for Locked {
    fn new() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    #[inline(always)]
    fn get(&self, key: u64) -> Option<u64> {
        self.0.read().expect("nobody panics").get(&key).copied()
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        self.0.write().expect("nobody panics").insert(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: u64) {
        self.0.write().expect("nobody panics").remove(&key);
    }

    #[inline(always)]
    fn range(&self, from: u64) -> u64 {
        let map = self.0.read().expect("nobody panics");
        let range = map.range(from..).take(RANGE);
        range.fold(0, |sum, (_, value)| sum.wrapping_add(*value))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{RANGE, kinds};

    #[test]
    fn every_map_has_what_was_stored_last() {
        for kind in kinds() {
            let (name, map) = (kind.named.name, (kind.make)());
            for number in 0..100 {
                map.insert(5, number);
                assert_eq!(map.get(5), Some(number), "{name}");
                let elsewhere = thread::scope(|scope| scope.spawn(|| map.get(5)).join());
                assert_eq!(elsewhere.unwrap(), Some(number), "{name}");
                assert_eq!(map.get(6), None, "{name}");
            }
            map.remove(5);
            assert_eq!(map.get(5), None, "{name}");
        }
    }

    #[test]
    fn every_load_does_what_it_says() {
        for kind in kinds() {
            let (name, map) = (kind.named.name, (kind.make)());
            let keys: Vec<u64> = (0..1000).collect();
            keys.iter().for_each(|key| map.insert(*key, *key));
            assert_eq!(map.look_each(&keys), 999 * 500, "{name}");
            let hundred = (10..10 + RANGE as u64).sum::<u64>();
            assert_eq!(map.ranges(&[10]), hundred, "{name}");
            map.insert_and_remove(&[5000]);
            assert_eq!(map.get(5000), None, "{name}");
            map.mixed(&[2000, 2001], 1000);
            assert_eq!(map.get(2000), Some(2000), "{name}");
            map.mixed(&[3000; 100], 0);
            assert_eq!(map.get(3000), None, "{name}");
        }
    }
}
