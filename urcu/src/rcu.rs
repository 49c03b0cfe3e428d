//! [`Rcu`]: an owning pointer that readers follow and updaters replace.

mod conversions;
mod in_domain;
mod payload;
mod reference;

use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit, size_of};
use core::ptr;
use std::sync::Arc;

pub use in_domain::{Global, InDomain};
pub use payload::{OwningPtr, Payload, RefCounted};
pub use reference::Ref;

use crate::callbacks::Callback;
use crate::domain::{Domain, ReadGuard};
use crate::machine::{self, AtomicPtr, Ordering};

/// The largest value that [`RcuCell::snapshot`] copies without a counter. Bytes.
pub const SNAPSHOT_MAX: usize = machine::COPY_MAX;

/// An owned value that readers see without locks while updaters replace it.
///
/// `Rcu<T>` belongs to the [`global`](crate::global) domain, `Rcu<T, &Domain>` to another
/// ([`RcuCell::new_in`]). What it can do: [`RcuCell`].
///
/// ```
/// let limit = urcu::Rcu::new(10);
/// assert_eq!(limit.snapshot(), 10);
/// limit.update(|old| old + 1);
/// assert_eq!(*limit.read(), 11);
/// ```
pub type Rcu<T, D = Global> = RcuCell<Box<T>, D>;

/// A value that may be missing. Empty it needs no memory and can be in a `static`.
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

/// An [`Arc`] that readers follow without touching its count, unless they want to keep it
/// ([`RcuCell::load_full`]).
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

/// An [`Arc`] that may be missing.
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

/// An owning pointer `P` that readers follow without locks while updaters replace it: one machine
/// word, and one load to reach the value, whatever `P` is.
///
/// | | `P` | a [`Value`](Payload::Value) | a [`View`](Payload::View) | a [`Ref`](Payload::Ref) |
/// |---|---|---|---|---|
/// | [`Rcu<T>`] | `Box<T>` | `T` | `&T` | [`Ref<T>`](Ref) |
/// | [`RcuOption<T>`] | `Option<Box<T>>` | `Option<T>` | `Option<&T>` | `Option<Ref<T>>` |
/// | [`RcuArc<T>`] | `Arc<T>` | `Arc<T>` | `&T` | `Ref<T>` |
/// | [`RcuArcOption<T>`] | `Option<Arc<T>>` | `Option<Arc<T>>` | `Option<&T>` | `Option<Ref<T>>` |
///
/// `T` has a size known at compile time: the word has no room for more than an address.
///
/// # Who drops old values
/// Those that [`store`](Self::store), [`update`](Self::update), [`try_update`](Self::try_update),
/// [`compare_exchange`](Self::compare_exchange) and [`swap`](Self::swap) replace are dropped
/// after a grace period, on a background thread or by a thread that replaces another value later,
/// in the middle of that; so they must be `Send + 'static`, a lock that their destructors take
/// must not be held by whoever calls these (nor one that a waker takes: these may end a grace period,
/// and wake those who await it), and their destructors must not wait for a grace period,
/// because whoever calls these may be inside a read-side section. (In a domain with a
/// [`Runner`](crate::Runner) of its own none of these drops anything: that is the runner's.) Those that
/// [`replace`](Self::replace) and [`take`](Self::take) hand back need none of this. The value in a cell is
/// dropped with it, at once: nobody can be reading.
///
/// # Features
/// With `serde`, a cell is serialized as what is in it, and a cell of the global domain can be
/// deserialized.
pub struct RcuCell<P: Payload, D: InDomain = Global> {
    /// From `P::into_raw`, and ours.
    current: AtomicPtr<P::Target>,
    domain: D,
    owns: PhantomData<P>,
}

// SAFETY: it owns a `P`, which goes along. `AtomicPtr` would be `Send` for any `P`.
unsafe impl<P: Payload + Send, D: InDomain + Send> Send for RcuCell<P, D> {}
// SAFETY: a shared cell shows its value to several threads (`Sync`: a `Box` or an `Arc` is only if
// the value is), and gives its `P` to any of them (`replace`: `Send`).
unsafe impl<P: Payload + Send + Sync, D: InDomain + Sync> Sync for RcuCell<P, D> {}

/// A replaced pointer on its way to the callback thread. Not a `P` yet: a `Box` may not exist
/// while others still read what is in it.
struct Retired<P: Payload>(*mut P::Target);

// SAFETY: it owns a `P`, which may be sent.
unsafe impl<P: Payload + Send> Send for Retired<P> {}

impl<P: Payload> Retired<P> {
    /// # Safety
    /// A grace period has passed since the pointer was replaced, and this is called once.
    unsafe fn free(self) {
        // SAFETY: from `P::into_raw`; the rest is the caller's.
        drop(unsafe { P::from_raw(self.0) });
    }
}

impl<P: Payload> RcuCell<P> {
    /// A cell of the [`global`](crate::global) domain.
    pub fn new(value: P::Value) -> Self {
        RcuCell::new_in(value, Global)
    }
}

impl<P: OwningPtr> RcuCell<Option<P>> {
    machine::const_fn! {
        /// A cell of the [`global`](crate::global) domain without a value.
        pub fn empty() -> Self {
            RcuCell::empty_in(Global)
        }
    }
}

impl<P: OwningPtr, D: InDomain> RcuCell<Option<P>, D> {
    machine::const_fn! {
        /// A cell of a domain without a value.
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
    /// A cell of a domain.
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

    /// The same from what the cell will own.
    fn from_owned_in(owned: P, domain: D) -> Self {
        RcuCell {
            current: AtomicPtr::new(P::into_raw(owned)),
            domain,
            owns: PhantomData,
        }
    }

    /// The domain of this cell.
    pub fn domain(&self) -> &Domain {
        self.domain.domain()
    }

    /// The current value, for as long as the guard lives. Several loads under one guard may see
    /// different values. Async-signal-safe. Cost: one load.
    ///
    /// # Panics
    /// If the guard is of another domain.
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
    pub fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> P::View<'g> {
        self.check(guard);
        // SAFETY: the value is freed only a grace period of this domain after it was replaced, or
        // when the cell is dropped. The guard's section is open and `&self` is borrowed as long as
        // the result lives. Acquire: pairs with the release of whoever published the value.
        unsafe { P::view(self.current.load(Ordering::Acquire)) }
    }

    #[inline(always)]
    #[track_caller]
    fn check(&self, guard: &ReadGuard<'_>) {
        if !guard.is_of(self.domain.state()) {
            self.wrong_guard(guard);
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn wrong_guard(&self, guard: &ReadGuard<'_>) -> ! {
        panic!(
            "a cell of {} was used with a guard of {}; take the guard from \
             `cell.domain().read_lock()`",
            self.domain(),
            guard.domain()
        );
    }

    /// The current value with a guard of its own. Async-signal-safe.
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
        let guard = self.domain.state().read_lock();
        // SAFETY: as in `load`; the section stays open as long as the guard does.
        unsafe { P::guarded(self.current.load(Ordering::Acquire), guard) }
    }

    /// Publishes `value`; the old one is dropped after a grace period. The caller does not wait, unless
    /// the domain's [`Budget`](crate::Budget) is exceeded, and may be inside a read-side section. Not
    /// async-signal-safe.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on this thread.
    pub fn store(&self, value: P::Value)
    where
        P: Send + 'static,
    {
        let old = self.publish(value);
        self.retire(old);
    }

    /// Publishes `value`, waits for a grace period and hands the old value back. Not
    /// async-signal-safe. Inside a read-side section of this domain it waits for ever. If there
    /// was no value (`None`), nothing is waited for.
    ///
    /// # Panics
    /// As [`Domain::synchronize`]; the new value is published then, and the old one leaks.
    ///
    /// ```
    /// let names = urcu::Rcu::new(vec!["a"]);
    /// let mut old: Vec<&str> = names.replace(vec!["b"]);
    /// old.push("nobody else has it");
    /// ```
    #[track_caller]
    pub fn replace(&self, value: P::Value) -> P::Value {
        let old = self.publish(value);
        if !old.is_null() {
            self.domain().synchronize();
        }
        // SAFETY: from `P::into_raw`; unpublished by us, and no section that could have seen it is
        // open any more.
        P::disown(unsafe { P::from_raw(old) })
    }

    /// [`replace`](Self::replace) with the default value: what a cell of an `Option` holds is
    /// taken out of it.
    ///
    /// # Panics
    /// As `replace`.
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

    /// Publishes `new` if the value is still `current`, the very same one, at the same address: a
    /// value that only compares equal does not count. The old value is dropped after a grace
    /// period. The caller does not wait, unless the domain's [`Budget`](crate::Budget) is exceeded. Not
    /// async-signal-safe.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on this thread.
    ///
    /// As long as you have a reference its value is not freed, so no other can be taken for it.
    /// (Values without size in a `Box` have no address of their own, and are all the same one.)
    ///
    /// # Errors
    /// If the cell holds another value: that one, and `new` again.
    ///
    /// # Panics
    /// If the guard is of another domain.
    ///
    /// ```
    /// let cell = urcu::Rcu::new(1);
    /// let guard = urcu::read_lock();
    /// let seen = cell.load(&guard);
    /// cell.compare_exchange(seen, seen + 1, &guard).unwrap();
    /// // `seen` is not the current value any more.
    /// let error = cell.compare_exchange(seen, 5, &guard).unwrap_err();
    /// assert_eq!((*error.current, error.new), (2, 5));
    /// ```
    #[track_caller]
    pub fn compare_exchange<'g>(
        &'g self,
        current: P::View<'_>,
        new: P::Value,
        guard: &'g ReadGuard<'_>,
    ) -> Result<(), CompareExchangeError<'g, P>>
    where
        P: Send + 'static,
    {
        self.check(guard);
        let new = P::into_raw(P::own(new));
        match self.exchange(P::address(current), new) {
            Ok(old) => {
                self.retire(old);
                Ok(())
            }
            Err(found) => Err(CompareExchangeError {
                // SAFETY: as in `load`.
                current: unsafe { P::view(found) },
                // SAFETY: from `P::into_raw`, and never published.
                new: P::disown(unsafe { P::from_raw(new) }),
            }),
        }
    }

    /// Read, copy, update: publishes `f(current)`, and tries again if another update came between,
    /// so concurrent updates are never lost. The old value is dropped after a grace
    /// period. `f` runs inside a read-side section and may run more than once. Not
    /// async-signal-safe.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on this thread.
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

    /// As [`update`](Self::update), unless `f` finds that there is nothing to do.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on this thread.
    ///
    /// # Errors
    /// Those of `f`; the cell is as it was.
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
        let old = loop {
            // The guard also keeps the old value from being freed and its address from being used
            // again, so that the exchange cannot mistake another value for it.
            let guard = self.domain.state().read_lock();
            let seen = self.current.load(Ordering::Acquire);
            // SAFETY: as in `load`.
            let new = P::into_raw(P::own(f(unsafe { P::view(seen) })?));
            let exchanged = self.exchange(seen, new);
            drop(guard);
            match exchanged {
                Ok(old) => break old,
                // SAFETY: from `P::into_raw`, and never published.
                Err(_) => drop(unsafe { P::from_raw(new) }),
            }
        };
        self.retire(old);
        Ok(())
    }

    /// What the cell owns, for whoever has it alone. Nobody reads it, so this waits for nothing.
    ///
    /// ```
    /// assert_eq!(urcu::Rcu::new(String::from("a")).into_inner(), "a");
    /// ```
    pub fn into_inner(self) -> P::Value {
        let this = ManuallyDrop::new(self);
        // SAFETY: as in `drop`, which does not run. `D` is `Copy` in every implementation.
        P::disown(unsafe { P::from_raw(this.current.load(Ordering::Relaxed)) })
    }

    /// Publishes a value and returns the old pointer. AcqRel: readers that see the new value see
    /// it whole, and whoever gets the old value sees all that was done to it.
    fn publish(&self, value: P::Value) -> *mut P::Target {
        self.current
            .swap(P::into_raw(P::own(value)), Ordering::AcqRel)
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
        let retired = Retired::<P>(old);
        // SAFETY: the callback runs once, after a grace period; the pointer was replaced before.
        let free = move || unsafe { retired.free() };
        self.domain()
            .enqueue(Callback::drop::<_, P::Target>(free), true);
    }
}

impl<P: OwningPtr, D: InDomain> RcuCell<P, D> {
    /// A copy of the current value, read in one restartable sequence: no counter is touched, no
    /// updater ever waits for it, and a grace period makes it start over. Async-signal-safe.
    ///
    /// Sizes of 1, 2, 4 and multiples of 8 up to 64 bytes are fastest. Values of more than
    /// [`SNAPSHOT_MAX`] bytes, threads without rseq, and copies that are interrupted again and
    /// again take a guard inside.
    ///
    /// A cell of an `Option` has none, because the sequence follows the pointer without a look at
    /// it; a small `Copy` value that may be missing is an `Rcu<Option<T>>`.
    ///
    /// ```
    /// let position = urcu::Rcu::new((1.0f64, 2.0f64));
    /// assert_eq!(position.snapshot(), (1.0, 2.0));
    /// ```
    #[inline(always)]
    pub fn snapshot(&self) -> <P as OwningPtr>::Target
    where
        <P as OwningPtr>::Target: Copy,
    {
        let size = size_of::<<P as OwningPtr>::Target>();
        let mut copy = MaybeUninit::<<P as OwningPtr>::Target>::uninit();
        // SAFETY: the pointer is not null. It is to a value that is freed only after it was
        // replaced and a grace period has passed, or when the cell is dropped, which `&self`
        // excludes. A `Copy` type has no interior mutability: its bytes do not change.
        let copied = size <= SNAPSHOT_MAX
            && unsafe {
                self.domain.state().grace_periods.readers.snapshot(
                    self.current.as_ptr().cast::<*const u8>().cast_const(),
                    copy.as_mut_ptr().cast(),
                    size,
                )
            };
        if copied {
            // SAFETY: all bytes were copied from a valid value.
            unsafe { copy.assume_init() }
        } else {
            self.snapshot_by_guard()
        }
    }

    #[cold]
    #[inline(never)]
    fn snapshot_by_guard(&self) -> <P as OwningPtr>::Target
    where
        <P as OwningPtr>::Target: Copy,
    {
        *self.read()
    }
}

impl<P: RefCounted, D: InDomain> RcuCell<P, D> {
    /// The current `Arc`, to keep: it delays no grace period, and may be the last one to hold the
    /// value. Async-signal-safe. Cost: a read-side section and an atomic increment, of a line that
    /// all callers share.
    pub fn load_full(&self) -> P {
        let _guard = self.domain.state().read_lock();
        // SAFETY: the cell's count is given up only a grace period after the pointer was replaced,
        // and the section is open. Acquire: as in `load`.
        unsafe { P::share(self.current.load(Ordering::Acquire)) }
    }

    /// Publishes `value` and returns the old `Arc` at once. The cell's count of it is given up
    /// after a grace period, until when `Arc::get_mut` and `Arc::into_inner` do not succeed; to
    /// wait for that use [`replace`](Self::replace). Not async-signal-safe.
    ///
    /// May run [destructors of values that were replaced earlier](#who-drops-old-values) on this thread.
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
        let old = self.publish(value);
        // SAFETY: the cell's count of the old value is ours now, and is retired after this.
        let shared = unsafe { P::share(old) };
        self.retire(old);
        shared
    }
}

impl<T, D: InDomain> RcuCell<Box<T>, D> {
    /// The value, for whoever has the cell alone.
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
    /// The value, for whoever has the cell alone.
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

/// A [`RcuCell::compare_exchange`] that found another value than expected.
pub struct CompareExchangeError<'g, P: Payload + 'g> {
    /// The value of the cell.
    pub current: P::View<'g>,
    /// The value that was not published.
    pub new: P::Value,
}

impl<P: Payload> fmt::Debug for CompareExchangeError<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompareExchangeError")
            .finish_non_exhaustive()
    }
}

impl<P: Payload> fmt::Display for CompareExchangeError<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cell holds another value than expected")
    }
}

impl<P: Payload> core::error::Error for CompareExchangeError<'_, P> {}
