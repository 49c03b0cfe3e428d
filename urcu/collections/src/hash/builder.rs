//! The options of a new map or set.

use core::fmt;
use core::marker::PhantomData;

use urcu::{Global, InDomain};

use super::plain::kind;
use super::raw::{RawMap, SHARE};
use super::{Apart, DefaultHashBuilder, HashMap, HashSet};

/// The way in which entries move to a larger or smaller table. Readers never wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResizeMode {
    /// Each operation of a writer moves about this many entries.
    Incremental(usize),
    /// The first writer moves all entries that no other writer is moving.
    Blocking,
}

impl Default for ResizeMode {
    /// Returns `Incremental` with about thirty entries at a time, which takes a few microseconds.
    fn default() -> Self {
        ResizeMode::Incremental(4 * SHARE)
    }
}

impl ResizeMode {
    /// Returns how many groups of buckets an operation moves.
    fn share(self) -> usize {
        match self {
            ResizeMode::Incremental(entries) => entries.div_ceil(4).max(1),
            ResizeMode::Blocking => usize::MAX,
        }
    }
}

/// A builder of [`HashMap`]s: see [`HashMap::builder`].
pub struct HashMapBuilder<K, V, S = DefaultHashBuilder, D = Global> {
    hasher: S,
    domain: D,
    capacity: usize,
    resize_mode: ResizeMode,
    pairs: PhantomData<fn() -> (K, V)>,
}

impl<K, V> HashMapBuilder<K, V> {
    pub(super) fn new() -> Self {
        HashMapBuilder {
            hasher: DefaultHashBuilder::default(),
            domain: Global,
            capacity: 0,
            resize_mode: ResizeMode::default(),
            pairs: PhantomData,
        }
    }
}

impl<K, V, S, D> HashMapBuilder<K, V, S, D> {
    /// Sets the hasher.
    pub fn hasher<T>(self, hasher: T) -> HashMapBuilder<K, V, T, D> {
        HashMapBuilder {
            hasher,
            domain: self.domain,
            capacity: self.capacity,
            resize_mode: self.resize_mode,
            pairs: PhantomData,
        }
    }

    /// Makes the map allocate its entries one by one, even if their types are small: see [`Apart`], which says when
    /// this is better. Set the hasher before.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::builder().entries_apart().build();
    /// map.pin().insert(1, 1);
    /// assert_eq!(map.get_copied(&1), Some(1));
    /// ```
    pub fn entries_apart(self) -> HashMapBuilder<K, V, Apart<S>, D> {
        HashMapBuilder {
            hasher: Apart(self.hasher),
            domain: self.domain,
            capacity: self.capacity,
            resize_mode: self.resize_mode,
            pairs: PhantomData,
        }
    }

    /// Sets the domain whose grace periods removed entries wait for.
    pub fn domain<T: InDomain>(self, domain: T) -> HashMapBuilder<K, V, S, T> {
        HashMapBuilder {
            hasher: self.hasher,
            domain,
            capacity: self.capacity,
            resize_mode: self.resize_mode,
            pairs: PhantomData,
        }
    }

    /// Sets for how many entries the map has room at first.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets how the map is resized.
    #[must_use]
    pub fn resize_mode(mut self, resize_mode: ResizeMode) -> Self {
        self.resize_mode = resize_mode;
        self
    }

    /// Creates the map.
    pub fn build(self) -> HashMap<K, V, S, D>
    where
        D: InDomain,
    {
        let raw = RawMap::new(self.capacity, self.resize_mode.share(), kind::<K, V, S>());
        HashMap::build(raw, self.hasher, self.domain)
    }
}

impl<K, V, S, D> fmt::Debug for HashMapBuilder<K, V, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashMapBuilder")
            .field("capacity", &self.capacity)
            .field("resize_mode", &self.resize_mode)
            .finish_non_exhaustive()
    }
}

/// A builder of [`HashSet`]s: see [`HashSet::builder`]. It has the options of [`HashMapBuilder`].
pub struct HashSetBuilder<K, S = DefaultHashBuilder, D = Global>(HashMapBuilder<K, (), S, D>);

impl<K> HashSetBuilder<K> {
    pub(super) fn new() -> Self {
        HashSetBuilder(HashMapBuilder::new())
    }
}

impl<K, S, D> HashSetBuilder<K, S, D> {
    /// Sets the hasher.
    pub fn hasher<T>(self, hasher: T) -> HashSetBuilder<K, T, D> {
        HashSetBuilder(self.0.hasher(hasher))
    }

    /// Makes the set allocate its keys one by one, even if their type is small: see [`Apart`]. Set the hasher before.
    ///
    /// ```
    /// let set = urcu_collections::HashSet::builder().entries_apart().build();
    /// assert!(set.pin().insert(1));
    /// ```
    pub fn entries_apart(self) -> HashSetBuilder<K, Apart<S>, D> {
        HashSetBuilder(self.0.entries_apart())
    }

    /// Sets the domain whose grace periods removed keys wait for.
    pub fn domain<T: InDomain>(self, domain: T) -> HashSetBuilder<K, S, T> {
        HashSetBuilder(self.0.domain(domain))
    }

    /// Sets for how many keys the set has room at first.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        HashSetBuilder(self.0.capacity(capacity))
    }

    /// Sets how the set is resized.
    #[must_use]
    pub fn resize_mode(self, resize_mode: ResizeMode) -> Self {
        HashSetBuilder(self.0.resize_mode(resize_mode))
    }

    /// Creates the set.
    pub fn build(self) -> HashSet<K, S, D>
    where
        D: InDomain,
    {
        self.0.build().into()
    }
}

impl<K, S, D> fmt::Debug for HashSetBuilder<K, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashSetBuilder")
            .field("capacity", &self.0.capacity)
            .field("resize_mode", &self.0.resize_mode)
            .finish_non_exhaustive()
    }
}
