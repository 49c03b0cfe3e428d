//! The hash maps that are compared.

use std::sync::RwLock;

use foldhash::fast::FixedState;
use urcu_collections::Apart;

/// A map that takes part in the comparison.
pub(crate) trait Peer: Sync {
    fn name(&self) -> &'static str;
    /// Returns whether the map is one of this library's, which are not peers.
    fn is_ours(&self) -> bool {
        false
    }
    fn get(&self, key: u64) -> Option<u64>;
    fn insert(&self, key: u64, value: u64);
    fn remove(&self, key: u64);
    /// Looks many keys up, under one guard if the map has guards.
    fn get_all(&self, keys: &[u64]) -> u64 {
        keys.iter().filter_map(|&key| self.get(key)).sum()
    }
}

type Ours = urcu_collections::HashMap<u64, u64, FixedState>;

/// This library's map, with a guard for each lookup.
struct Guarded(Ours);

impl Peer for Guarded {
    fn name(&self) -> &'static str {
        "urcu"
    }
    fn is_ours(&self) -> bool {
        true
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.0.pin().get(&key).copied()
    }
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.0.pin();
        keys.iter().filter_map(|key| pinned.get(key)).sum()
    }
}

/// This library's map, with `get_copied`, and with `get_many` for batches.
struct Copied(Ours);

impl Peer for Copied {
    fn name(&self) -> &'static str {
        "urcu, copied/many"
    }
    fn is_ours(&self) -> bool {
        true
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get_copied(&key)
    }
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.0.pin();
        let (batches, rest) = keys.as_chunks::<8>();
        let batches = batches
            .iter()
            .flat_map(|batch| pinned.get_many(batch.each_ref()));
        let rest = rest.iter().map(|key| pinned.get(key));
        batches.chain(rest).flatten().sum()
    }
}

/// This library's map with `entries_apart`, and with `get_copied`.
struct EntriesApart(urcu_collections::HashMap<u64, u64, Apart<FixedState>>);

impl Peer for EntriesApart {
    fn name(&self) -> &'static str {
        "urcu, apart"
    }
    fn is_ours(&self) -> bool {
        true
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get_copied(&key)
    }
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.0.pin();
        keys.iter().filter_map(|key| pinned.get(key)).sum()
    }
}

impl Peer for papaya::HashMap<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "papaya"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.pin().get(&key).copied()
    }
    fn insert(&self, key: u64, value: u64) {
        self.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.pin();
        keys.iter().filter_map(|key| pinned.get(key)).sum()
    }
}

impl Peer for dashmap::DashMap<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "dashmap"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.get(&key).map(|value| *value)
    }
    fn insert(&self, key: u64, value: u64) {
        self.insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.remove(&key);
    }
}

impl Peer for scc::HashMap<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "scc"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.read_sync(&key, |_, &value| value)
    }
    fn insert(&self, key: u64, value: u64) {
        self.upsert_sync(key, value);
    }
    fn remove(&self, key: u64) {
        self.remove_sync(&key);
    }
}

impl Peer for scc::HashIndex<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "scc index"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.peek_with(&key, |_, &value| value)
    }
    fn insert(&self, key: u64, value: u64) {
        let _ = self.insert_sync(key, value);
    }
    fn remove(&self, key: u64) {
        self.remove_sync(&key);
    }
}

impl Peer for RwLock<hashbrown::HashMap<u64, u64, FixedState>> {
    fn name(&self) -> &'static str {
        "RwLock"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.read().unwrap().get(&key).copied()
    }
    fn insert(&self, key: u64, value: u64) {
        self.write().unwrap().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.write().unwrap().remove(&key);
    }
}

/// Returns all maps, or those whose names begin with the second argument.
pub(crate) fn peers() -> Vec<Box<dyn Fn() -> Box<dyn Peer>>> {
    let wanted = std::env::args().nth(2).unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').collect();
    let mut all = all_peers();
    all.retain(|make| {
        wanted
            .iter()
            .any(|wanted| make().name().starts_with(wanted))
    });
    all
}

fn all_peers() -> Vec<Box<dyn Fn() -> Box<dyn Peer>>> {
    let hasher = || FixedState::with_seed(7);
    vec![
        Box::new(move || Box::new(Copied(urcu_collections::HashMap::with_hasher(hasher())))),
        Box::new(move || Box::new(Guarded(urcu_collections::HashMap::with_hasher(hasher())))),
        Box::new(move || {
            Box::new(EntriesApart(urcu_collections::HashMap::with_hasher(Apart(
                hasher(),
            ))))
        }),
        Box::new(move || Box::new(papaya::HashMap::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || Box::new(dashmap::DashMap::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || Box::new(scc::HashMap::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || Box::new(scc::HashIndex::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || {
            Box::new(RwLock::new(hashbrown::HashMap::<u64, u64, _>::with_hasher(
                hasher(),
            )))
        }),
    ]
}
