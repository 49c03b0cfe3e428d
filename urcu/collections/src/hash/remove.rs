//! Removing entries, and room for them.

use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;
use urcu::{InDomain, ReadGuard};

use super::map::{HashMap, Section};
use super::raw_iter::RawIter;
use super::write::Both;

impl<K, V, S, D> HashMap<K, V, S, D>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    /// Removes a key, and returns its value.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([("a", 1)]);
    /// let guard = map.guard();
    /// assert_eq!(map.remove("a", &guard), Some(&1));
    /// assert_eq!(map.remove("a", &guard), None);
    /// ```
    #[inline]
    #[track_caller]
    pub fn remove<'g, Q>(&'g self, key: &Q, guard: &'g ReadGuard<'_>) -> Option<&'g V>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.remove_entry(key, guard).map(|(_, value)| value)
    }

    /// Removes a key, and returns it with its value.
    #[inline]
    #[track_caller]
    pub fn remove_entry<'g, Q>(
        &'g self,
        key: &Q,
        guard: &'g ReadGuard<'_>,
    ) -> Option<(&'g K, &'g V)>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        self.remove_entry_in(key, self.section(guard))
    }

    pub(super) fn remove_entry_in<'g, Q>(
        &'g self,
        key: &Q,
        section: Section<'g>,
    ) -> Option<(&'g K, &'g V)>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let hash = self.hash(key);
        loop {
            let found = self.find_node(hash, self.is(key, section))?;
            if let Some(removed) = self.remove_found(found, section) {
                return Some(removed);
            }
        }
    }

    /// Removes a key if a function returns true for its current entry. Returns `None` if the key is missing.
    ///
    /// # Errors
    /// Returns the entry if the function returns false.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([("a", 1)]);
    /// let guard = map.guard();
    /// assert_eq!(map.remove_if("a", |_, &value| value > 1, &guard), Err((&"a", &1)));
    /// assert_eq!(map.remove_if("a", |_, &value| value == 1, &guard), Ok(Some((&"a", &1))));
    /// assert_eq!(map.remove_if("a", |_, _| true, &guard), Ok(None));
    /// ```
    #[track_caller]
    pub fn remove_if<'g, Q, F>(
        &'g self,
        key: &Q,
        should_remove: F,
        guard: &'g ReadGuard<'_>,
    ) -> Result<Option<(&'g K, &'g V)>, (&'g K, &'g V)>
    where
        Q: Equivalent<K> + Hash + ?Sized,
        F: FnMut(&K, &V) -> bool,
    {
        self.remove_if_in(key, should_remove, self.section(guard))
    }

    pub(super) fn remove_if_in<'g, Q>(
        &'g self,
        key: &Q,
        mut should_remove: impl FnMut(&K, &V) -> bool,
        section: Section<'g>,
    ) -> Result<Option<Both<'g, K, V>>, Both<'g, K, V>>
    where
        Q: Equivalent<K> + Hash + ?Sized,
    {
        let hash = self.hash(key);
        loop {
            let Some(found) = self.find_node(hash, self.is(key, section)) else {
                return Ok(None);
            };
            // SAFETY: found in the section.
            let pair = unsafe { self.pair(found, section) };
            if !should_remove(pair.key, pair.value) {
                return Err((pair.key, pair.value));
            }
            if let Some(removed) = self.remove_found(found, section) {
                return Ok(Some(removed));
            }
        }
    }

    /// Keeps the entries for which a function returns true, and removes the others. If another thread changes an
    /// entry meanwhile, the function is called again for it.
    ///
    /// ```
    /// let map: urcu_collections::HashMap<_, _> = (0..8).map(|number| (number, number)).collect();
    /// map.retain(|_, number| number % 2 == 0, &map.guard());
    /// assert_eq!(map.len(), 4);
    /// ```
    #[track_caller]
    pub fn retain<F>(&self, f: F, guard: &ReadGuard<'_>)
    where
        F: FnMut(&K, &V) -> bool,
    {
        self.retain_in(f, self.section(guard));
    }

    pub(super) fn retain_in(&self, mut f: impl FnMut(&K, &V) -> bool, section: Section<'_>) {
        for node in RawIter::new(self.raw.root(), self) {
            // SAFETY: found in the section.
            let pair = unsafe { self.pair(node, section) };
            if f(pair.key, pair.value) {
                continue;
            }
            if self.remove_found(node, section).is_none() {
                // The entry may have been replaced or removed meanwhile. A key with an inconsistent `Eq` may not be
                // found, and stays.
                let _ = self.remove_if_in(pair.key, |key, value| !f(key, value), section);
            }
        }
    }

    /// Removes all entries, one after the other. Entries that others insert meanwhile may stay.
    #[track_caller]
    pub fn clear(&self, guard: &ReadGuard<'_>) {
        self.clear_in(self.section(guard));
    }

    pub(super) fn clear_in(&self, section: Section<'_>) {
        self.retain_in(|_, _| false, section);
    }

    /// Makes room for `additional` more entries, and waits until the map is resized. The map does not shrink below
    /// that by itself any more.
    ///
    /// # Panics
    /// Panics if the map would be larger than the address space.
    #[track_caller]
    pub fn reserve(&self, additional: usize, guard: &ReadGuard<'_>) {
        self.reserve_in(additional, self.section(guard));
    }

    pub(super) fn reserve_in(&self, additional: usize, _: Section<'_>) {
        let entries = self.len().saturating_add(additional);
        if entries > 0 {
            self.raw.reserve(entries, self, self.domain.domain());
        }
    }

    /// Frees the memory that the current entries do not need.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::with_capacity(1000);
    /// map.pin().insert(1, 1);
    /// let before = map.memory_usage();
    /// map.shrink_to_fit(&map.guard());
    /// assert!(map.memory_usage() < before / 10);
    /// ```
    #[track_caller]
    pub fn shrink_to_fit(&self, guard: &ReadGuard<'_>) {
        self.shrink_to(0, guard);
    }

    /// Frees the memory that is needed neither for the given number of entries nor for the current ones.
    #[track_caller]
    pub fn shrink_to(&self, capacity: usize, guard: &ReadGuard<'_>) {
        self.section(guard);
        self.raw.shrink_to(capacity, self, self.domain.domain());
    }
}
