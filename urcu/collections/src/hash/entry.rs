//! The entry API.

use core::fmt;
use core::hash::{BuildHasher, Hash};

use urcu::{Global, InDomain};

use super::DefaultHashBuilder;
use super::map::{HashMap, Section};

/// The entry of a key, present or not: see [`HashMap::entry`].
///
/// An `Entry` locks nothing, so other threads may insert and remove the key meanwhile. Each method looks the key up
/// again, and is atomic.
pub struct Entry<'g, K, V, S = DefaultHashBuilder, D = Global> {
    map: &'g HashMap<K, V, S, D>,
    key: K,
    section: Section<'g>,
}

impl<'g, K, V, S, D> Entry<'g, K, V, S, D>
where
    K: Hash + Eq,
    S: BuildHasher,
    D: InDomain,
{
    pub(super) fn new(map: &'g HashMap<K, V, S, D>, key: K, section: Section<'g>) -> Self {
        Entry { map, key, section }
    }

    /// Returns the key that was given.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// Returns the key that was given.
    pub fn into_key(self) -> K {
        self.key
    }

    /// Returns the value if the key is there now.
    pub fn get(&self) -> Option<&'g V> {
        let found = self.map.find(&self.key, self.section);
        found.map(|pair| pair.value)
    }
}

impl<'g, K, V, S, D> Entry<'g, K, V, S, D>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
    D: InDomain,
{
    /// Returns the value. If the key is missing, inserts `value`.
    pub fn or_insert(self, value: V) -> &'g V {
        self.or_insert_with(|| value)
    }

    /// Returns the value. If the key is missing, inserts the result of a function.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'g V {
        match self.map.try_insert_with_in(self.key, make, self.section) {
            Ok(value) | Err(value) => value,
        }
    }

    /// Returns the value. If the key is missing, inserts the result of a function of the key.
    pub fn or_insert_with_key(self, make: impl FnOnce(&K) -> V) -> &'g V {
        if let Some(value) = self.get() {
            return value;
        }
        let value = make(&self.key);
        self.or_insert(value)
    }

    /// Returns the value. If the key is missing, inserts the default.
    pub fn or_default(self) -> &'g V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Inserts a value, whether the key is there or not, and returns it.
    pub fn insert(self, value: V) -> &'g V {
        self.map.insert_in(self.key, value, self.section).0
    }

    /// Replaces the value by the result of a function, if the key is there. Together with [`Modified::or_insert`]
    /// this is one atomic step.
    pub fn and_modify<F: Fn(&V) -> V>(self, update: F) -> Modified<'g, K, V, S, D, F> {
        Modified {
            entry: self,
            update,
        }
    }

    /// Removes the entry, and returns its key and value.
    pub fn remove(self) -> Option<(&'g K, &'g V)> {
        self.map.remove_entry_in(&self.key, self.section)
    }
}

impl<K: fmt::Debug, V, S, D> fmt::Debug for Entry<'_, K, V, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// An [`Entry`] with an update that has not been done yet: see [`Entry::and_modify`].
#[must_use = "nothing is updated until one of its methods is called"]
pub struct Modified<'g, K, V, S, D, F> {
    entry: Entry<'g, K, V, S, D>,
    update: F,
}

impl<'g, K, V, S, D, F> Modified<'g, K, V, S, D, F>
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher,
    D: InDomain,
    F: Fn(&V) -> V,
{
    /// Updates the value, or inserts `value`, and returns the new value.
    pub fn or_insert(self, value: V) -> &'g V {
        self.or_insert_with(|| value)
    }

    /// Updates the value, or inserts the result of a function, and returns the new value.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'g V {
        let Entry { map, key, section } = self.entry;
        map.update_or_insert_in(key, self.update, make, section)
    }

    /// Updates the value, or inserts the default, and returns the new value.
    pub fn or_default(self) -> &'g V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Updates the value if the key is there, and returns the new value.
    pub fn if_present(self) -> Option<&'g V> {
        let Entry { map, key, section } = self.entry;
        map.update_in(key, self.update, section)
    }
}

impl<K: fmt::Debug, V, S, D, F> fmt::Debug for Modified<'_, K, V, S, D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modified")
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}
