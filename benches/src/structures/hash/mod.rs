//! Hash maps.

mod ours;
mod peers;

use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::structures::Named;
use crate::structures::keys::{Key, Value};

/// The hasher of all maps.
#[must_use]
pub fn hasher() -> FixedState {
    FixedState::with_seed(7)
}

/// A map, as its users call it.
pub(crate) trait Table<K: Key, V: Value>: Send + Sync + Sized {
    /// Returns an empty map without room made for entries.
    fn new() -> Self;
    /// Looks at what the map has for a key, in a section or under a lock of its own.
    fn look(&self, key: &K) -> Option<u64>;
    /// Returns what the map has for a key.
    fn get(&self, key: &K) -> Option<V>;
    /// Inserts a pair, or replaces what is there for the key.
    fn insert(&self, key: K, value: V);
    fn remove(&self, key: &K);
    /// Looks many up, in one section where there is such a thing.
    fn look_all(&self, keys: &[K]) -> u64 {
        let looks = keys.iter().filter_map(|key| self.look(key));
        looks.fold(0, u64::wrapping_add)
    }
}

/// One operation of a mixed load, with the key's number among those that are drawn.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// Looks a key up.
    Look,
    /// Inserts it, or replaces its value.
    Insert,
    /// Removes it.
    Remove,
}

/// What is measured of a map, without a virtual call for each operation.
pub trait Map<K, V>: Send + Sync {
    /// Returns what the map has for a key.
    fn get(&self, key: &K) -> Option<V>;
    /// Inserts a pair, or replaces what is there for the key.
    fn insert(&self, key: K, value: V);
    /// Removes a key.
    fn remove(&self, key: &K);
    /// Looks each key up, in a section or under a lock for each. Returns a sum of what is found.
    fn look_each(&self, keys: &[K]) -> u64;
    /// Looks all keys up in one section, where there is such a thing; as the others' else.
    fn look_all(&self, keys: &[K]) -> u64;
    /// Does as many operations as there are keys.
    fn mixed(&self, keys: &[K], operations: &[Operation]);
    /// Inserts each key and removes it again.
    fn insert_and_remove(&self, keys: &[K]);
}

impl<K: Key, V: Value, T: Table<K, V>> Map<K, V> for T {
    fn get(&self, key: &K) -> Option<V> {
        Table::get(self, key)
    }

    fn insert(&self, key: K, value: V) {
        Table::insert(self, key, value);
    }

    fn remove(&self, key: &K) {
        Table::remove(self, key);
    }

    #[inline(never)]
    fn look_each(&self, keys: &[K]) -> u64 {
        let mut sum = 0u64;
        for key in keys {
            sum = sum.wrapping_add(black_box(self.look(key)).unwrap_or(0));
        }
        sum
    }

    #[inline(never)]
    fn look_all(&self, keys: &[K]) -> u64 {
        Table::look_all(self, keys)
    }

    #[inline(never)]
    fn mixed(&self, keys: &[K], operations: &[Operation]) {
        for (number, (key, operation)) in keys.iter().zip(operations).enumerate() {
            match operation {
                Operation::Look => {
                    black_box(self.look(key));
                }
                Operation::Insert => Table::insert(self, key.clone(), V::of(number as u64)),
                Operation::Remove => Table::remove(self, key),
            }
        }
    }

    #[inline(never)]
    fn insert_and_remove(&self, keys: &[K]) {
        for (number, key) in keys.iter().enumerate() {
            Table::insert(self, key.clone(), V::of(number as u64));
            Table::remove(self, key);
        }
    }
}

/// A kind of map with keys and values of some types.
#[derive(Clone, Copy)]
pub struct Kind<K, V> {
    /// What it is called, and how it is used.
    pub named: Named,
    /// Makes an empty one.
    pub make: fn() -> Box<dyn Map<K, V>>,
}

impl<K, V> Debug for Kind<K, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.named.fmt(f)
    }
}

impl<K: Key, V: Value> Kind<K, V> {
    const fn of<T: Table<K, V> + 'static>(
        name: &'static str,
        package: &'static str,
        how: &'static str,
    ) -> Self {
        Self {
            named: Named { name, package, how },
            make: || Box::new(T::new()),
        }
    }
}

/// Returns the maps that take any keys and values, ours first.
#[must_use]
pub fn kinds<K: Key, V: Value>() -> Vec<Kind<K, V>> {
    let mut kinds = vec![ours::guarded()];
    kinds.extend(peers::kinds());
    kinds
}

/// Returns all maps of numbers, ours first.
#[must_use]
pub fn of_numbers() -> Vec<Kind<u64, u64>> {
    let mut kinds = vec![ours::copied()];
    kinds.extend(kinds_of_numbers());
    kinds
}

fn kinds_of_numbers() -> Vec<Kind<u64, u64>> {
    #[allow(unused_mut, reason = "where there is no liburcu")]
    let mut kinds = kinds();
    #[cfg(have_liburcu_cds)]
    kinds.push(Kind::of::<super::liburcu::Table>(
        "liburcu rculfhash",
        "liburcu",
        "`cds_lfht_new` with automatic resizing and accounting, under liburcu-memb; inlined C, one call for each \
         operation",
    ));
    kinds
}

/// Returns the maps whose values are strings that are shared.
#[must_use]
pub fn of_shared() -> Vec<Kind<u64, Arc<str>>> {
    kinds()
}

/// Returns the maps whose keys are strings.
#[must_use]
pub fn of_strings() -> Vec<Kind<String, u64>> {
    kinds()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{Kind, Operation, of_numbers, of_shared, of_strings};
    use crate::memb;
    use crate::structures::keys::{Key, Value};

    fn has_what_was_stored_last<K: Key, V: Value>(kinds: &[Kind<K, V>]) {
        let _registration = memb::register();
        for kind in kinds {
            let name = kind.named.name;
            let map = (kind.make)();
            let (key, other) = (K::of(1), K::of(2));
            assert_eq!(map.get(&key), None, "{name}");
            for number in 0..100 {
                map.insert(key.clone(), V::of(number));
                assert_eq!(map.get(&key), Some(V::of(number)), "{name}");
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let _registration = memb::register();
                        assert_eq!(map.get(&key), Some(V::of(number)), "{name}");
                    });
                });
                assert_eq!(map.get(&other), None, "{name}");
            }
            map.remove(&key);
            assert_eq!(map.get(&key), None, "{name}");
            map.insert(key.clone(), V::of(7));
            assert_eq!(map.get(&key), Some(V::of(7)), "{name}");
        }
    }

    fn loads_do_what_they_say<K: Key, V: Value>(kinds: &[Kind<K, V>]) {
        let _registration = memb::register();
        for kind in kinds {
            let name = kind.named.name;
            let map = (kind.make)();
            let keys: Vec<K> = (0..1000).map(K::of).collect();
            for (number, key) in keys.iter().enumerate() {
                map.insert(key.clone(), V::of(number as u64));
            }
            let sum = (0..1000).map(|number| V::of(number).look()).sum::<u64>();
            assert_eq!(map.look_each(&keys), sum, "{name}");
            assert_eq!(map.look_all(&keys), sum, "{name}");
            let misses: Vec<K> = (1000..2000).map(K::of).collect();
            assert_eq!(map.look_each(&misses), 0, "{name}");
            map.insert_and_remove(&misses);
            assert_eq!(map.look_all(&misses), 0, "{name}");
            map.mixed(&keys[..2], &[Operation::Remove, Operation::Insert]);
            assert_eq!(map.get(&keys[0]), None, "{name}");
            assert_eq!(map.get(&keys[1]), Some(V::of(1)), "{name}");
            map.mixed(&keys[..1], &[Operation::Look]);
            assert_eq!(map.get(&keys[0]), None, "{name}");
        }
    }

    #[test]
    fn every_map_has_what_was_stored_last() {
        has_what_was_stored_last(&of_numbers());
        has_what_was_stored_last(&of_shared());
        has_what_was_stored_last(&of_strings());
    }

    #[test]
    fn every_load_does_what_it_says() {
        loads_do_what_they_say(&of_numbers());
        loads_do_what_they_say(&of_shared());
        loads_do_what_they_say(&of_strings());
    }
}
