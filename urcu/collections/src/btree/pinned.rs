//! Handles: a map and a guard.

use core::borrow::Borrow;
use core::fmt;
use core::ops::RangeBounds;

use urcu::{Global, InDomain, ReadGuard};

use super::iter::Range;
use super::map::BTreeMap;

/// A [`BTreeMap`] and an open section of its domain, as [`BTreeMap::pin`] returns it: the map's methods, which
/// are described there, without the guard.
///
/// May be sent to other threads, and live across an `.await`, if the map can be shared.
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

    /// See [`BTreeMap::len`].
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// See [`BTreeMap::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// See [`BTreeMap::iter`].
    pub fn iter(&self) -> Range<'_, K, V>
    where
        K: Ord,
    {
        self.map.iter(&self.guard)
    }

    /// See [`BTreeMap::iter`].
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K>
    where
        K: Ord,
    {
        self.iter().map(|(key, _)| key)
    }

    /// See [`BTreeMap::iter`].
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V>
    where
        K: Ord,
    {
        self.iter().map(|(_, value)| value)
    }

    /// See [`BTreeMap::range`].
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

    /// See [`BTreeMap::first_key_value`].
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.map.first_key_value(&self.guard)
    }

    /// See [`BTreeMap::last_key_value`].
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.map.last_key_value(&self.guard)
    }

    /// See [`BTreeMap::get`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.get(key, &self.guard)
    }

    /// See [`BTreeMap::get_key_value`].
    #[inline]
    pub fn get_key_value<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.get_key_value(key, &self.guard)
    }

    /// See [`BTreeMap::contains_key`].
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
    /// See [`BTreeMap::insert`].
    pub fn insert(&self, key: K, value: V) -> Option<&V> {
        self.map.insert(key, value, &self.guard)
    }

    /// See [`BTreeMap::get_or_insert_with`].
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> &V {
        self.map.get_or_insert_with(key, make, &self.guard)
    }

    /// See [`BTreeMap::update`].
    pub fn update(&self, key: K, update: impl Fn(&V) -> V) -> Option<&V> {
        self.map.update(key, update, &self.guard)
    }

    /// See [`BTreeMap::remove`].
    pub fn remove<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.remove(key, &self.guard)
    }

    /// See [`BTreeMap::remove_entry`].
    pub fn remove_entry<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.map.remove_entry(key, &self.guard)
    }

    /// See [`BTreeMap::pop_first`].
    pub fn pop_first(&self) -> Option<(&K, &V)> {
        self.map.pop_first(&self.guard)
    }

    /// See [`BTreeMap::pop_last`].
    pub fn pop_last(&self) -> Option<(&K, &V)> {
        self.map.pop_last(&self.guard)
    }

    /// See [`BTreeMap::clear`].
    pub fn clear(&self) {
        self.map.clear(&self.guard);
    }
}

impl<K: fmt::Debug + Ord, V: fmt::Debug, D: InDomain> fmt::Debug for BTreeMapRef<'_, K, V, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
