//! A version of the configuration, and what happens to versions.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A version of the configuration: the value, to which it dereferences, and how it came about.
#[derive(Clone, Debug)]
pub struct Version<T> {
    value: T,
    number: u64,
    noticed: Instant,
    begun: Instant,
    built: Instant,
    published: SystemTime,
}

impl<T> Version<T> {
    pub(crate) fn new(value: T, number: u64, noticed: Instant, begun: Instant) -> Self {
        Self {
            value,
            number,
            noticed,
            begun,
            built: Instant::now(),
            published: SystemTime::now(),
        }
    }

    /// Returns the value, as dereferencing does.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the number of the version. The first is 1; what is refused has none.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns when the first of the changes was noticed that led to this version.
    pub fn noticed(&self) -> Instant {
        self.noticed
    }

    /// Returns when reading the files began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Returns when it had been read, parsed and validated.
    pub fn built(&self) -> Instant {
        self.built
    }

    /// Returns when it was published.
    pub fn published(&self) -> SystemTime {
        self.published
    }
}

impl<T> Deref for Version<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A change of version: what a hook is called with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change<T> {
    /// The version that was in force. Readers that began earlier may still see it.
    pub old: Arc<Version<T>>,
    /// The version in force. Every read that begins now sees it, or a later one.
    pub new: Arc<Version<T>>,
    /// The time that publishing took. It waits for no reader.
    pub publication: Duration,
}

/// The outcome of a reload that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The files say what is in force already.
    Unchanged,
    /// A version of this number has been published.
    Published(u64),
}
