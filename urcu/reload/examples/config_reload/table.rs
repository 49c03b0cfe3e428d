//! The lookup index that one version of the configuration is built into.
//!
//! A [`Table`] never changes once it is published: a reload builds a whole new one. What is unusual
//! about it is only that it can tell whether it is whole, so that the workers can check the library
//! that hands it to them: every entry carries a seal made from its content and its version, the
//! table carries a checksum over everything, and a table that is dropped says so in its stamp.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The stamp of a table that has been dropped: older than every version, so never taken for one.
const FREED: u64 = 0;

type Map<V> = HashMap<Box<str>, V, BuildHasherDefault<Mix>>;

/// One version of the configuration, ready for lookups.
#[derive(Debug)]
pub(crate) struct Table {
    /// The version, or [`FREED`]. Atomic, and in a place that stays the same when the table is moved
    /// (`Rcu::replace` gives it back by value), so that a reader that is wrongly still here when the
    /// table is dropped sees it.
    stamp: Box<AtomicU64>,
    checksum: u64,
    hosts: Map<Vec<Route>>,
    features: Map<Feature>,
}

/// A route: where the requests for a host, a path prefix and a method go.
#[derive(Debug, Hash)]
pub(crate) struct Route {
    pub(crate) prefix: Box<str>,
    pub(crate) method: Method,
    /// Index of the backend in the file.
    pub(crate) backend: u32,
    pub(crate) timeout_ms: u32,
    pub(crate) weight: u32,
    seal: u64,
}

/// A feature and the share of users that see it.
#[derive(Debug, Hash)]
pub(crate) struct Feature {
    rollout: u32,
    seal: u64,
}

/// A request's method.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Table {
    /// An empty table of a version; fill it, then [`seal`](Self::seal) it.
    pub(crate) fn new(version: u64) -> Self {
        Self {
            stamp: Box::new(AtomicU64::new(version)),
            checksum: 0,
            hosts: Map::default(),
            features: Map::default(),
        }
    }

    /// Adds a route; `false` if the host has one of this prefix and method already.
    pub(crate) fn add_route(&mut self, host: &str, route: Route) -> bool {
        let routes = match self.hosts.get_mut(host) {
            Some(routes) => routes,
            None => self.hosts.entry(host.into()).or_default(),
        };
        let taken = routes
            .iter()
            .any(|r| r.method == route.method && r.prefix == route.prefix);
        if !taken {
            // Longest prefix first: the first match of a lookup is then the right one.
            let at = routes.partition_point(|r| r.prefix.len() >= route.prefix.len());
            routes.insert(at, route);
        }
        !taken
    }

    /// Adds a feature; `false` if there is one of this name already.
    pub(crate) fn add_feature(&mut self, name: &str, feature: Feature) -> bool {
        match self.features.entry(name.into()) {
            Entry::Vacant(entry) => {
                entry.insert(feature);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Ends the building of a table: its checksum is that of its content from here on.
    pub(crate) fn seal(mut self) -> Self {
        self.checksum = self.content_checksum();
        self
    }

    /// The version: one load, the least that a read can do.
    pub(crate) fn version(&self) -> u64 {
        self.stamp.load(Relaxed)
    }

    /// The route of a request.
    pub(crate) fn route(&self, host: &str, path: &str, method: Method) -> Option<&Route> {
        let routes = self.hosts.get(host)?;
        routes
            .iter()
            .find(|r| r.method == method && path.starts_with(&*r.prefix))
    }

    /// A feature by its name.
    pub(crate) fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.get(name)
    }

    /// Returns whether the content is still what was sealed. Walks the whole table.
    pub(crate) fn is_whole(&self) -> bool {
        self.content_checksum() == self.checksum
    }

    fn content_checksum(&self) -> u64 {
        // The order of a hash map is no part of its content, hence a sum over its entries.
        let hosts = self.hosts.iter().map(digest).fold(0, u64::wrapping_add);
        let features = self.features.iter().map(digest).fold(0, u64::wrapping_add);
        digest((self.version(), hosts, features))
    }
}

impl Drop for Table {
    /// Marks the table before its memory goes, so that a reader that still holds it would know.
    fn drop(&mut self) {
        self.stamp.store(FREED, Relaxed);
        black_box(&*self.stamp); // The store is not to be left out as one that nobody sees.
    }
}

impl Route {
    /// A route of a version's table.
    pub(crate) fn new(
        version: u64,
        prefix: &str,
        method: Method,
        backend: u32,
        timeout_ms: u32,
        weight: u32,
    ) -> Self {
        let mut route = Self {
            prefix: prefix.into(),
            method,
            backend,
            timeout_ms,
            weight,
            seal: 0,
        };
        route.seal = route.expected_seal(version);
        route
    }

    /// Returns whether this is an entry of that version, with nothing of another one mixed in.
    pub(crate) fn is_of(&self, version: u64) -> bool {
        self.seal == self.expected_seal(version)
    }

    fn expected_seal(&self, version: u64) -> u64 {
        let numbers = (u64::from(self.timeout_ms) << 32) | u64::from(self.weight);
        let target = (u64::from(self.backend) << 32) | self.prefix.len() as u64;
        mix(mix(mix(version, numbers), target), self.method as u64)
    }
}

impl Feature {
    /// A feature of a version's table.
    pub(crate) fn new(version: u64, rollout: u32) -> Self {
        Self {
            rollout,
            seal: mix(version, rollout.into()),
        }
    }

    /// Returns whether this is an entry of that version, with nothing of another one mixed in.
    pub(crate) fn is_of(&self, version: u64) -> bool {
        self.seal == mix(version, self.rollout.into())
    }

    /// Returns whether a user is among those who see the feature.
    pub(crate) fn is_on_for(&self, user: u32) -> bool {
        user % 100 < self.rollout
    }
}

/// A small, fast hash for keys that nobody hostile chooses, and for the checksums.
#[derive(Debug, Default)]
pub(crate) struct Mix(u64);

fn mix(state: u64, word: u64) -> u64 {
    let product =
        u128::from(state ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xd1b5_4a32_d192_ed03);
    (product as u64) ^ ((product >> 64) as u64)
}

fn digest(value: impl Hash) -> u64 {
    let mut hasher = Mix::default();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(8);
        let rest = words
            .remainder()
            .iter()
            .fold(0, |rest, &byte| (rest << 8) | u64::from(byte));
        for word in words {
            self.0 = mix(
                self.0,
                word.iter()
                    .fold(0, |word, &byte| (word << 8) | u64::from(byte)),
            );
        }
        self.0 = mix(self.0, rest);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
