//! Others' hash maps.

use std::sync::RwLock;

use foldhash::fast::FixedState;

use super::map::{Kind, Table, hasher};
use crate::structures::keys::{Key, Value};

pub(super) fn kinds<K: Key, V: Value>() -> Vec<Kind<K, V>> {
    vec![
        Kind::of::<Papaya<K, V>>(
            "papaya",
            "papaya",
            "`pin().get`; one `pin` where there is one section for all",
        ),
        Kind::of::<Dash<K, V>>("dashmap", "dashmap 6", "`get`, `insert`, `remove`"),
        Kind::of::<Dash7<K, V>>("dashmap 7-rc", "dashmap 7", "`get`, `insert`, `remove`"),
        Kind::of::<Scc<K, V>>(
            "scc HashMap",
            "scc",
            "`read_sync`, `upsert_sync`, `remove_sync`",
        ),
        Kind::of::<SccIndex<K, V>>(
            "scc HashIndex",
            "scc",
            "`peek_with`, `insert_sync` after `remove_sync` where the key is there, `remove_sync`",
        ),
        Kind::of::<Flurry<K, V>>(
            "flurry",
            "flurry",
            "`guard` for each `get`; one `guard` where there is one section for all",
        ),
        Kind::of::<Locked<K, V>>(
            "RwLock<hashbrown>",
            "hashbrown 0.16",
            "`read` for each `get`; one `read` where there is one section for all; `write`",
        ),
    ]
}

struct Papaya<K, V>(papaya::HashMap<K, V, FixedState>);

impl<K: Key, V: Value> Table<K, V> for Papaya<K, V> {
    fn new() -> Self {
        Self(papaya::HashMap::with_hasher(hasher()))
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

macro_rules! dash {
    ($name:ident, $package:ident) => {
        struct $name<K, V>($package::DashMap<K, V, FixedState>);

        impl<K: Key, V: Value> Table<K, V> for $name<K, V> {
            fn new() -> Self {
                Self($package::DashMap::with_hasher(hasher()))
            }

            #[inline(always)]
            fn look(&self, key: &K) -> Option<u64> {
                self.0.get(key).map(|value| value.look())
            }

            fn get(&self, key: &K) -> Option<V> {
                self.0.get(key).map(|value| value.clone())
            }

            #[inline(always)]
            fn insert(&self, key: K, value: V) {
                self.0.insert(key, value);
            }

            #[inline(always)]
            fn remove(&self, key: &K) {
                self.0.remove(key);
            }
        }
    };
}

dash!(Dash, dashmap);
dash!(Dash7, dashmap7);

struct Scc<K, V>(scc::HashMap<K, V, FixedState>);

impl<K: Key, V: Value> Table<K, V> for Scc<K, V> {
    fn new() -> Self {
        Self(scc::HashMap::with_hasher(hasher()))
    }

    #[inline(always)]
    fn look(&self, key: &K) -> Option<u64> {
        self.0.read_sync(key, |_, value| value.look())
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.read_sync(key, |_, value| value.clone())
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.upsert_sync(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: &K) {
        self.0.remove_sync(key);
    }
}

struct SccIndex<K, V>(scc::HashIndex<K, V, FixedState>);

impl<K: Key, V: Value> Table<K, V> for SccIndex<K, V> {
    fn new() -> Self {
        Self(scc::HashIndex::with_hasher(hasher()))
    }

    #[inline(always)]
    fn look(&self, key: &K) -> Option<u64> {
        self.0.peek_with(key, |_, value| value.look())
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.peek_with(key, |_, value| value.clone())
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        let mut pair = (key, value);
        // An insertion does not replace an existing entry.
        while let Err(back) = self.0.insert_sync(pair.0, pair.1) {
            self.0.remove_sync(&back.0);
            pair = back;
        }
    }

    #[inline(always)]
    fn remove(&self, key: &K) {
        self.0.remove_sync(key);
    }
}

struct Flurry<K, V>(flurry::HashMap<K, V, FixedState>);

impl<K: Key, V: Value> Table<K, V> for Flurry<K, V> {
    fn new() -> Self {
        Self(flurry::HashMap::with_hasher(hasher()))
    }

    #[inline(always)]
    fn look(&self, key: &K) -> Option<u64> {
        self.0.get(key, &self.0.guard()).map(V::look)
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.get(key, &self.0.guard()).cloned()
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.insert(key, value, &self.0.guard());
    }

    #[inline(always)]
    fn remove(&self, key: &K) {
        self.0.remove(key, &self.0.guard());
    }

    #[inline(always)]
    fn look_all(&self, keys: &[K]) -> u64 {
        let guard = self.0.guard();
        let looks = keys
            .iter()
            .filter_map(|key| self.0.get(key, &guard).map(V::look));
        looks.fold(0, u64::wrapping_add)
    }
}

struct Locked<K, V>(RwLock<hashbrown::HashMap<K, V, FixedState>>);

impl<K: Key, V: Value> Table<K, V> for Locked<K, V> {
    fn new() -> Self {
        Self(RwLock::new(hashbrown::HashMap::with_hasher(hasher())))
    }

    #[inline(always)]
    fn look(&self, key: &K) -> Option<u64> {
        self.0.read().expect("nobody panics").get(key).map(V::look)
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.read().expect("nobody panics").get(key).cloned()
    }

    #[inline(always)]
    fn insert(&self, key: K, value: V) {
        self.0.write().expect("nobody panics").insert(key, value);
    }

    #[inline(always)]
    fn remove(&self, key: &K) {
        self.0.write().expect("nobody panics").remove(key);
    }

    #[inline(always)]
    fn look_all(&self, keys: &[K]) -> u64 {
        let map = self.0.read().expect("nobody panics");
        let looks = keys.iter().filter_map(|key| map.get(key).map(V::look));
        looks.fold(0, u64::wrapping_add)
    }
}
