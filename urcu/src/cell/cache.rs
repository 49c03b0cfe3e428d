//! Handles that cache the value they have read.

use core::fmt;
use core::ops::Deref;

use super::{InDomain, Rcu, RcuCell, RefCounted};
use crate::gp::sequence::Round;
use crate::sync::Ordering;

/// A handle for one thread or task that keeps the `Arc` of an [`RcuArc`](crate::RcuArc). Each use only checks
/// whether the cell still holds the same `Arc`.
///
/// The handle keeps an old value alive until its next use. No section is open meanwhile, so the handle delays no
/// grace period.
///
/// # Cost
/// One load and one comparison while the cell does not change; [`RcuCell::load_full`] after it has changed.
///
/// ```
/// use std::sync::Arc;
/// use urcu::{Cache, RcuArc};
///
/// let config = RcuArc::new(Arc::new(1));
/// let mut cached = Cache::new(&config);
/// assert_eq!(*cached.load(), 1);
/// config.store(Arc::new(2));
/// assert_eq!(*cached.load(), 2);
/// ```
///
/// The idea is that of `Cache` in `arc-swap`.
pub struct Cache<C, P> {
    cell: C,
    kept: P,
}

impl<C: Deref<Target = RcuCell<P, D>>, P: RefCounted, D: InDomain> Cache<C, P> {
    /// Returns a handle of `cell`: a reference to a cell or, for tasks, an `Arc` of one.
    pub fn new(cell: C) -> Self {
        let kept = cell.load_full();
        Cache { cell, kept }
    }

    /// Returns the current value.
    #[inline(always)]
    pub fn load(&mut self) -> P::View<'_> {
        // Relaxed: only `kept` is followed, which this handle owns. As long as it does, no other value can be
        // at that address.
        if self.cell.current.load(Ordering::Relaxed) != P::address_of(&self.kept) {
            self.renew();
        }
        self.kept.seen()
    }

    #[cold]
    #[inline(never)]
    fn renew(&mut self) {
        self.kept = self.cell.load_full();
    }

    /// Returns the cell.
    pub fn cell(&self) -> &RcuCell<P, D> {
        &self.cell
    }

    /// Returns the `Arc` that this handle keeps, which may be older than the cell's.
    pub fn into_kept(self) -> P {
        self.kept
    }
}

impl<C: Clone, P: Clone> Clone for Cache<C, P> {
    fn clone(&self) -> Self {
        Cache {
            cell: self.cell.clone(),
            kept: self.kept.clone(),
        }
    }
}

impl<C, P: fmt::Debug> fmt::Debug for Cache<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.kept).finish()
    }
}

/// A handle for one thread or task that keeps a clone of the value of an [`Rcu`](crate::Rcu). Each use only
/// checks whether the cell may have another value by now.
///
/// No section is open between two uses, so the handle delays no grace period.
///
/// # Cost
/// A few loads and comparisons, while neither the cell has changed nor a grace period of its domain has begun.
/// After either, a read-side section and a clone.
///
/// ```
/// use urcu::{CloneCache, Rcu};
///
/// let names = Rcu::new(vec!["a"]);
/// let mut cached = CloneCache::new(&names);
/// assert_eq!(cached.load(), &["a"]);
/// names.store(vec!["b"]);
/// assert_eq!(cached.load(), &["b"]);
/// ```
pub struct CloneCache<C, T> {
    cell: C,
    kept: T,
    mark: Mark,
}

/// When a clone was made. As long as neither field changes, the cell has the same value: another value can be at
/// the same address only after a grace period has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    address: usize,
    /// The process, and how many grace periods had begun in it.
    grace_periods: (usize, Round),
}

impl<C: Deref<Target = Rcu<T, D>>, T: Clone, D: InDomain> CloneCache<C, T> {
    /// Returns a handle of `cell`: a reference to a cell or, for tasks, an `Arc` of one.
    pub fn new(cell: C) -> Self {
        let (kept, mark) = Self::look(&cell);
        CloneCache { cell, kept, mark }
    }

    /// Returns the cached clone, which is renewed first if the cell may have changed.
    #[inline(always)]
    pub fn load(&mut self) -> &T {
        // Acquire: if another value is at this address by now, it was put there after a grace period had begun.
        // The load of the number of grace periods below must not miss that one.
        let address = self.cell.current.load(Ordering::Acquire).addr();
        let grace_periods = self.cell.domain().grace_periods_begun();
        if (Mark {
            address,
            grace_periods,
        }) != self.mark
        {
            (self.kept, self.mark) = Self::look(&self.cell);
        }
        &self.kept
    }

    #[cold]
    #[inline(never)]
    fn look(cell: &Rcu<T, D>) -> (T, Mark) {
        // Before the section: if a grace period begins after this, the next use finds another number.
        let grace_periods = cell.domain().grace_periods_begun();
        let seen = cell.read();
        let address = core::ptr::from_ref(&*seen).addr();
        (
            T::clone(&seen),
            Mark {
                address,
                grace_periods,
            },
        )
    }

    /// Returns the cell.
    pub fn cell(&self) -> &Rcu<T, D> {
        &self.cell
    }
}

impl<C: Clone, T: Clone> Clone for CloneCache<C, T> {
    fn clone(&self) -> Self {
        CloneCache {
            cell: self.cell.clone(),
            kept: self.kept.clone(),
            mark: self.mark,
        }
    }
}

impl<C, T: fmt::Debug> fmt::Debug for CloneCache<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloneCache").field(&self.kept).finish()
    }
}
