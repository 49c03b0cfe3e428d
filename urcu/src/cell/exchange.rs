//! Replacing a cell's value only if nobody else has replaced it.

use core::fmt;

use super::{ByValue, InDomain, Payload, RcuCell};
use crate::sync::Ordering;

impl<P: ByValue, D: InDomain> RcuCell<P, D> {
    /// Publishes `new` if the cell still holds `current`, and returns a reference to the published value. The
    /// old value is dropped after a grace period.
    ///
    /// Compares addresses, not values: an equal value at another address does not match. While you hold a
    /// reference to a value, it is not freed, so no other value can be at that address. (Zero-sized values in a
    /// `Box` have no addresses of their own, and all count as the same value.)
    ///
    /// Returns at once, unless the domain's [`Budget`](crate::Budget) is exceeded.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on the calling
    /// thread.
    ///
    /// # Errors
    /// Returns the cell's value and `new` if the cell does not hold `current`.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
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
    /// (or an `Arc`, or an `Option` of one). The error gives the box back, so a loop allocates only once.
    ///
    /// # Errors
    /// Returns the cell's value and `new` if the cell does not hold `current`.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
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
        // SAFETY: the word is null or from `into_raw`, and the guard's section keeps its target alive. Acquire:
        // as in `load`.
        let current = unsafe { P::raw_of(current, || self.current.load(Ordering::Acquire)) };
        let new = P::into_raw(new);
        match self.exchange(current, new) {
            Ok(old) => {
                self.retire(old);
                // SAFETY: the value was published inside the guard's section, which belongs to this cell's domain
                // (checked above). The grace period after which it is freed waits for that section.
                Ok(unsafe { P::view(new) })
            }
            Err(found) => Err(CompareExchangeError {
                // SAFETY: the guard belongs to this cell's domain (checked above), so its section keeps alive
                // what is loaded here.
                current: unsafe { P::view(found) },
                // SAFETY: from `P::into_raw`, and never published.
                new: unsafe { P::from_raw(new) },
            }),
        }
    }
}

/// The error of [`RcuCell::compare_exchange`]: the cell did not hold the expected value.
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
