//! Handles: a map and a guard.

use core::borrow::Borrow;
use core::fmt;
use core::ops::RangeBounds;

use urcu::{Global, InDomain, ReadGuard};

use super::iter::Range;
use super::map::BTreeMap;

/// A [`BTreeMap`] together with an open section of its domain: see [`BTreeMap::pin`]. It has the map's methods,
/// without the guard argument.
///
/// A handle may be sent to other threads and held across an `.await`, if the map is `Sync`.
pub struct BTreeMapRef<'map, K, V, D = Global> {
    map: &'map BTreeMap<K, V, D>,
    guard: ReadGuard<'map>,
}

impl<'map, K, V, D: InDomain> BTreeMapRef<'map, K, V, D> {
    #[inline(always)]
    #[track_caller]
    pub(super) fn new(map: &'map BTreeMap<K, V, D>) -> Self {
        BTreeMapRef {
            map,
            guard: map.guard(),
        }
    }

    /// Returns the map.
    pub fn map(&self) -> &'map BTreeMap<K, V, D> {
        self.map
    }

    /// Ends the section and begins another, if a grace period waits for it: see [`ReadGuard::refresh`].
    #[inline]
    #[track_caller]
    pub fn refresh(&mut self) {
        self.guard.refresh();
    }

    /// Returns the number of entries. See [`BTreeMap::len`].
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there are no entries. See [`BTreeMap::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns all entries, in order. See [`BTreeMap::iter`].
    pub fn iter(&self) -> Range<'_, K, V>
    where
        K: Ord,
    {
        self.map.iter(&self.guard)
    }

    /// Returns all keys, in order. See [`BTreeMap::iter`].
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K>
    where
        K: Ord,
    {
        self.iter().map(|(key, _)| key)
    }

    /// Returns all values, in the order of their keys. See [`BTreeMap::iter`].
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V>
    where
        K: Ord,
    {
        self.iter().map(|(_, value)| value)
    }

    /// Returns the entries between two bounds, in order. See [`BTreeMap::range`].
    ///
    /// # Panics
    /// Panics if the range ends before it begins, or begins and ends at the same excluded bound.
    #[track_caller]
    pub fn range<Q, R>(&self, range: R) -> Range<'_, K, V>
    where
        K: Borrow<Q> + Ord,
        Q: Ord + ?Sized,
        R: RangeBounds<Q>,
    {
        self.map.range(range, &self.guard)
    }

    /// Returns the entry with the least key. See [`BTreeMap::first_key_value`].
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.map.first_key_value(&self.guard)
    }

    /// Returns the entry with the greatest key. See [`BTreeMap::last_key_value`].
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.map.last_key_value(&self.guard)
    }

    /// Returns the value of a key. See [`BTreeMap::get`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.get(key, &self.guard)
    }

    /// Returns the key as it is stored in the map, and its value. See [`BTreeMap::get_key_value`].
    #[inline]
    pub fn get_key_value<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.get_key_value(key, &self.guard)
    }

    /// Returns whether the map has a key. See [`BTreeMap::contains_key`].
    #[inline]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.contains_key(key, &self.guard)
    }
}

impl<K, V, D> BTreeMapRef<'_, K, V, D>
where
    K: Ord + Send + 'static,
    V: Send + 'static,
    D: InDomain,
{
    /// Inserts a value, and returns the old one. See [`BTreeMap::insert`].
    pub fn insert(&self, key: K, value: V) -> Option<&V> {
        self.map.insert(key, value, &self.guard)
    }

    /// Returns the value of a key. If the key is missing, inserts the result of a function. See
    /// [`BTreeMap::get_or_insert_with`].
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> &V {
        self.map.get_or_insert_with(key, make, &self.guard)
    }

    /// Replaces the value of a key by the result of a function, and returns the new value. See
    /// [`BTreeMap::update`].
    pub fn update(&self, key: K, update: impl Fn(&V) -> V) -> Option<&V> {
        self.map.update(key, update, &self.guard)
    }

    /// Removes a key, and returns its value. See [`BTreeMap::remove`].
    pub fn remove<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.remove(key, &self.guard)
    }

    /// Removes a key, and returns it with its value. See [`BTreeMap::remove_entry`].
    pub fn remove_entry<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.remove_entry(key, &self.guard)
    }

    /// Removes the entry with the least key, and returns it. See [`BTreeMap::pop_first`].
    pub fn pop_first(&self) -> Option<(&K, &V)> {
        self.map.pop_first(&self.guard)
    }

    /// Removes the entry with the greatest key, and returns it. See [`BTreeMap::pop_last`].
    pub fn pop_last(&self) -> Option<(&K, &V)> {
        self.map.pop_last(&self.guard)
    }

    /// Removes all entries, in one step. See [`BTreeMap::clear`].
    pub fn clear(&self) {
        self.map.clear(&self.guard);
    }
}

impl<K: fmt::Debug + Ord, V: fmt::Debug, D: InDomain> fmt::Debug for BTreeMapRef<'_, K, V, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
