//! This library's hash map.

use foldhash::fast::FixedState;
use urcu_collections::HashMap;

use super::map::{Kind, Table, hasher};
use crate::structures::keys::{Key, Value};

const PACKAGE: &str = "urcu-collections";

/// A guard for each operation.
struct Guarded<K, V>(HashMap<K, V, FixedState>);

impl<K: Key, V: Value> Table<K, V> for Guarded<K, V> {
    fn new() -> Self {
        Self(HashMap::with_hasher(hasher()))
    }

    #[inline(always)]
    fn look(&self, key: &K) -> Option<u64> {
        self.0.pin().get(key).map(V::look)
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.pin().get(key).cloned()
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.pin().insert(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: &K) {
        self.0.pin().remove(key);
    }

    #[inline(always)]
    fn look_all(&self, keys: &[K]) -> u64 {
        let pinned = self.0.pin();
        let looks = keys.iter().filter_map(|key| pinned.get(key).map(V::look));
        looks.fold(0, u64::wrapping_add)
    }
}

pub(super) fn guarded<K: Key, V: Value>() -> Kind<K, V> {
    Kind::of::<Guarded<K, V>>(
        "urcu HashMap",
        PACKAGE,
        "`pin().get`; one `pin` where there is one section for all",
    )
}

/// Copies of small values, without a guard; in batches where there is one section for all.
struct Copied(HashMap<u64, u64, FixedState>);

impl Table<u64, u64> for Copied {
    fn new() -> Self {
        Self(HashMap::with_hasher(hasher()))
    }

    #[inline(always)]
    fn look(&self, key: &u64) -> Option<u64> {
        self.0.get_copied(key)
    }

    fn get(&self, key: &u64) -> Option<u64> {
        self.0.get_copied(key)
    }

    #[inline(always)]
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: &u64) {
        self.0.pin().remove(key);
    }

    #[inline(always)]
    fn look_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.0.pin();
        let (batches, rest) = keys.as_chunks::<8>();
        let batches = batches
            .iter()
            .flat_map(|batch| pinned.get_many(batch.each_ref()));
        let rest = rest.iter().map(|key| pinned.get(key));
        let looks = batches.chain(rest).flatten();
        looks.fold(0, |sum, value| sum.wrapping_add(*value))
    }
}

pub(super) fn copied() -> Kind<u64, u64> {
    Kind::of::<Copied>(
        "urcu HashMap, get_copied",
        PACKAGE,
        "`get_copied`; one `pin` and `get_many` of eight where there is one section for all",
    )
}
