//! What is measured of a hash map, whosever it is.

use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;

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

/// The loads of a map that are measured, without a virtual call for each operation.
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
    /// Its name and its use.
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
    pub(crate) const fn of<T: Table<K, V> + 'static>(
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
