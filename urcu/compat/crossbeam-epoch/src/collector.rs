//! [`Collector`]: a set of guards and their garbage.

use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use urcu::{Budget, Domain};

use crate::guard::Guard;
use crate::local::Local;

/// The domain of [`pin`](crate::pin).
static DEFAULT_DOMAIN: Domain = Domain::named("crossbeam-epoch").with_budget(BUDGET);

/// With this the domain itself never waits. `Local::wait_for_room` decides who waits.
const BUDGET: Budget = Budget::DEFAULT.patience(Duration::ZERO);

/// A set of guards, and the garbage that waits for them: a [`Domain`] of urcu-percpu.
///
/// A guard delays only the garbage of its own collector. Most programs need only the collector of [`pin`](crate::pin),
/// [`default_collector`](crate::default_collector).
///
/// # Dropping
/// When a collector, its clones, its handles and their guards are all dropped, the last of these drops runs all
/// deferred functions that have not run yet.
///
/// ```
/// use crossbeam_epoch::Collector;
///
/// let collector = Collector::new();
/// let handle = collector.register();
/// drop(collector);
/// let guard = handle.pin();
/// drop(handle);
/// guard.defer(|| println!("runs when the guard is dropped, at the latest"));
/// ```
pub struct Collector {
    /// The domain, or `None` for the default collector.
    domain: Option<Arc<Domain>>,
}

impl Collector {
    /// Returns the collector of [`pin`](crate::pin).
    pub(crate) const fn default_one() -> Self {
        Collector { domain: None }
    }

    /// Returns the domain of the default collector.
    #[inline(always)]
    pub(crate) const fn default_domain() -> &'static Domain {
        &DEFAULT_DOMAIN
    }

    /// Returns a new collector.
    ///
    /// ```
    /// use crossbeam_epoch::Collector;
    /// assert_ne!(Collector::new(), Collector::new());
    /// ```
    pub fn new() -> Self {
        let domain = Domain::named("crossbeam-epoch collector").with_budget(BUDGET);
        Collector {
            domain: Some(Arc::new(domain)),
        }
    }

    /// Returns a handle with which a thread makes guards of this collector.
    ///
    /// # Cost
    /// One allocation. Nothing is kept for the thread.
    ///
    /// ```
    /// use crossbeam_epoch::Collector;
    ///
    /// let handle = Collector::new().register();
    /// assert!(!handle.is_pinned());
    /// ```
    pub fn register(&self) -> LocalHandle {
        LocalHandle {
            local: Box::into_raw(Box::new(Local::with_handle(self.clone()))),
            _not_send: PhantomData,
        }
    }

    /// Returns how many grace periods the garbage of this collector has waited for so far.
    ///
    /// The original does not have this (crossbeam#459). Consider a function that was deferred before a call of this,
    /// and whose guards are dropped. When the number has grown by three, the function waits for no guard any more: it
    /// has run, or runs as soon as there is a thread to run it.
    ///
    /// ```
    /// use crossbeam_epoch::Collector;
    /// assert_eq!(Collector::new().grace_periods(), 0);
    /// ```
    pub fn grace_periods(&self) -> u64 {
        self.domain().stats().grace_periods
    }

    /// Returns the domain of this collector, which gives access to its budget, its statistics and its grace periods.
    ///
    /// The original does not have this.
    ///
    /// ```
    /// use crossbeam_epoch::{default_collector, pin};
    ///
    /// pin().defer(|| println!("runs in `barrier` at the latest"));
    /// default_collector().domain().barrier();
    /// ```
    #[inline(always)]
    pub fn domain(&self) -> &Domain {
        match &self.domain {
            Some(domain) => domain,
            None => &DEFAULT_DOMAIN,
        }
    }
}

impl Clone for Collector {
    /// Returns the same collector.
    fn clone(&self) -> Self {
        Collector {
            domain: self.domain.clone(),
        }
    }
}

impl Default for Collector {
    /// Returns a new collector.
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Collector {
    /// Returns whether both are the same collector.
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.domain(), other.domain())
    }
}

impl Eq for Collector {}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Collector { .. }")
    }
}

/// A handle of a [`Collector`], which makes guards on one thread.
///
/// ```
/// use crossbeam_epoch::Collector;
///
/// let handle = Collector::new().register();
/// let guard = handle.pin();
/// assert!(handle.is_pinned());
/// drop(guard);
/// assert!(!handle.is_pinned());
/// ```
pub struct LocalHandle {
    /// The thread's record. It comes from a box, and lives at least until this handle is dropped.
    local: *const Local,
    _not_send: PhantomData<*const ()>,
}

impl LocalHandle {
    fn local(&self) -> &Local {
        // SAFETY: the record lives as long as the handle: see `Local::release_handle`.
        unsafe { &*self.local }
    }

    /// Makes a guard: see [`pin`](crate::pin).
    ///
    /// ```
    /// let handle = crossbeam_epoch::Collector::new().register();
    /// let (guard, nested) = (handle.pin(), handle.pin());
    /// drop(guard);
    /// assert!(handle.is_pinned());
    /// ```
    #[inline]
    #[track_caller]
    pub fn pin(&self) -> Guard {
        // SAFETY: the record lives as long as the handle, which is not `Send`.
        unsafe { Local::pin(self.local) }
    }

    /// Returns whether this handle has a guard.
    ///
    /// ```
    /// assert!(!crossbeam_epoch::Collector::new().register().is_pinned());
    /// ```
    #[inline]
    pub fn is_pinned(&self) -> bool {
        self.local().is_pinned()
    }

    /// Returns the collector.
    ///
    /// ```
    /// let collector = crossbeam_epoch::Collector::new();
    /// assert_eq!(collector.register().collector(), &collector);
    /// ```
    #[inline]
    pub fn collector(&self) -> &Collector {
        self.local().collector()
    }
}

impl Drop for LocalHandle {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the record comes from a box, and this is its only handle, which is being dropped.
        unsafe { Local::release_handle(self.local) };
    }
}

impl fmt::Debug for LocalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("LocalHandle { .. }")
    }
}
