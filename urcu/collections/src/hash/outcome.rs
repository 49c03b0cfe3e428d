//! The operations and results of `compute` and `try_insert`.

use core::fmt;

#[cfg(doc)]
use super::map::HashMap;
use super::pair::Found;

/// The change that [`HashMap::compute`] is to make to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<V, T> {
    /// Insert this value, or replace the existing one by it.
    Insert(V),
    /// Remove the entry.
    Remove,
    /// Leave everything as it is, and return this.
    Abort(T),
}

/// The outcome of [`HashMap::compute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute<'g, K, V, T> {
    /// The key was missing, and was inserted.
    Inserted(&'g K, &'g V),
    /// The entry was replaced.
    Updated {
        /// The old entry.
        old: (&'g K, &'g V),
        /// The new entry.
        new: (&'g K, &'g V),
    },
    /// The entry was removed.
    Removed(&'g K, &'g V),
    /// Nothing was done.
    Aborted(T),
}

/// The error of [`HashMap::try_insert`]: the key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OccupiedError<'g, V> {
    /// The existing value.
    pub current: &'g V,
    /// The value that was not inserted.
    pub not_inserted: V,
}

impl<V: fmt::Debug> fmt::Display for OccupiedError<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the value {:?} was not inserted, because the key is there with the value {:?}",
            self.not_inserted, self.current
        )
    }
}

impl<V: fmt::Debug> core::error::Error for OccupiedError<'_, V> {}

/// The result of an exchange of entries: the new entry and the old one.
pub(super) struct Exchanged<'g, K, V> {
    pub(super) old: Found<'g, K, V>,
    pub(super) new: Found<'g, K, V>,
}

impl<'g, K, V, T> From<Exchanged<'g, K, V>> for Compute<'g, K, V, T> {
    fn from(Exchanged { old, new }: Exchanged<'g, K, V>) -> Self {
        Compute::Updated {
            old: (old.key, old.value),
            new: (new.key, new.value),
        }
    }
}
