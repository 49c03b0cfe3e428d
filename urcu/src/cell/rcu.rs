//! [`Rcu`]: an owning pointer that readers follow and updaters replace.

use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use std::sync::Arc;

use super::in_domain::{Global, InDomain};
use super::payload::{OwningPtr, Payload, RefCounted, Retired};
use super::unlinked::Unlinked;
use crate::domain::{Domain, ReadGuard};
use crate::sync::{self, AtomicPtr, Ordering};

/// A value that readers see without locks while updaters replace it.
///
/// `Rcu<T>` belongs to the [`global`](crate::global) domain, `Rcu<T, &Domain>` to another one (see
/// [`RcuCell::new_in`]). [`RcuCell`] documents the methods.
///
/// ```
/// let limit = urcu::Rcu::new(10);
/// assert_eq!(limit.snapshot(), 10);
/// limit.update(|old| old + 1);
/// assert_eq!(*limit.read(), 11);
/// ```
pub type Rcu<T, D = Global> = RcuCell<Box<T>, D>;

/// An [`Rcu`] whose value may be missing. An empty one needs no heap memory and can be in a `static`.
///
/// ```
/// use urcu::RcuOption;
///
/// static PLUGIN: RcuOption<String> = RcuOption::empty();
///
/// assert!(PLUGIN.read().is_none());
/// PLUGIN.store(Some(String::from("a")));
/// assert_eq!(PLUGIN.load(&urcu::read_lock()).map(String::len), Some(1));
/// assert_eq!(PLUGIN.take().as_deref(), Some("a"));
/// ```
pub type RcuOption<T, D = Global> = RcuCell<Option<Box<T>>, D>;

/// An [`Arc`] that readers follow without touching its reference count, unless they want to keep it
/// (see [`RcuCell::load_full`]).
///
/// ```
/// use std::sync::Arc;
/// use urcu::RcuArc;
///
/// let cell = RcuArc::new(Arc::new(1));
/// assert_eq!(*cell.read(), 1);
/// let kept: Arc<i32> = cell.load_full();
/// let old: Arc<i32> = cell.swap(Arc::new(2));
/// assert!(Arc::ptr_eq(&kept, &old));
/// ```
pub type RcuArc<T, D = Global> = RcuCell<Arc<T>, D>;

/// An [`RcuArc`] whose `Arc` may be missing.
///
/// ```
/// use std::sync::Arc;
/// use urcu::RcuArcOption;
///
/// static LATEST: RcuArcOption<u32> = RcuArcOption::empty();
///
/// assert_eq!(LATEST.load_full(), None);
/// LATEST.store(Some(Arc::new(1)));
/// assert_eq!(LATEST.load_full(), Some(Arc::new(1)));
/// ```
pub type RcuArcOption<T, D = Global> = RcuCell<Option<Arc<T>>, D>;

/// An owning pointer `P` that readers follow without locks while updaters replace it.
///
/// A cell is one word besides its domain, and readers reach the value with one load. Use it by
/// one of its five names:
///
/// | | `P` | a [`Value`](Payload::Value) | a [`View`](Payload::View) | a [`Ref`](Payload::Ref) |
/// |---|---|---|---|---|
/// | [`Rcu<T>`] | `Box<T>` | `T` | `&T` | [`Ref<T>`](crate::Ref) |
/// | [`RcuOption<T>`] | `Option<Box<T>>` | `Option<T>` | `Option<&T>` | `Option<Ref<T>>` |
/// | [`RcuArc<T>`] | `Arc<T>` | `Arc<T>` | `&T` | `Ref<T>` |
/// | [`RcuArcOption<T>`] | `Option<Arc<T>>` | `Option<Arc<T>>` | `Option<&T>` | `Option<Ref<T>>` |
/// | [`RcuBox<T>`](crate::RcuBox) | [`Thin<T>`](crate::Thin) | `Box<T>` | `&Box<T>` | `Ref<T>` |
///
/// `T` must be `Sized`, because the word has room for an address only, but in an
/// [`RcuBox`](crate::RcuBox).
///
/// # Who drops old values
/// [`store`](Self::store), [`update`](Self::update), [`try_update`](Self::try_update),
/// [`compare_exchange`](Self::compare_exchange) and [`swap`](Self::swap) *retire* the old value: it is
/// dropped after a grace period, by a background thread, by a thread inside
/// [`barrier`](crate::Domain::barrier), or by a thread that retires another value of the same domain
/// later. Therefore:
///
/// * the value must be `Send + 'static`;
/// * do not call these methods with a lock held that a destructor of a retired value takes, or that a
///   waker takes: they may also end a grace period and wake the tasks that await it;
/// * such a destructor must not wait for a grace period, because the thread that runs it may be inside a
///   read-side section.
///
/// In a domain whose [`Runner`](crate::Runner) is not `Shared` these methods drop nothing: the runner
/// drops the values.
///
/// [`replace`](Self::replace) and [`take`](Self::take) hand the old value back, so none of this applies to
/// them. A cell that is dropped drops its value at once, because nobody can be reading it.
///
/// # Features
/// With the feature `serde` a cell is serialized as its value, and a cell of the global domain can be
/// deserialized.
pub struct RcuCell<P: Payload, D: InDomain = Global> {
    /// From `P::into_raw`, and ours.
    pub(super) current: AtomicPtr<P::Target>,
    pub(super) domain: D,
    owns: PhantomData<P>,
}

// SAFETY: it owns a `P`, which goes along. `AtomicPtr` would be `Send` for any `P`.
unsafe impl<P: Payload + Send, D: InDomain + Send> Send for RcuCell<P, D> {}
// SAFETY: a shared cell shows its value to several threads (`Sync`: a `Box` or an `Arc` is only if
// the value is), and gives its `P` to any of them (`replace`: `Send`).
unsafe impl<P: Payload + Send + Sync, D: InDomain + Sync> Sync for RcuCell<P, D> {}

impl<P: Payload> RcuCell<P> {
    /// Creates a cell of the [`global`](crate::global) domain.
    pub fn new(value: P::Value) -> Self {
        RcuCell::new_in(value, Global)
    }
}

impl<P: OwningPtr> RcuCell<Option<P>> {
    sync::const_fn! {
        /// Creates a cell of the [`global`](crate::global) domain without a value.
        pub fn empty() -> Self {
            RcuCell::empty_in(Global)
        }
    }
}

impl<P: OwningPtr, D: InDomain> RcuCell<Option<P>, D> {
    sync::const_fn! {
        /// Creates a cell without a value in the given domain.
        ///
        /// ```
        /// use urcu::{Domain, RcuOption};
        ///
        /// static JOBS: Domain = Domain::named("jobs");
        /// static NEXT: RcuOption<String, &Domain> = RcuOption::empty_in(&JOBS);
        /// # assert!(NEXT.read().is_none());
        /// ```
        pub fn empty_in(domain: D) -> Self {
            RcuCell {
                // What `None` is.
                current: AtomicPtr::new(ptr::null_mut()),
                domain,
                owns: PhantomData,
            }
        }
    }
}

impl<P: Payload, D: InDomain> RcuCell<P, D> {
    /// Creates a cell in the given domain.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let cell = urcu::Rcu::new_in(5, &domain);
    /// let guard = domain.read_lock();
    /// assert_eq!(*cell.load(&guard), 5);
    /// ```
    pub fn new_in(value: P::Value, domain: D) -> Self {
        RcuCell::from_owned_in(P::own(value), domain)
    }

    /// Creates a cell in the given domain from the pointer that the cell will own.
    pub(super) fn from_owned_in(owned: P, domain: D) -> Self {
        RcuCell {
            current: AtomicPtr::new(P::into_raw(owned)),
            domain,
            owns: PhantomData,
        }
    }

    /// Returns the domain of this cell.
    pub fn domain(&self) -> &Domain {
        self.domain.domain()
    }

    /// Begins a read-side section of this cell's domain, with which its value can be
    /// [loaded](Self::load).
    #[inline(always)]
    #[track_caller]
    pub fn read_lock(&self) -> D::Guard<'_> {
        self.domain.begin()
    }

    /// Returns the current value, valid as long as the guard lives.
    ///
    /// Several loads under one guard may return different values.
    ///
    /// # Panics
    /// Panics if the guard is one of another domain; with debug assertions also if it was taken before
    /// a `fork` and is used in the child.
    ///
    /// # Cost
    /// One load.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    ///
    /// ```
    /// use urcu::{Rcu, RcuOption};
    ///
    /// let (width, note) = (Rcu::new(80), RcuOption::new(Some("a")));
    /// let guard = urcu::read_lock();
    /// assert_eq!((width.load(&guard), note.load(&guard)), (&80, Some(&"a")));
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn load<'g>(&'g self, guard: &'g D::Guard<'_>) -> P::View<'g> {
        self.check(guard);
        // SAFETY: the value is freed only a grace period of this domain after it was replaced, or
        // when the cell is dropped. The guard's section is open and `&self` is borrowed as long as
        // the result lives. Acquire: pairs with the release of whoever published the value.
        unsafe { P::view(self.current.load(Ordering::Acquire)) }
    }

    #[inline(always)]
    #[track_caller]
    fn check(&self, guard: &D::Guard<'_>) {
        if !self.domain.owns(guard) {
            self.wrong_guard(guard);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wrong_guard(&self, guard: &D::Guard<'_>) -> ! {
        panic!(
            "a cell of {} was used with a guard of {}; take the guard from \
             `cell.read_lock()`",
            self.domain(),
            guard.as_ref().domain()
        );
    }

    /// Returns the current value together with a guard of its own.
    ///
    /// # Cost
    /// That of [`Domain::read_lock`], and one load.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    ///
    /// ```
    /// let name = urcu::Rcu::new(String::from("old"));
    /// let seen = name.read();
    /// name.store(String::from("new"));
    /// assert_eq!(*seen, "old");
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn read(&self) -> P::Ref<'_> {
        let guard = ReadGuard::begin(self.domain.state());
        // SAFETY: just begun.
        unsafe { self.guarded(guard) }
    }

    /// # Safety
    /// The guard is one of this cell's domain.
    #[inline(always)]
    unsafe fn guarded<'g>(&'g self, guard: ReadGuard<'g>) -> P::Ref<'g> {
        // SAFETY: as in `load`; the section stays open as long as the guard does.
        unsafe { P::guarded(self.current.load(Ordering::Acquire), guard) }
    }

    /// Returns the current value together with `guard`, a guard that the caller already has. So one section
    /// serves several cells, one after the other.
    ///
    /// # Panics
    /// Panics if the guard is one of another domain.
    ///
    /// ```
    /// use urcu::{Rcu, Ref};
    ///
    /// let (one, two) = (Rcu::new(1), Rcu::new("two"));
    /// let seen = one.read();
    /// let other = two.read_with(Ref::into_guard(seen));
    /// assert_eq!(*other, "two");
    /// ```
    #[inline(always)]
    #[track_caller]
    pub fn read_with<'g>(&'g self, guard: ReadGuard<'g>) -> P::Ref<'g> {
        self.domain().check(&guard);
        // SAFETY: just checked.
        unsafe { self.guarded(guard) }
    }

    /// Publishes `value`. The old value is dropped after a grace period.
    ///
    /// Returns at once, unless the domain's [`Budget`](crate::Budget) is exceeded, and may be called
    /// inside a read-side section.
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

    /// Publishes `value`, waits for a grace period, and returns the old value.
    ///
    /// A call inside a read-side section of the same domain waits for ever, which is
    /// [reported](crate::stall). If there was no old value (`None`), it does not wait.
    ///
    /// # Panics
    /// Panics where [`Domain::synchronize`] does. By then the new value is published, and the old one
    /// leaks.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// let names = urcu::Rcu::new(vec!["a"]);
    /// let mut old: Vec<&str> = names.replace(vec!["b"]);
    /// old.push("nobody else has it");
    /// ```
    #[track_caller]
    pub fn replace(&self, value: P::Value) -> P::Value {
        let old = self.publish(P::own(value));
        if !old.is_null() {
            self.domain().synchronize();
        }
        // SAFETY: from `P::into_raw`; unpublished by us, and no section that could have seen it is
        // open any more.
        P::disown(unsafe { P::from_raw(old) })
    }

    /// Publishes `value`, waits for a grace period without blocking the thread, and returns the old value.
    ///
    /// If the future is dropped before it is ready, the new value is published (unless it was never polled)
    /// and the old one is retired. Do not await it while you hold a guard of the same domain: it would wait
    /// for ever.
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

    /// Publishes `value` and returns the old value, which readers may still see. The caller may look at it,
    /// wait for its readers, retire it, or keep it: see [`Unlinked`].
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
        self.unlinked(self.publish(P::own(value)))
    }

    /// What this cell has just given up.
    fn unlinked(&self, old: *mut P::Target) -> Unlinked<P, D>
    where
        P: Send + 'static,
        D: Clone,
    {
        // SAFETY: from `P::into_raw`, and replaced by us: no section that begins later finds it, and
        // sections of this cell's domain alone have.
        unsafe { Unlinked::new(old, self.domain.clone()) }
    }

    /// Publishes the default value, waits for a grace period, and returns the old value. From a cell of an
    /// `Option` it takes the value and leaves `None`.
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
    ) -> Result<P::View<'g>, CompareExchangeError<'g, P>>
    where
        P: Send + 'static,
    {
        let exchanged = self.compare_exchange_boxed(current, P::own(new), guard);
        exchanged.map_err(|error| CompareExchangeError {
            current: error.current,
            new: P::disown(error.new),
        })
    }

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
    ) -> Result<P::View<'g>, CompareExchangeError<'g, P, P>>
    where
        P: Send + 'static,
    {
        self.check(guard);
        let new = P::into_raw(new);
        match self.exchange(P::address(current), new) {
            Ok(old) => {
                self.retire(old);
                // SAFETY: as in `load`: published inside the guard's section, so that whatever grace
                // period it is freed after waits for that.
                Ok(unsafe { P::view(new) })
            }
            Err(found) => Err(CompareExchangeError {
                // SAFETY: as in `load`.
                current: unsafe { P::view(found) },
                // SAFETY: from `P::into_raw`, and never published.
                new: unsafe { P::from_raw(new) },
            }),
        }
    }

    /// Publishes `f(current)`. The old value is dropped after a grace period.
    ///
    /// If another update comes between, `f` runs again on the new value. So concurrent updates are never
    /// lost, and `f` may run more than once. `f` runs inside a read-side section.
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
        let Ok(()) = self.try_update(|current| Ok::<_, Infallible>(f(current)));
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
        self.retire(self.exchange_by(&mut f)?);
        Ok(())
    }

    /// Publishes `f(current)`, as [`update`](Self::update) does, and returns the value that it replaced,
    /// which readers may still see: see [`Unlinked`].
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
        let Ok(old) = self.try_fetch_update(|current| Ok::<_, Infallible>(f(current)));
        old
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
        Ok(self.unlinked(self.exchange_by(&mut f)?))
    }

    /// Publishes what `f` makes of the value that is there, and returns what that replaced.
    fn exchange_by<E>(
        &self,
        f: &mut impl FnMut(P::View<'_>) -> Result<P::Value, E>,
    ) -> Result<*mut P::Target, E> {
        loop {
            // The guard also keeps the old value from being freed and its address from being used
            // again, so that the exchange cannot mistake another value for it.
            let guard = ReadGuard::begin(self.domain.state());
            let seen = self.current.load(Ordering::Acquire);
            // SAFETY: as in `load`.
            let new = P::into_raw(P::own(f(unsafe { P::view(seen) })?));
            let exchanged = self.exchange(seen, new);
            drop(guard);
            match exchanged {
                Ok(old) => return Ok(old),
                // SAFETY: from `P::into_raw`, and never published.
                Err(_) => drop(unsafe { P::from_raw(new) }),
            }
        }
    }

    /// Consumes the cell and returns its value. Does not wait, because nobody can be reading.
    ///
    /// ```
    /// assert_eq!(urcu::Rcu::new(String::from("a")).into_inner(), "a");
    /// ```
    pub fn into_inner(self) -> P::Value {
        let this = ManuallyDrop::new(self);
        // SAFETY: as in `drop`, which does not run; the domain is not used again, and is dropped after the
        // value is out.
        unsafe {
            let _domain = ptr::read(&raw const this.domain);
            P::disown(P::from_raw(this.current.load(Ordering::Relaxed)))
        }
    }

    /// Publishes a value and returns the old pointer. AcqRel: readers that see the new value see
    /// it whole, and whoever gets the old value sees all that was done to it.
    fn publish(&self, value: P) -> *mut P::Target {
        self.current.swap(P::into_raw(value), Ordering::AcqRel)
    }

    /// Publishes `new` in place of `seen`, and returns that; else what is there. Orderings as in
    /// `publish` and, for what is there, `load`.
    fn exchange(
        &self,
        seen: *mut P::Target,
        new: *mut P::Target,
    ) -> Result<*mut P::Target, *mut P::Target> {
        self.current
            .compare_exchange(seen, new, Ordering::AcqRel, Ordering::Acquire)
    }

    fn retire(&self, old: *mut P::Target)
    where
        P: Send + 'static,
    {
        if old.is_null() {
            return;
        }
        // SAFETY: it was replaced before, by us; the domain calls back after a grace period.
        let callback = unsafe { Retired::<P>(old).callback() };
        self.domain().enqueue(callback, true);
    }
}

impl<P: RefCounted, D: InDomain> RcuCell<P, D> {
    /// Returns a clone of the current `Arc`, to keep: it delays no grace period.
    ///
    /// # Cost
    /// A read-side section, and an atomic increment of a cache line that all callers share.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers. (Dropping the `Arc` there is not, if it may be the last one.)
    pub fn load_full(&self) -> P {
        let _guard = ReadGuard::begin(self.domain.state());
        // SAFETY: the cell's count is given up only a grace period after the pointer was replaced,
        // and the section is open. Acquire: as in `load`.
        unsafe { P::share(self.current.load(Ordering::Acquire)) }
    }

    /// Publishes `value` and returns the old `Arc` without waiting for readers.
    ///
    /// Until a grace period has passed the cell keeps its own count of the old `Arc`, so `Arc::get_mut`
    /// and `Arc::into_inner` fail. To wait for that, use [`replace`](Self::replace).
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on the calling
    /// thread.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// let cell = urcu::RcuArc::new(Arc::new(1));
    /// let mut old = cell.swap(Arc::new(2));
    /// drop(old.clone()); // Counts as usual.
    /// urcu::barrier(); // Now the cell's count is given up for sure.
    /// *Arc::get_mut(&mut old).unwrap() += 1;
    /// ```
    pub fn swap(&self, value: P::Value) -> P
    where
        P: Send + 'static,
    {
        let old = self.publish(P::own(value));
        // SAFETY: the cell's count of the old value is ours now, and is retired after this.
        let shared = unsafe { P::share(old) };
        self.retire(old);
        shared
    }
}

impl<T, D: InDomain> RcuCell<Box<T>, D> {
    /// Returns a mutable reference to the value. Nobody can be reading, so this waits for nothing.
    ///
    /// ```
    /// let mut cell = urcu::Rcu::new(1);
    /// *cell.get_mut() += 1;
    /// assert_eq!(cell.snapshot(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self`: no reader, no updater.
        unsafe { &mut **self.current.get_mut() }
    }
}

impl<T, D: InDomain> RcuCell<Option<Box<T>>, D> {
    /// Returns a mutable reference to the value, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: `&mut self`: no reader, no updater.
        unsafe { (*self.current.get_mut()).as_mut() }
    }
}

impl<P: Payload, D: InDomain> Drop for RcuCell<P, D> {
    fn drop(&mut self) {
        // SAFETY: every reader's borrow of this cell is over, so what it owns is its alone.
        drop(unsafe { P::from_raw(*self.current.get_mut()) });
    }
}

/// The error of [`RcuCell::compare_exchange`]: the cell held another value than expected.
pub struct CompareExchangeError<'g, P: Payload + 'g, N = <P as Payload>::Value> {
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
