//! The methods that replace a cell's value.

use core::convert::Infallible;

use super::payload::{Payload, Retired};
use super::{InDomain, RcuCell, Unlinked};
use crate::domain::ReadGuard;
use crate::sync::Ordering;

impl<P: Payload, D: InDomain> RcuCell<P, D> {
    /// Publishes a value that is already in a `Box` (or an `Arc`, or an `Option` of one), without another
    /// allocation. Otherwise the same as [`store`](Self::store).
    ///
    /// ```
    /// let cell = urcu::Rcu::new([0; 1000]);
    /// let mut next = Box::new([1; 1000]);
    /// next[0] = 2;
    /// cell.store_boxed(next);
    /// assert_eq!(cell.read()[0], 2);
    /// ```
    pub fn store_boxed(&self, value: P)
    where
        P: Send + 'static,
    {
        let old = self.publish(value);
        self.retire(old);
    }

    /// Publishes a value that is already in a `Box` (or an `Arc`, or an `Option` of one), waits for a grace period,
    /// and returns the old one, as [`replace`](Self::replace) does.
    ///
    /// ```
    /// let name = urcu::Rcu::<str>::new_boxed("a".into());
    /// assert_eq!(&*name.replace_boxed("b".into()), "a");
    /// ```
    #[track_caller]
    pub fn replace_boxed(&self, value: P) -> P {
        let old = self.publish(value);
        if !old.is_null() {
            self.domain().synchronize();
        }
        // SAFETY: from `P::into_raw`; we have replaced the value, and every section that could have seen it has
        // ended.
        unsafe { P::from_raw(old) }
    }

    /// Does what [`replace_boxed`](Self::replace_boxed) does, without blocking the thread, as
    /// [`replace_async`](Self::replace_async).
    pub async fn replace_boxed_async(&self, value: P) -> P
    where
        P: Send + 'static,
        D: Clone,
    {
        self.unlink_boxed(value).wait_boxed_async().await
    }

    /// Publishes a value that is already in a `Box` (or an `Arc`, or an `Option` of one) and returns the old one, as
    /// [`unlink`](Self::unlink) does.
    ///
    /// ```
    /// let name = urcu::Rcu::<str>::new_boxed("a".into());
    /// let old = name.unlink_boxed("b".into());
    /// assert_eq!((&*old, &*name.read()), ("a", "b"));
    /// ```
    pub fn unlink_boxed(&self, value: P) -> Unlinked<P, D>
    where
        P: Send + 'static,
        D: Clone,
    {
        self.unlinked(self.publish(value))
    }

    /// Wraps the value that this cell has just given up.
    fn unlinked(&self, old: *mut ()) -> Unlinked<P, D>
    where
        P: Send + 'static,
        D: Clone,
    {
        // SAFETY: from `P::into_raw`, and replaced by us, so no section that begins later finds it. Only sections of
        // this cell's domain have found it.
        unsafe { Unlinked::new(old, self.domain.clone()) }
    }

    /// Publishes the `Box` (or the `Arc`, or the `Option` of one) that `f` makes of the current value, as
    /// [`update`](Self::update) does.
    ///
    /// ```
    /// let numbers = urcu::Rcu::<[i32]>::new_boxed(Box::new([1]));
    /// numbers.update_boxed(|old| old.iter().copied().chain([2]).collect());
    /// assert_eq!(*numbers.read(), [1, 2]);
    /// ```
    pub fn update_boxed(&self, mut f: impl FnMut(P::View<'_>) -> P)
    where
        P: Send + 'static,
    {
        let Ok(()) = self.try_update_boxed(|current| Ok::<_, Infallible>(f(current)));
    }

    /// Does what [`update_boxed`](Self::update_boxed) does, unless `f` returns an error.
    ///
    /// # Errors
    /// Returns the error of `f`; the cell is unchanged.
    pub fn try_update_boxed<E>(
        &self,
        mut f: impl FnMut(P::View<'_>) -> Result<P, E>,
    ) -> Result<(), E>
    where
        P: Send + 'static,
    {
        self.retire(self.exchange_by(&mut f)?);
        Ok(())
    }

    /// Publishes the `Box` (or the `Arc`, or the `Option` of one) that `f` makes of the current value, and returns
    /// the old value, as [`fetch_update`](Self::fetch_update) does.
    pub fn fetch_update_boxed(&self, mut f: impl FnMut(P::View<'_>) -> P) -> Unlinked<P, D>
    where
        P: Send + 'static,
        D: Clone,
    {
        let Ok(old) = self.try_fetch_update_boxed(|current| Ok::<_, Infallible>(f(current)));
        old
    }

    /// Does what [`fetch_update_boxed`](Self::fetch_update_boxed) does, unless `f` returns an error.
    ///
    /// # Errors
    /// Returns the error of `f`; the cell is unchanged.
    pub fn try_fetch_update_boxed<E>(
        &self,
        mut f: impl FnMut(P::View<'_>) -> Result<P, E>,
    ) -> Result<Unlinked<P, D>, E>
    where
        P: Send + 'static,
        D: Clone,
    {
        Ok(self.unlinked(self.exchange_by(&mut f)?))
    }

    /// Publishes what `f` makes of the current value, and returns the old pointer.
    fn exchange_by<E>(
        &self,
        f: &mut impl FnMut(P::View<'_>) -> Result<P, E>,
    ) -> Result<*mut (), E> {
        loop {
            // The guard also keeps the old value from being freed, so its address is not used again and the
            // exchange cannot mistake another value for it.
            let guard = ReadGuard::begin(self.domain.state());
            let seen = self.current.load(Ordering::Acquire);
            // SAFETY: loaded in the guard's section, which belongs to this cell's domain and keeps the value alive.
            let new = P::into_raw(f(unsafe { P::view(seen) })?);
            let exchanged = self.exchange(seen, new);
            drop(guard);
            match exchanged {
                Ok(old) => return Ok(old),
                // SAFETY: from `P::into_raw`, and never published.
                Err(_) => drop(unsafe { P::from_raw(new) }),
            }
        }
    }

    /// Publishes a value and returns the old pointer. Release: readers that find the new value see its content.
    /// Acquire: whoever gets the old value sees everything that was done to it.
    pub(super) fn publish(&self, value: P) -> *mut () {
        self.current.swap(P::into_raw(value), Ordering::AcqRel)
    }

    /// Publishes `new` if the cell holds `seen`, and returns `seen`; otherwise returns the pointer that it holds.
    /// The orderings are those of `publish`, and on failure that of `load`.
    pub(super) fn exchange(&self, seen: *mut (), new: *mut ()) -> Result<*mut (), *mut ()> {
        self.current
            .compare_exchange(seen, new, Ordering::AcqRel, Ordering::Acquire)
    }

    pub(super) fn retire(&self, old: *mut ())
    where
        P: Send + 'static,
    {
        if old.is_null() {
            return;
        }
        // SAFETY: we have replaced it; the domain runs the callback after a grace period.
        let callback = unsafe { Retired::<P>::new(old).callback() };
        self.domain().enqueue(callback, true);
    }
}
