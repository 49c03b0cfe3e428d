//! Versions of the configuration, and changes from one to the next.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A version of the configuration. It dereferences to the value, and knows when it was read and published.
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

    /// Returns the number of the version. The first is 1. Content that is refused gets no number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns when the first of the changes that led to this version was noticed.
    pub fn noticed(&self) -> Instant {
        self.noticed
    }

    /// Returns when the reading of the files began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Returns when the version was completely read, parsed and validated.
    pub fn built(&self) -> Instant {
        self.built
    }

    /// Returns when the version was published.
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

/// A change of version. Hooks are called with it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Change<T> {
    /// The version that was in force. Readers that began earlier may still see it.
    pub old: Arc<Version<T>>,
    /// The version in force. Every read that begins now sees it, or a later one.
    pub new: Arc<Version<T>>,
    /// The time that the publication took. It does not wait for readers.
    pub publication: Duration,
}

/// The outcome of [`reload_now`](crate::Watched::reload_now).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The files have the content that is already in force.
    Unchanged,
    /// A version of this number has been published.
    Published(u64),
}
