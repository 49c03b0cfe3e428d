//! What became of a change, and what one is to do.

use core::fmt;

#[cfg(doc)]
use super::map::HashMap;

/// The change that [`HashMap::compute`] is to make to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<V, T> {
    /// Insert this value, in the place of the one that is there.
    Insert(V),
    /// Remove the entry.
    Remove,
    /// Leave everything as it is, and return this.
    Abort(T),
}

/// The outcome of [`HashMap::compute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute<'g, K, V, T> {
    /// The key was not there, and is now.
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

/// The key is there already: the error of [`HashMap::try_insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OccupiedError<'g, V> {
    /// The value that is there.
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
