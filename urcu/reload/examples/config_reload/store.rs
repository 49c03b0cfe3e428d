//! The ways of sharing the current table that the program compares. The first is the library's own; the
//! others are fed by its hook, which is also how a program moves to it step by step.

use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use urcu::RcuArc;
use urcu_reload::{Change, Version, Watched};

use crate::table::Table;

type Shared = Arc<Version<Table>>;

/// Holds the version in force: many threads read it, one replaces it.
pub(crate) trait Store: Send + Sync + 'static {
    /// Its name in the results.
    const NAME: &'static str;

    /// A store with the version that is in force.
    fn new(config: &Watched<Table>) -> Self;

    /// Calls `f` with the version in force.
    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R;

    /// Publishes the new version of a change.
    fn publish(&self, change: &Change<Table>);
}

impl Store for Watched<Table> {
    const NAME: &'static str = "Rcu, store";

    fn new(config: &Watched<Table>) -> Self {
        config.clone()
    }

    /// Readers share nothing with each other: entering and leaving counts on the CPU's own line.
    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        let guard = urcu::read_lock();
        f(self.load(&guard))
    }

    /// The library has done it. The old version goes once no reader can be in it.
    fn publish(&self, _change: &Change<Table>) {}
}

/// Waits for a grace period with each version: when `publish` returns, no reader is left in the old one.
pub(crate) struct Replace(RcuArc<Version<Table>>);

impl Store for Replace {
    const NAME: &'static str = "Rcu, replace";

    fn new(config: &Watched<Table>) -> Self {
        Self(RcuArc::new(config.load_full()))
    }

    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        let guard = urcu::read_lock();
        f(self.0.load(&guard))
    }

    fn publish(&self, change: &Change<Table>) {
        let old = self.0.replace(Arc::clone(&change.new));
        assert_eq!(old.number(), change.old.number(), "another one came back");
    }
}

impl Store for ArcSwap<Version<Table>> {
    const NAME: &'static str = "arc_swap::ArcSwap";

    fn new(config: &Watched<Table>) -> Self {
        Self::new(config.load_full())
    }

    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        f(&self.load())
    }

    /// The old version may still be in use: it is freed by whoever drops the last reference to it,
    /// which can be a reader.
    fn publish(&self, change: &Change<Table>) {
        self.store(Arc::clone(&change.new));
    }
}

impl Store for RwLock<Shared> {
    const NAME: &'static str = "RwLock<Arc<_>>";

    fn new(config: &Watched<Table>) -> Self {
        Self::new(config.load_full())
    }

    /// All readers write to the lock's word and to the reference count, twice each.
    fn with_read<R>(&self, f: impl FnOnce(&Table) -> R) -> R {
        let table = Arc::clone(&self.read().unwrap_or_else(PoisonError::into_inner));
        f(&table)
    }

    fn publish(&self, change: &Change<Table>) {
        *self.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&change.new);
    }
}
