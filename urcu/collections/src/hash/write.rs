//! `HashMap`: changing entries.

use core::hash::{BuildHasher, Hash};
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use equivalent::Equivalent;
use urcu::{InDomain, ReadGuard};

use super::bucket::Node;
use super::map::{HashMap, Section};
use super::outcome::{Compute, Exchanged, OccupiedError, Operation};
use super::pair::{Found, Fresh, Pair};
use super::parts::Parts;
use super::plain::{kind, words};
use super::raw::{Hashes, Image, Place};
use super::seen::Seen;
use crate::reclaim;

/// References to a key and its value.
pub(super) type Both<'g, K, V> = (&'g K, &'g V);

impl<K, V, S, D> HashMap<K, V, S, D>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    /// # Safety
    /// The caller has unlinked the entry, in this section.
    #[inline]
    pub(super) unsafe fn retire<'g>(
        &'g self,
        node: NonNull<Node>,
        section: Section<'g>,
    ) -> Found<'g, K, V> {
        // SAFETY: the entry was found in the section, and is unlinked. The bounds of keys and values allow any
        // thread to drop them at any time.
        unsafe {
            reclaim::retire(self.domain.domain(), node.cast::<Pair<K, V>>());
            self.pair(node, section)
        }
    }

    #[inline]
    pub(super) fn locate<'g, Q>(&'g self, hash: u64, key: &Q, section: Section<'g>) -> Place
    where
        Q: Equivalent<K> + ?Sized,
    {
        let is = |node| {
            // SAFETY: the entry was found in the section.
            key.equivalent(unsafe { self.pair(node, section) }.key)
        };
        if kind::<K, V, S>().is_inline() {
            let found = self.raw.find_inline(hash, is);
            return found.map_or_else(|| Place::Nowhere(Seen::new()), Place::At);
        }
        self.raw.locate(hash, is)
    }

    #[inline(always)]
    fn fresh(hash: u64, key: K, value: V) -> Fresh<K, V> {
        Fresh::new(hash, key, value, kind::<K, V, S>().is_inline())
    }

    /// Adds an entry, or gives it back if entries were added since the search for the key.
    #[inline]
    fn add<'g>(
        &'g self,
        fresh: Fresh<K, V>,
        seen: &Seen,
        section: Section<'g>,
    ) -> Result<Found<'g, K, V>, Fresh<K, V>> {
        let domain = self.domain.domain();
        let node = match fresh {
            Fresh::Inline { hash, key, value } => {
                let words = words(&key, &value);
                match self.raw.insert_inline(Image { hash, words }, self, domain) {
                    Some(node) => node,
                    None => return Err(Fresh::Inline { hash, key, value }),
                }
            }
            Fresh::Apart(own) => {
                // The code after the publication may panic, if there is no memory to retire a table.
                let own = ManuallyDrop::new(own);
                if !self.raw.insert(own.node(), seen, self, domain) {
                    return Err(Fresh::Apart(ManuallyDrop::into_inner(own)));
                }
                own.node()
            }
        };
        // SAFETY: the entry was in the map in this section.
        Ok(unsafe { self.pair(node, section) })
    }

    /// Replaces an entry that was found, or gives the new one back if it is not there any more.
    #[inline]
    fn exchange<'g>(
        &'g self,
        old: NonNull<Node>,
        fresh: Fresh<K, V>,
        section: Section<'g>,
    ) -> Result<Exchanged<'g, K, V>, Fresh<K, V>> {
        let domain = self.domain.domain();
        match fresh {
            Fresh::Inline { hash, key, value } => {
                let words = words(&key, &value);
                let image = Image { hash, words };
                match self.raw.replace_inline(old, image, self, domain) {
                    // SAFETY: both entries were in the map in this section.
                    Some(node) => unsafe {
                        Ok(Exchanged {
                            old: self.pair(old, section),
                            new: self.pair(node, section),
                        })
                    },
                    None => Err(Fresh::Inline { hash, key, value }),
                }
            }
            Fresh::Apart(own) => {
                if !self.raw.replace(old, own.node(), self, domain) {
                    return Err(Fresh::Apart(own));
                }
                let node = own.publish();
                // SAFETY: we have just unlinked the old entry; the new one was in the map in this section.
                unsafe {
                    Ok(Exchanged {
                        old: self.retire(old, section),
                        new: self.pair(node, section),
                    })
                }
            }
        }
    }

    /// Inserts a value, and returns the old one.
    ///
    /// If the key was there, the new key replaces the old one, too. This matters if equal keys can be told apart.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::new();
    /// let guard = map.guard();
    /// assert_eq!(map.insert("a", 1, &guard), None);
    /// assert_eq!(map.insert("a", 2, &guard), Some(&1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn insert<'g>(&'g self, key: K, value: V, guard: &'g ReadGuard<'_>) -> Option<&'g V> {
        self.insert_in(key, value, self.section(guard)).1
    }

    /// Returns the new value and the old one.
    pub(super) fn insert_in<'g>(
        &'g self,
        key: K,
        value: V,
        section: Section<'g>,
    ) -> (&'g V, Option<&'g V>) {
        let hash = self.hash(&key);
        if kind::<K, V, S>().is_inline() {
            let words = words(&key, &value);
            let image = Image { hash, words };
            let (new, old) = self.raw.upsert_inline(image, self, self.domain.domain());
            // SAFETY: both pairs were in the map in this section.
            return unsafe {
                let old = old.map(|old| self.pair(old, section).value);
                (self.pair(new, section).value, old)
            };
        }
        let mut fresh = Self::fresh(hash, key, value);
        loop {
            match self.locate(hash, fresh.key(), section) {
                Place::At(old) => match self.exchange(old, fresh, section) {
                    Ok(Exchanged { old, new }) => return (new.value, Some(old.value)),
                    Err(again) => fresh = again,
                },
                Place::Nowhere(seen) => match self.add(fresh, &seen, section) {
                    Ok(new) => return (new.value, None),
                    Err(again) => fresh = again,
                },
            }
        }
    }

    /// Inserts a value if the key is missing. Returns it.
    ///
    /// # Errors
    /// Returns the existing value, and the one that was not inserted, if the key is there.
    #[inline]
    #[track_caller]
    pub fn try_insert<'g>(
        &'g self,
        key: K,
        value: V,
        guard: &'g ReadGuard<'_>,
    ) -> Result<&'g V, OccupiedError<'g, V>> {
        self.try_insert_in(key, value, self.section(guard))
    }

    pub(super) fn try_insert_in<'g>(
        &'g self,
        key: K,
        value: V,
        section: Section<'g>,
    ) -> Result<&'g V, OccupiedError<'g, V>> {
        let mut value = Some(value);
        self.try_add(key, || value.take().expect("called once"), section)
            .map_err(|(current, not_made)| OccupiedError {
                current,
                not_inserted: not_made.or(value).expect("made or not"),
            })
    }

    /// Inserts the result of `make` if the key is missing. On failure, returns the existing value, and the new one
    /// if it was made.
    fn try_add<'g>(
        &'g self,
        key: K,
        make: impl FnOnce() -> V,
        section: Section<'g>,
    ) -> Result<&'g V, (&'g V, Option<V>)> {
        let hash = self.hash(&key);
        let mut seen = match self.locate(hash, &key, section) {
            // SAFETY: the entry was found in the section.
            Place::At(node) => return Err((unsafe { self.pair(node, section) }.value, None)),
            Place::Nowhere(seen) => seen,
        };
        let mut fresh = Self::fresh(hash, key, make());
        loop {
            match self.add(fresh, &seen, section) {
                Ok(pair) => return Ok(pair.value),
                Err(again) => fresh = again,
            }
            match self.locate(hash, fresh.key(), section) {
                Place::At(node) => {
                    // SAFETY: the entry was found in the section.
                    let current = unsafe { self.pair(node, section) }.value;
                    return Err((current, Some(fresh.into_parts().1)));
                }
                Place::Nowhere(now) => seen = now,
            }
        }
    }

    /// Inserts the result of a function if the key is missing. Returns it.
    ///
    /// The function may have been called in vain if another thread inserts the key first.
    ///
    /// # Errors
    /// Returns the existing value if the key is there.
    #[inline]
    #[track_caller]
    pub fn try_insert_with<'g, F>(
        &'g self,
        key: K,
        f: F,
        guard: &'g ReadGuard<'_>,
    ) -> Result<&'g V, &'g V>
    where
        F: FnOnce() -> V,
    {
        self.try_insert_with_in(key, f, self.section(guard))
    }

    pub(super) fn try_insert_with_in<'g>(
        &'g self,
        key: K,
        f: impl FnOnce() -> V,
        section: Section<'g>,
    ) -> Result<&'g V, &'g V> {
        self.try_add(key, f, section)
            .map_err(|(current, _)| current)
    }

    /// Returns the value of a key. If the key is missing, inserts a value.
    #[inline]
    #[track_caller]
    pub fn get_or_insert<'g>(&'g self, key: K, value: V, guard: &'g ReadGuard<'_>) -> &'g V {
        self.get_or_insert_with(key, || value, guard)
    }

    /// Returns the value of a key. If the key is missing, inserts the result of a function.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::new();
    /// let guard = map.guard();
    /// assert_eq!(map.get_or_insert_with("a", || 1, &guard), &1);
    /// assert_eq!(map.get_or_insert_with("a", || 2, &guard), &1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_insert_with<'g, F>(&'g self, key: K, f: F, guard: &'g ReadGuard<'_>) -> &'g V
    where
        F: FnOnce() -> V,
    {
        match self.try_insert_with(key, f, guard) {
            Ok(value) | Err(value) => value,
        }
    }

    /// Replaces the value of a key by the result of a function, and returns the new value. Returns `None` if the
    /// key is missing.
    ///
    /// The function is called again if another thread has changed the entry meanwhile, so no update is lost.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::from([("a", 1)]);
    /// let guard = map.guard();
    /// assert_eq!(map.update("a", |value| value + 1, &guard), Some(&2));
    /// assert_eq!(map.update("b", |value| value + 1, &guard), None);
    /// ```
    #[track_caller]
    pub fn update<'g, F>(&'g self, key: K, update: F, guard: &'g ReadGuard<'_>) -> Option<&'g V>
    where
        F: Fn(&V) -> V,
    {
        self.update_in(key, update, self.section(guard))
    }

    pub(super) fn update_in<'g>(
        &'g self,
        key: K,
        update: impl Fn(&V) -> V,
        section: Section<'g>,
    ) -> Option<&'g V> {
        let computed = self.compute_in(
            key,
            |entry| match entry {
                Some((_, value)) => Operation::Insert(update(value)),
                None => Operation::Abort(()),
            },
            section,
        );
        match computed {
            Compute::Updated { new, .. } => Some(new.1),
            _ => None,
        }
    }

    /// Replaces the value of a key by the result of a function, or inserts a value if the key is missing. Returns
    /// the new value.
    #[track_caller]
    pub fn update_or_insert<'g, F>(
        &'g self,
        key: K,
        update: F,
        value: V,
        guard: &'g ReadGuard<'_>,
    ) -> &'g V
    where
        F: Fn(&V) -> V,
    {
        self.update_or_insert_with(key, update, || value, guard)
    }

    /// Replaces the value of a key by the result of a function, or inserts the result of another function if the
    /// key is missing. Returns the new value.
    ///
    /// ```
    /// let map = urcu_collections::HashMap::new();
    /// let guard = map.guard();
    /// for expected in 1..4 {
    ///     assert_eq!(map.update_or_insert_with("a", |n| n + 1, || 1, &guard), &expected);
    /// }
    /// ```
    #[track_caller]
    pub fn update_or_insert_with<'g, U, F>(
        &'g self,
        key: K,
        update: U,
        f: F,
        guard: &'g ReadGuard<'_>,
    ) -> &'g V
    where
        F: FnOnce() -> V,
        U: Fn(&V) -> V,
    {
        self.update_or_insert_in(key, update, f, self.section(guard))
    }

    pub(super) fn update_or_insert_in<'g>(
        &'g self,
        key: K,
        update: impl Fn(&V) -> V,
        f: impl FnOnce() -> V,
        section: Section<'g>,
    ) -> &'g V {
        let hash = self.hash(&key);
        let mut parts = Parts::Apart(key, None);
        let mut make = Some(f);
        let is_inline = kind::<K, V, S>().is_inline();
        loop {
            match self.locate(hash, parts.key(), section) {
                Place::At(old) => {
                    // SAFETY: the entry was found in the section.
                    let value = update(unsafe { self.pair(old, section) }.value);
                    // The value made for insertion is kept, in case the key is missing the next time.
                    let (key, kept) = parts.take();
                    match self.exchange(old, Self::fresh(hash, key, value), section) {
                        Ok(exchanged) => return exchanged.new.value,
                        Err(again) => parts = Parts::Apart(again.into_parts().0, kept),
                    }
                }
                Place::Nowhere(seen) => {
                    let fresh = parts.join(hash, is_inline, || {
                        make.take().expect("what it makes is kept")()
                    });
                    match self.add(fresh, &seen, section) {
                        Ok(pair) => return pair.value,
                        Err(again) => parts = Parts::Joined(again),
                    }
                }
            }
        }
    }

    /// Changes an entry atomically, as a function decides.
    ///
    /// The function gets the entry, or `None`. It is called again if another thread has changed the entry
    /// meanwhile, and may itself use the map.
    ///
    /// ```
    /// use urcu_collections::{Compute, HashMap, Operation};
    ///
    /// let map = HashMap::from([("a", 5)]);
    /// let guard = map.guard();
    /// let spend = |entry: Option<(&&'static str, &i32)>| match entry {
    ///     Some((_, &left)) if left > 1 => Operation::Insert(left - 1),
    ///     Some(_) => Operation::Remove,
    ///     None => Operation::Abort("nothing left"),
    /// };
    /// assert!(matches!(map.compute("a", spend, &guard), Compute::Updated { new: (_, 4), .. }));
    /// assert_eq!(map.compute("b", spend, &guard), Compute::Aborted("nothing left"));
    /// ```
    ///
    /// # Panics
    /// Panics if the function returns `Operation::Remove` for a key that is missing.
    #[track_caller]
    pub fn compute<'g, F, T>(
        &'g self,
        key: K,
        compute: F,
        guard: &'g ReadGuard<'_>,
    ) -> Compute<'g, K, V, T>
    where
        F: FnMut(Option<(&'g K, &'g V)>) -> Operation<V, T>,
    {
        self.compute_in(key, compute, self.section(guard))
    }

    #[track_caller]
    pub(super) fn compute_in<'g, F, T>(
        &'g self,
        mut key: K,
        mut compute: F,
        section: Section<'g>,
    ) -> Compute<'g, K, V, T>
    where
        F: FnMut(Option<(&'g K, &'g V)>) -> Operation<V, T>,
    {
        let hash = self.hash(&key);
        loop {
            let again = match self.locate(hash, &key, section) {
                Place::At(old) => {
                    // SAFETY: the entry was found in the section.
                    let pair = unsafe { self.pair(old, section) };
                    match compute(Some((pair.key, pair.value))) {
                        Operation::Insert(value) => {
                            match self.exchange(old, Self::fresh(hash, key, value), section) {
                                Ok(exchanged) => return exchanged.into(),
                                Err(again) => again,
                            }
                        }
                        Operation::Remove => match self.remove_found(old, section) {
                            Some((key, value)) => return Compute::Removed(key, value),
                            None => continue,
                        },
                        Operation::Abort(answer) => return Compute::Aborted(answer),
                    }
                }
                Place::Nowhere(seen) => match compute(None) {
                    Operation::Insert(value) => {
                        match self.add(Self::fresh(hash, key, value), &seen, section) {
                            Ok(pair) => return Compute::Inserted(pair.key, pair.value),
                            Err(again) => again,
                        }
                    }
                    Operation::Remove => panic!("cannot remove an entry that is not there"),
                    Operation::Abort(answer) => return Compute::Aborted(answer),
                },
            };
            key = again.into_parts().0;
        }
    }

    #[inline]
    pub(super) fn remove_found<'g>(
        &'g self,
        node: NonNull<Node>,
        section: Section<'g>,
    ) -> Option<Both<'g, K, V>> {
        if kind::<K, V, S>().is_inline() {
            let (hash, domain) = (self.hash_of(node), self.domain.domain());
            let is_removed = self.raw.remove_inline(node, hash, self, domain);
            return is_removed.then(|| {
                // SAFETY: the entry was in the map in this section.
                let pair = unsafe { self.pair(node, section) };
                (pair.key, pair.value)
            });
        }
        self.raw.remove(node, self, self.domain.domain()).then(|| {
            // SAFETY: we have just unlinked the entry.
            let pair = unsafe { self.retire(node, section) };
            (pair.key, pair.value)
        })
    }
}
