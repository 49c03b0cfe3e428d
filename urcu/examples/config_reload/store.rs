//! The three ways of sharing the current table that the program compares.

use std::borrow::Borrow;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use urcu::Rcu;

use crate::table::Table;

/// Holds the version in force: many threads read it, one replaces it.
pub(crate) trait Store: Sync {
    /// What it is called in the results.
    const NAME: &'static str;

    /// A store with its first version.
    fn new(table: Table) -> Self;

    /// Calls `f` with the version in force.
    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R;

    /// Publishes a version and hands back the one it takes the place of.
    fn replace(&self, table: Table) -> impl Borrow<Table>;
}

impl Store for Rcu<Table> {
    const NAME: &'static str = "urcu::Rcu";

    fn new(table: Table) -> Self {
        Self::new(table)
    }

    /// Readers share nothing with each other: entering and leaving counts on the CPU's own line.
    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        let guard = urcu::read_lock();
        f(self.load(&guard))
    }

    /// Waits for a grace period: no reader is left in the old version, so it comes back by value.
    fn replace(&self, table: Table) -> impl Borrow<Table> {
        self.replace(table)
    }
}

impl Store for ArcSwap<Table> {
    const NAME: &'static str = "arc_swap::ArcSwap";

    fn new(table: Table) -> Self {
        Self::from_pointee(table)
    }

    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        f(&self.load())
    }

    /// The old version may still be in use: it is freed by whoever drops the last reference to it,
    /// which can be a reader.
    fn replace(&self, table: Table) -> impl Borrow<Table> {
        self.swap(Arc::new(table))
    }
}

impl Store for RwLock<Arc<Table>> {
    const NAME: &'static str = "RwLock<Arc<_>>";

    fn new(table: Table) -> Self {
        Self::new(Arc::new(table))
    }

    /// All readers write to the lock's word and to the reference count, twice each.
    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        let table = Arc::clone(&self.read().unwrap_or_else(PoisonError::into_inner));
        f(&table)
    }

    fn replace(&self, table: Table) -> impl Borrow<Table> {
        let mut current = self.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, Arc::new(table))
    }
}
