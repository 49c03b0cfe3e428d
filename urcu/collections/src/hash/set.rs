//! `HashSet`.

use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::iter::FusedIterator;

use equivalent::Equivalent;
use urcu::{Global, InDomain, ReadGuard};

use super::builder::HashSetBuilder;
use super::iter::IntoIter;
use super::{DefaultHashBuilder, HashMap, HashMapRef, Keys};

/// A concurrent hash set: a [`HashMap`] without values, with which it shares everything else.
///
/// ```
/// use urcu_collections::HashSet;
///
/// let set = HashSet::new();
/// let pinned = set.pin();
/// assert!(pinned.insert("a"));
/// assert!(!pinned.insert("a"));
/// assert!(pinned.contains("a"));
/// assert!(pinned.remove("a"));
/// ```
pub struct HashSet<K, S = DefaultHashBuilder, D = Global> {
    map: HashMap<K, (), S, D>,
}

impl<K> HashSet<K> {
    /// Creates an empty set. Allocates nothing until something is inserted.
    pub fn new() -> Self {
        HashMap::new().into()
    }

    /// Creates an empty set with room for `capacity` keys.
    pub fn with_capacity(capacity: usize) -> Self {
        HashMap::with_capacity(capacity).into()
    }

    /// Returns a builder for the options that are seldom needed. See [`HashMap::builder`].
    ///
    /// ```
    /// use urcu_collections::{HashSet, ResizeMode};
    /// static DOMAIN: urcu::Domain = urcu::Domain::new();
    /// let set = HashSet::builder()
    ///     .capacity(2048)
    ///     .resize_mode(ResizeMode::Blocking)
    ///     .domain(&DOMAIN)
    ///     .build();
    /// assert!(set.capacity() >= 2048);
    /// set.pin().insert("a");
    /// assert!(set.contains("a", &DOMAIN.read_lock()));
    /// ```
    pub fn builder() -> HashSetBuilder<K> {
        HashSetBuilder::new()
    }
}

impl<K, S> HashSet<K, S> {
    /// Creates an empty set with a hasher.
    pub fn with_hasher(hash_builder: S) -> Self {
        HashMap::with_hasher(hash_builder).into()
    }

    /// Creates an empty set with a hasher and with room for `capacity` keys.
    pub fn with_capacity_and_hasher(capacity: usize, hash_builder: S) -> Self {
        HashMap::with_capacity_and_hasher(capacity, hash_builder).into()
    }
}

impl<K, D: InDomain> HashSet<K, DefaultHashBuilder, D> {
    /// Creates an empty set in the given domain.
    pub fn new_in(domain: D) -> Self {
        HashMap::new_in(domain).into()
    }
}

impl<K, S, D> From<HashMap<K, (), S, D>> for HashSet<K, S, D> {
    /// Makes a set of the keys of a map.
    fn from(map: HashMap<K, (), S, D>) -> Self {
        HashSet { map }
    }
}

impl<K, S, D: InDomain> HashSet<K, S, D> {
    /// Returns a handle that holds a guard: it has the set's methods, without the guard argument.
    #[inline(always)]
    #[track_caller]
    pub fn pin(&self) -> HashSetRef<'_, K, S, D> {
        HashSetRef {
            set: self,
            map: self.map.pin(),
        }
    }

    /// Returns the same as [`HashSet::pin`]: all handles can be sent to other threads.
    #[inline(always)]
    #[track_caller]
    pub fn pin_owned(&self) -> HashSetRef<'_, K, S, D> {
        self.pin()
    }

    /// Returns a guard of the set's domain.
    #[inline(always)]
    #[track_caller]
    pub fn guard(&self) -> ReadGuard<'_> {
        self.map.guard()
    }

    /// Returns the same as [`HashSet::guard`]: all guards can be sent to other threads.
    #[inline(always)]
    #[track_caller]
    pub fn owned_guard(&self) -> ReadGuard<'_> {
        self.map.guard()
    }

    /// Returns the domain whose grace periods removed keys wait for.
    pub fn domain(&self) -> &urcu::Domain {
        self.map.domain()
    }

    /// Returns the hasher.
    pub fn hasher(&self) -> &S {
        self.map.hasher()
    }

    /// Returns the number of keys. See [`HashMap::len`].
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there are no keys. See [`HashMap::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns approximately how many keys the set can hold without a resize. See [`HashMap::capacity`].
    pub fn capacity(&self) -> usize {
        self.map.capacity()
    }

    /// Returns how many bytes the set takes on the heap: its tables and entries, without the memory that keys own
    /// and without the allocator's overhead. See [`HashMap::memory_usage`].
    pub fn memory_usage(&self) -> usize {
        self.map.memory_usage()
    }

    /// Returns an iterator over the keys. See [`HashMap::iter`].
    #[track_caller]
    pub fn iter<'g>(&'g self, guard: &'g ReadGuard<'_>) -> SetIter<'g, K> {
        SetIter(self.map.keys(guard))
    }
}

impl<K, S, D> HashSet<K, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    /// Returns whether the set has a key.
    #[inline]
    #[track_caller]
    pub fn contains<Q>(&self, key: &Q, guard: &ReadGuard<'_>) -> bool
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.contains_key(key, guard)
    }

    /// Returns the key as it is stored in the set.
    #[inline]
    #[track_caller]
    pub fn get<'g, Q>(&'g self, key: &Q, guard: &'g ReadGuard<'_>) -> Option<&'g K>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.get_key_value(key, guard).map(|(key, ())| key)
    }
}

impl<K, S, D> HashSet<K, S, D>
where
    K: Hash + Eq + Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    /// Inserts a key, and returns whether it was missing. If it was there, the old key stays.
    #[inline]
    #[track_caller]
    pub fn insert(&self, key: K, guard: &ReadGuard<'_>) -> bool {
        self.map.try_insert(key, (), guard).is_ok()
    }

    /// Removes a key, and returns whether it was there.
    #[inline]
    #[track_caller]
    pub fn remove<Q>(&self, key: &Q, guard: &ReadGuard<'_>) -> bool
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.remove(key, guard).is_some()
    }

    /// Removes a key, and returns it.
    #[inline]
    #[track_caller]
    pub fn take<'g, Q>(&'g self, key: &Q, guard: &'g ReadGuard<'_>) -> Option<&'g K>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.remove_entry(key, guard).map(|(key, ())| key)
    }

    /// Keeps the keys for which a function returns true, and removes the others. See [`HashMap::retain`].
    #[track_caller]
    pub fn retain<F>(&self, mut f: F, guard: &ReadGuard<'_>)
    where
        F: FnMut(&K) -> bool,
    {
        self.map.retain(|key, ()| f(key), guard);
    }

    /// Removes all keys, one after the other. See [`HashMap::clear`].
    #[track_caller]
    pub fn clear(&self, guard: &ReadGuard<'_>) {
        self.map.clear(guard);
    }

    /// Makes room for `additional` more keys, and waits until the set is resized. See [`HashMap::reserve`].
    #[track_caller]
    pub fn reserve(&self, additional: usize, guard: &ReadGuard<'_>) {
        self.map.reserve(additional, guard);
    }

    /// Frees the memory that the current keys do not need. See [`HashMap::shrink_to_fit`].
    #[track_caller]
    pub fn shrink_to_fit(&self, guard: &ReadGuard<'_>) {
        self.map.shrink_to_fit(guard);
    }
}

impl<K, S: Default, D: InDomain + Default> Default for HashSet<K, S, D> {
    fn default() -> Self {
        HashMap::default().into()
    }
}

impl<K: fmt::Debug, S, D: InDomain> fmt::Debug for HashSet<K, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.pin()).finish()
    }
}

impl<K, S, D> PartialEq for HashSet<K, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl<K, S, D> Eq for HashSet<K, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
}

impl<K, S, D> Clone for HashSet<K, S, D>
where
    K: Clone + Hash + Eq + Send + 'static,
    S: BuildHasher + Clone,
    D: InDomain + Clone,
{
    fn clone(&self) -> Self {
        self.map.clone().into()
    }
}

impl<K, S, D> Extend<K> for &HashSet<K, S, D>
where
    K: Hash + Eq + Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    fn extend<T: IntoIterator<Item = K>>(&mut self, keys: T) {
        (&self.map).extend(keys.into_iter().map(|key| (key, ())));
    }
}

impl<'a, K, S, D> Extend<&'a K> for &HashSet<K, S, D>
where
    K: Copy + Hash + Eq + Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    fn extend<T: IntoIterator<Item = &'a K>>(&mut self, keys: T) {
        self.extend(keys.into_iter().copied());
    }
}

impl<K, const N: usize> From<[K; N]> for HashSet<K>
where
    K: Hash + Eq + Send + 'static,
{
    fn from(keys: [K; N]) -> Self {
        keys.into_iter().collect()
    }
}

impl<K, S> FromIterator<K> for HashSet<K, S>
where
    K: Hash + Eq + Send + 'static,
    S: BuildHasher + Default,
{
    fn from_iter<T: IntoIterator<Item = K>>(keys: T) -> Self {
        let set = HashSet::<K, S>::default();
        (&set).extend(keys);
        set
    }
}

impl<K, S, D> IntoIterator for HashSet<K, S, D> {
    type Item = K;
    type IntoIter = core::iter::Map<IntoIter<K, ()>, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.map.into_iter().map(|(key, ())| key)
    }
}

/// A [`HashSet`] together with an open section of its domain: see [`HashSet::pin`] and [`HashMapRef`].
pub struct HashSetRef<'set, K, S = DefaultHashBuilder, D = Global> {
    set: &'set HashSet<K, S, D>,
    map: HashMapRef<'set, K, (), S, D>,
}

impl<'set, K, S, D: InDomain> HashSetRef<'set, K, S, D> {
    /// Returns the set.
    pub fn set(&self) -> &'set HashSet<K, S, D> {
        self.set
    }

    /// Ends the section and begins another, if a grace period waits for it. See [`HashMapRef::refresh`].
    #[inline]
    #[track_caller]
    pub fn refresh(&mut self) {
        self.map.refresh();
    }

    /// Returns the number of keys. See [`HashMap::len`].
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there are no keys. See [`HashMap::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns an iterator over the keys. See [`HashMap::iter`].
    pub fn iter(&self) -> SetIter<'_, K> {
        SetIter(self.map.keys())
    }
}

impl<K, S, D> HashSetRef<'_, K, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    /// Returns whether the set has a key. See [`HashSet::contains`].
    #[inline]
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.contains_key(key)
    }

    /// Returns the key as it is stored in the set. See [`HashSet::get`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&K>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.get_key_value(key).map(|(key, ())| key)
    }
}

impl<K, S, D> HashSetRef<'_, K, S, D>
where
    K: Hash + Eq + Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    /// Inserts a key. See [`HashSet::insert`].
    #[inline]
    pub fn insert(&self, key: K) -> bool {
        self.map.try_insert(key, ()).is_ok()
    }

    /// Removes a key. See [`HashSet::remove`].
    #[inline]
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.remove(key).is_some()
    }

    /// Removes a key, and returns it. See [`HashSet::take`].
    #[inline]
    pub fn take<Q>(&self, key: &Q) -> Option<&K>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.map.remove_entry(key).map(|(key, ())| key)
    }

    /// Keeps the keys for which a function returns true, and removes the others. See [`HashMap::retain`].
    pub fn retain<F>(&self, mut f: F)
    where
        F: FnMut(&K) -> bool,
    {
        self.map.retain(|key, ()| f(key));
    }

    /// Removes all keys, one after the other. See [`HashMap::clear`].
    pub fn clear(&self) {
        self.map.clear();
    }

    /// Makes room for `additional` more keys, and waits until the set is resized. See [`HashMap::reserve`].
    pub fn reserve(&self, additional: usize) {
        self.map.reserve(additional);
    }

    /// Frees the memory that the current keys do not need. See [`HashMap::shrink_to_fit`].
    pub fn shrink_to_fit(&self) {
        self.map.shrink_to_fit();
    }
}

impl<K: fmt::Debug, S, D: InDomain> fmt::Debug for HashSetRef<'_, K, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

impl<'g, K, S, D: InDomain> IntoIterator for &'g HashSetRef<'_, K, S, D> {
    type Item = &'g K;
    type IntoIter = SetIter<'g, K>;

    fn into_iter(self) -> SetIter<'g, K> {
        self.iter()
    }
}

/// An iterator over the keys of a [`HashSet`]: see [`Iter`](super::Iter).
#[derive(Clone, Debug)]
pub struct SetIter<'g, K>(Keys<'g, K, ()>);

impl<'g, K> Iterator for SetIter<'g, K> {
    type Item = &'g K;

    #[inline]
    fn next(&mut self) -> Option<&'g K> {
        self.0.next()
    }
}

impl<K> FusedIterator for SetIter<'_, K> {}
