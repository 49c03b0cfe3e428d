//! Replacing what is in a cell if nobody else has.

use core::fmt;

use super::{ByValue, InDomain, Payload, RcuCell};
use crate::sync::Ordering;

impl<P: ByValue, D: InDomain> RcuCell<P, D> {
    /// Publishes `new` if the cell still holds `current`, and returns a reference to it as it is published.
    /// The old value is dropped after a grace period.
    ///
    /// Compares addresses, not values: a value that is merely equal does not count. While you hold a
    /// reference, its value is not freed, so no other one can be at that address. (Zero-sized values
    /// in a `Box` have no address of their own, and all count as the same one.)
    ///
    /// Returns at once, unless the domain's [`Budget`](crate::Budget) is exceeded.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on the calling
    /// thread.
    ///
    /// # Errors
    /// Returns the value found and `new` if the cell holds another value than `current`.
    ///
    /// # Panics
    /// Panics if the guard is one of another domain.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// let cell = urcu::Rcu::new(1);
    /// let guard = urcu::read_lock();
    /// let seen = cell.load(&guard);
    /// let published = cell.compare_exchange(seen, seen + 1, &guard).unwrap();
    /// assert_eq!(*published, 2);
    /// // `seen` is not the current value any more.
    /// let error = cell.compare_exchange(seen, 5, &guard).unwrap_err();
    /// assert_eq!((*error.current, error.new), (2, 5));
    /// ```
    #[track_caller]
    pub fn compare_exchange<'g>(
        &'g self,
        current: P::View<'_>,
        new: P::Value,
        guard: &'g D::Guard<'_>,
    ) -> Result<P::View<'g>, CompareExchangeError<'g, P, P::Value>>
    where
        P: Send + 'static,
    {
        let exchanged = self.compare_exchange_boxed(current, P::own(new), guard);
        exchanged.map_err(|error| CompareExchangeError {
            current: error.current,
            new: P::disown(error.new),
        })
    }
}

impl<P: Payload, D: InDomain> RcuCell<P, D> {
    /// Does what [`compare_exchange`](Self::compare_exchange) does, with a value that is already in a `Box`
    /// (or an `Arc`, or an `Option` of one). An error returns the box, so a loop allocates only once.
    ///
    /// # Errors
    /// Returns the value found and `new` if the cell holds another value than `current`.
    ///
    /// # Panics
    /// Panics if the guard is one of another domain.
    ///
    /// ```
    /// let total = urcu::Rcu::new(1_u64);
    /// let guard = urcu::read_lock();
    /// let mut new = Box::new(0);
    /// let mut seen = total.load(&guard);
    /// let published = loop {
    ///     *new = seen + 1;
    ///     match total.compare_exchange_boxed(seen, new, &guard) {
    ///         Ok(published) => break published,
    ///         Err(error) => (seen, new) = (error.current, error.new),
    ///     }
    /// };
    /// assert_eq!(*published, 2);
    /// ```
    #[track_caller]
    pub fn compare_exchange_boxed<'g>(
        &'g self,
        current: P::View<'_>,
        new: P,
        guard: &'g D::Guard<'_>,
    ) -> Result<P::View<'g>, CompareExchangeError<'g, P>>
    where
        P: Send + 'static,
    {
        self.check(guard);
        // SAFETY: null or from `into_raw`; what is found is kept by the guard's section. Acquire: as in `load`.
        let current = unsafe { P::raw_of(current, || self.current.load(Ordering::Acquire)) };
        let new = P::into_raw(new);
        match self.exchange(current, new) {
            Ok(old) => {
                self.retire(old);
                // SAFETY: published inside the section of the guard, which the check has shown to be of this
                // cell's domain: whatever grace period it is freed after waits for that section.
                Ok(unsafe { P::view(new) })
            }
            Err(found) => Err(CompareExchangeError {
                // SAFETY: the check has shown the guard to be one of this cell's domain, so its section
                // keeps what it loads here.
                current: unsafe { P::view(found) },
                // SAFETY: from `P::into_raw`, and never published.
                new: unsafe { P::from_raw(new) },
            }),
        }
    }
}

/// The error of [`RcuCell::compare_exchange`]: the cell held another value than expected.
pub struct CompareExchangeError<'g, P: Payload + 'g, N = P> {
    /// The value that the cell held.
    pub current: P::View<'g>,
    /// The value that was not published.
    pub new: N,
}

impl<P: Payload, N> fmt::Debug for CompareExchangeError<'_, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompareExchangeError")
            .finish_non_exhaustive()
    }
}

impl<P: Payload, N> fmt::Display for CompareExchangeError<'_, P, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cell holds another value than expected")
    }
}

impl<P: Payload, N> core::error::Error for CompareExchangeError<'_, P, N> {}
