//! The methods that replace a cell's value by one that is passed by value.

use super::payload::ByValue;
use super::{InDomain, RcuCell, Unlinked};

impl<P: ByValue, D: InDomain> RcuCell<P, D> {
    /// Publishes `value`. The old value is dropped after a grace period.
    ///
    /// Returns at once, unless the domain's [`Budget`](crate::Budget) is exceeded. May be called inside a
    /// read-side section.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on the calling
    /// thread.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn store(&self, value: P::Value)
    where
        P: Send + 'static,
    {
        self.store_boxed(P::own(value));
    }

    /// Publishes `value`, waits for a grace period, and returns the old value.
    ///
    /// A call inside a read-side section of the same domain waits for ever, which is
    /// [reported](crate::stall). If there was no old value (`None`), it does not wait.
    ///
    /// # Panics
    /// Panics where [`Domain::synchronize`](crate::Domain::synchronize) does. By then the new value is
    /// published, and the old one leaks.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// let names = urcu::Rcu::new(vec!["a"]);
    /// let mut old: Vec<&str> = names.replace(vec!["b"]);
    /// old.push("nobody else sees it");
    /// ```
    #[track_caller]
    pub fn replace(&self, value: P::Value) -> P::Value {
        P::disown(self.replace_boxed(P::own(value)))
    }

    /// Publishes `value`, waits for a grace period without blocking the thread, and returns the old value.
    ///
    /// If the future is dropped after it was polled and before it is ready, the new value is published and the
    /// old one is retired. Do not await the future while you hold a guard of the same domain: it would wait for
    /// ever.
    ///
    /// ```
    /// # struct Noop;
    /// # impl std::task::Wake for Noop { fn wake(self: std::sync::Arc<Self>) {} }
    /// # fn block_on(future: impl Future) {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let waker = std::sync::Arc::new(Noop).into();
    /// #     let mut context = std::task::Context::from_waker(&waker);
    /// #     while future.as_mut().poll(&mut context).is_pending() { std::thread::yield_now() }
    /// # }
    /// # block_on(async {
    /// let names = urcu::Rcu::new(vec!["a"]);
    /// assert_eq!(names.replace_async(vec!["b"]).await, ["a"]);
    /// # });
    /// ```
    pub async fn replace_async(&self, value: P::Value) -> P::Value
    where
        P: Send + 'static,
        D: Clone,
    {
        self.unlink(value).wait_async().await
    }

    /// Publishes `value` and returns the old value, which readers may still see. The caller may look at the old
    /// value, wait for its readers, retire it, or keep it: see [`Unlinked`].
    ///
    /// ```
    /// let cell = urcu::Rcu::new(1);
    /// let old = cell.unlink(2);
    /// assert_eq!((*old, cell.snapshot()), (1, 2));
    /// old.retire();
    /// ```
    pub fn unlink(&self, value: P::Value) -> Unlinked<P, D>
    where
        P: Send + 'static,
        D: Clone,
    {
        self.unlink_boxed(P::own(value))
    }

    /// Publishes the default value, waits for a grace period, and returns the old value. In a cell of an
    /// `Option` the default value is `None`.
    ///
    /// # Panics
    /// Panics where [`replace`](Self::replace) does.
    ///
    /// ```
    /// let log = urcu::Rcu::new(vec!["a"]);
    /// assert_eq!(log.take(), ["a"]);
    /// assert!(log.read().is_empty());
    /// ```
    #[track_caller]
    pub fn take(&self) -> P::Value
    where
        P::Value: Default,
    {
        self.replace(P::Value::default())
    }

    /// Publishes `f(current)`. The old value is dropped after a grace period.
    ///
    /// If another thread replaces the value meanwhile, `f` runs again on the new value. So concurrent updates
    /// are never lost, and `f` may run more than once. `f` runs inside a read-side section.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on the calling
    /// thread.
    ///
    /// ```
    /// let list = urcu::Rcu::new(vec![1]);
    /// list.update(|old| old.iter().copied().chain([2]).collect());
    /// assert_eq!(*list.read(), [1, 2]);
    /// ```
    pub fn update(&self, mut f: impl FnMut(P::View<'_>) -> P::Value)
    where
        P: Send + 'static,
    {
        self.update_boxed(|current| P::own(f(current)));
    }

    /// Publishes `f(current)`, as [`update`](Self::update) does, unless `f` returns an error.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on the calling
    /// thread.
    ///
    /// # Errors
    /// Returns the error of `f`; the cell is unchanged.
    ///
    /// ```
    /// let places = urcu::Rcu::new(1_u32);
    /// let take = |left: &u32| left.checked_sub(1).ok_or("sold out");
    /// assert_eq!(places.try_update(take), Ok(()));
    /// assert_eq!(places.try_update(take), Err("sold out"));
    /// ```
    pub fn try_update<E>(
        &self,
        mut f: impl FnMut(P::View<'_>) -> Result<P::Value, E>,
    ) -> Result<(), E>
    where
        P: Send + 'static,
    {
        self.try_update_boxed(|current| f(current).map(P::own))
    }

    /// Publishes `f(current)`, as [`update`](Self::update) does, and returns the old value, which readers may
    /// still see: see [`Unlinked`].
    ///
    /// ```
    /// let list = urcu::Rcu::new(vec![1]);
    /// let old = list.fetch_update(|old| [old.as_slice(), &[2]].concat());
    /// assert_eq!((old.len(), list.read().len()), (1, 2));
    /// ```
    pub fn fetch_update(&self, mut f: impl FnMut(P::View<'_>) -> P::Value) -> Unlinked<P, D>
    where
        P: Send + 'static,
        D: Clone,
    {
        self.fetch_update_boxed(|current| P::own(f(current)))
    }

    /// Publishes `f(current)`, as [`fetch_update`](Self::fetch_update) does, unless `f` returns an error.
    ///
    /// # Errors
    /// Returns the error of `f`; the cell is unchanged.
    pub fn try_fetch_update<E>(
        &self,
        mut f: impl FnMut(P::View<'_>) -> Result<P::Value, E>,
    ) -> Result<Unlinked<P, D>, E>
    where
        P: Send + 'static,
        D: Clone,
    {
        self.try_fetch_update_boxed(|current| f(current).map(P::own))
    }
}
