//! Handles: a map and a guard.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;
use urcu::{Global, InDomain, ReadGuard};

use super::iter::{Iter, Keys, Values};
use super::map::{HashMap, Section};
use super::{Compute, DefaultHashBuilder, Entry, OccupiedError, Operation};

/// A [`HashMap`] together with an open section of its domain: see [`HashMap::pin`]. It has the map's methods,
/// without the guard argument.
///
/// A handle may be sent to other threads and held across an `.await`, if the map is `Sync`. References that it
/// returns borrow the handle. While a handle lives, the map's domain frees no retired memory, so
/// [refresh](HashMapRef::refresh) handles that live long.
pub struct HashMapRef<'map, K, V, S = DefaultHashBuilder, D = Global> {
    map: &'map HashMap<K, V, S, D>,
    /// A guard of the map's domain.
    guard: ReadGuard<'map>,
}

impl<'map, K, V, S, D: InDomain> HashMapRef<'map, K, V, S, D> {
    #[inline(always)]
    #[track_caller]
    pub(super) fn new(map: &'map HashMap<K, V, S, D>) -> Self {
        HashMapRef {
            map,
            guard: map.guard(),
        }
    }

    #[inline(always)]
    pub(super) fn section(&self) -> Section<'_> {
        // SAFETY: `new` takes the guard from the map's domain, and `refresh` does not change its domain.
        unsafe { Section::new(&self.guard) }
    }

    /// Returns the map.
    #[inline]
    pub fn map(&self) -> &'map HashMap<K, V, S, D> {
        self.map
    }

    /// Ends the section and begins another, if a grace period waits for it: see [`ReadGuard::refresh`].
    ///
    /// ```
    /// let map = urcu_collections::HashMap::new();
    /// let mut pinned = map.pin();
    /// for number in 0..100 {
    ///     pinned.insert(number, number);
    ///     pinned.refresh();
    /// }
    /// ```
    #[inline]
    #[track_caller]
    pub fn refresh(&mut self) {
        self.guard.refresh();
    }

    /// Returns the number of entries. See [`HashMap::len`].
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there are no entries. See [`HashMap::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns an iterator over the entries. See [`HashMap::iter`].
    #[inline]
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.map.iter_in(self.section())
    }

    /// Returns an iterator over the keys. See [`HashMap::keys`].
    pub fn keys(&self) -> Keys<'_, K, V> {
        Keys(self.iter())
    }

    /// Returns an iterator over the values. See [`HashMap::values`].
    pub fn values(&self) -> Values<'_, K, V> {
        Values(self.iter())
    }
}

impl<K, V, S, D> HashMapRef<'_, K, V, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    /// Returns the value if the key is there now. See [`HashMap::get`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let found = self.map.find(key, self.section());
        found.map(|pair| pair.value)
    }

    /// Returns the key as it is stored in the map, and its value. See [`HashMap::get_key_value`].
    #[inline]
    pub fn get_key_value<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let found = self.map.find(key, self.section());
        found.map(|pair| (pair.key, pair.value))
    }

    /// Returns whether the map has a key. See [`HashMap::contains_key`].
    #[inline]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.get(key).is_some()
    }

    /// Returns a copy of a key's value. Takes no guard. See [`HashMap::get_copied`].
    #[inline]
    pub fn get_copied<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
        V: Copy,
    {
        self.get(key).copied()
    }

    /// Returns the values of some keys. See [`HashMap::get_many`].
    pub fn get_many<Q, const N: usize>(&self, keys: [&Q; N]) -> [Option<&V>; N]
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.get_many_in(keys, self.section())
    }

    /// Returns the entry of a key, present or not, to read and to change it. See [`HashMap::entry`].
    pub fn entry(&self, key: K) -> Entry<'_, K, V, S, D> {
        Entry::new(self.map, key, self.section())
    }
}

impl<K, V, S, D> HashMapRef<'_, K, V, S, D>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    /// Inserts a value, and returns the old one. See [`HashMap::insert`].
    #[inline]
    pub fn insert(&self, key: K, value: V) -> Option<&V> {
        self.map.insert_in(key, value, self.section()).1
    }

    /// Inserts a value if the key is missing. See [`HashMap::try_insert`].
    ///
    /// # Errors
    /// The key is there.
    #[inline]
    pub fn try_insert(&self, key: K, value: V) -> Result<&V, OccupiedError<'_, V>> {
        self.map.try_insert_in(key, value, self.section())
    }

    /// Inserts the result of a function if the key is missing. See [`HashMap::try_insert_with`].
    ///
    /// # Errors
    /// Returns the existing value if the key is there.
    #[inline]
    pub fn try_insert_with<F>(&self, key: K, f: F) -> Result<&V, &V>
    where
        F: FnOnce() -> V,
    {
        self.map.try_insert_with_in(key, f, self.section())
    }

    /// Returns the value of a key. If the key is missing, inserts a value. See [`HashMap::get_or_insert`].
    #[inline]
    pub fn get_or_insert(&self, key: K, value: V) -> &V {
        self.get_or_insert_with(key, || value)
    }

    /// Returns the value of a key. If the key is missing, inserts the result of a function. See
    /// [`HashMap::get_or_insert_with`].
    #[inline]
    pub fn get_or_insert_with<F>(&self, key: K, f: F) -> &V
    where
        F: FnOnce() -> V,
    {
        match self.try_insert_with(key, f) {
            Ok(value) | Err(value) => value,
        }
    }

    /// Replaces the value of a key by the result of a function, and returns the new value. See [`HashMap::update`].
    pub fn update<F>(&self, key: K, update: F) -> Option<&V>
    where
        F: Fn(&V) -> V,
    {
        self.map.update_in(key, update, self.section())
    }

    /// Replaces the value of a key by the result of a function, or inserts a value if the key is missing. See
    /// [`HashMap::update_or_insert`].
    pub fn update_or_insert<F>(&self, key: K, update: F, value: V) -> &V
    where
        F: Fn(&V) -> V,
    {
        self.update_or_insert_with(key, update, || value)
    }

    /// Replaces the value of a key by the result of a function, or inserts the result of another function if the
    /// key is missing. See [`HashMap::update_or_insert_with`].
    pub fn update_or_insert_with<U, F>(&self, key: K, update: U, f: F) -> &V
    where
        F: FnOnce() -> V,
        U: Fn(&V) -> V,
    {
        self.map.update_or_insert_in(key, update, f, self.section())
    }

    /// Changes an entry atomically, as a function decides. See [`HashMap::compute`].
    ///
    /// # Panics
    /// Panics if the function returns `Operation::Remove` for a key that is missing.
    #[track_caller]
    pub fn compute<'g, F, T>(&'g self, key: K, compute: F) -> Compute<'g, K, V, T>
    where
        F: FnMut(Option<(&'g K, &'g V)>) -> Operation<V, T>,
    {
        self.map.compute_in(key, compute, self.section())
    }

    /// Removes a key, and returns its value. See [`HashMap::remove`].
    #[inline]
    pub fn remove<Q>(&self, key: &Q) -> Option<&V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Removes a key, and returns it with its value. See [`HashMap::remove_entry`].
    #[inline]
    pub fn remove_entry<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.remove_entry_in(key, self.section())
    }

    /// Removes a key if a function returns true for its current entry. See [`HashMap::remove_if`].
    ///
    /// # Errors
    /// Returns the entry if the function returns false.
    pub fn remove_if<Q, F>(&self, key: &Q, should_remove: F) -> Result<Option<(&K, &V)>, (&K, &V)>
    where
        Q: Equivalent<K> + Hash + ?Sized,
        F: FnMut(&K, &V) -> bool,
    {
        self.map.remove_if_in(key, should_remove, self.section())
    }

    /// Keeps the entries for which a function returns true, and removes the others. See [`HashMap::retain`].
    pub fn retain<F>(&self, f: F)
    where
        F: FnMut(&K, &V) -> bool,
    {
        self.map.retain_in(f, self.section());
    }

    /// Removes all entries, one after the other. See [`HashMap::clear`].
    pub fn clear(&self) {
        self.map.clear_in(self.section());
    }

    /// Makes room for `additional` more entries, and waits until the map is resized. See [`HashMap::reserve`].
    pub fn reserve(&self, additional: usize) {
        self.map.reserve_in(additional, self.section());
    }

    /// Frees the memory that the current entries do not need. See [`HashMap::shrink_to_fit`].
    pub fn shrink_to_fit(&self) {
        self.map.shrink_to(0, &self.guard);
    }
}

impl<K, V, S, D: InDomain> fmt::Debug for HashMapRef<'_, K, V, S, D>
where
    K: fmt::Debug,
    V: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<'g, K, V, S, D: InDomain> IntoIterator for &'g HashMapRef<'_, K, V, S, D> {
    type Item = (&'g K, &'g V);
    type IntoIter = Iter<'g, K, V>;

    fn into_iter(self) -> Iter<'g, K, V> {
        self.iter()
    }
}
