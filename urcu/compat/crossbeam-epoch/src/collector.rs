//! Garbage, and who has a share in it.

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

/// This face decides itself who waits: see `Local::wait_for_room`.
const BUDGET: Budget = Budget::DEFAULT.patience(Duration::ZERO);

/// A set of guards, and the garbage that waits for them: a [`Domain`] of urcu-percpu.
///
/// A guard keeps only the garbage of its own collector. Most programs need none but the one of
/// [`pin`](crate::pin), [`default_collector`](crate::default_collector).
///
/// # Dropping
/// When a collector, its clones, its handles and their guards are all dropped, whatever was deferred and
/// has not run runs in the last of these drops.
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
    /// `None`: the default one.
    domain: Option<Arc<Domain>>,
}

impl Collector {
    /// Returns the collector of [`pin`](crate::pin).
    pub(crate) const fn default_one() -> Self {
        Collector { domain: None }
    }

    /// Its domain.
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
    /// One allocation. Nothing is kept of the thread.
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
    /// Not in the original (crossbeam#459). What was deferred before and whose guards are dropped waits for
    /// no guard any more when this has grown by three: it has run, or will as soon as a thread is there for
    /// it.
    ///
    /// ```
    /// use crossbeam_epoch::Collector;
    /// assert_eq!(Collector::new().grace_periods(), 0);
    /// ```
    pub fn grace_periods(&self) -> u64 {
        self.domain().stats().grace_periods
    }

    /// Returns the domain behind this, for its budget, its statistics and its grace periods.
    ///
    /// Not in the original.
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
    /// Returns whether these are the same collector.
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

/// A share in a [`Collector`]: what makes guards on one thread.
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
    /// From a box, and there until this is dropped at least.
    local: *const Local,
    _not_send: PhantomData<*const ()>,
}

impl LocalHandle {
    fn local(&self) -> &Local {
        // SAFETY: there as long as the handle, see `Local::release_handle`.
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
        // SAFETY: there as long as the handle, which is not `Send`.
        unsafe { Local::pin(self.local) }
    }

    /// Returns whether a guard of this handle is there.
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
        // SAFETY: the only handle of a boxed one, which goes.
        unsafe { Local::release_handle(self.local) };
    }
}

impl fmt::Debug for LocalHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("LocalHandle { .. }")
    }
}
