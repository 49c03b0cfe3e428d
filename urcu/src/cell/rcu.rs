//! [`Rcu`]: an owning pointer that readers follow and updaters replace.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use super::in_domain::{Global, InDomain};
use super::payload::{ByValue, OwningPtr, Payload, RefCounted};
use crate::domain::{Domain, ReadGuard};
use crate::sync::{self, AtomicPtr, Ordering};

/// A value that readers see without locks while updaters replace it.
///
/// `Rcu<T>` belongs to the [`global`](crate::global) domain, `Rcu<T, &Domain>` to another one (see
/// [`RcuCell::new_in`]). [`RcuCell`] documents the methods.
///
/// `T` may be a `str`, a slice or a trait object: see [values without a size](RcuCell#values-without-a-size).
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
/// one of its four names:
///
/// | | `P` | a [`Value`](ByValue::Value) | a [`View`](Payload::View) | a [`Ref`](Payload::Ref) |
/// |---|---|---|---|---|
/// | [`Rcu<T>`] | `Box<T>` | `T` | `&T` | [`Ref<T>`](crate::Ref) |
/// | [`RcuOption<T>`] | `Option<Box<T>>` | `Option<T>` | `Option<&T>` | `Option<Ref<T>>` |
/// | [`RcuArc<T>`] | `Arc<T>` | `Arc<T>` | `&T` | `Ref<T>` |
/// | [`RcuArcOption<T>`] | `Option<Arc<T>>` | `Option<Arc<T>>` | `Option<&T>` | `Option<Ref<T>>` |
///
/// # Values without a size
/// In an [`Rcu`] and an [`RcuOption`] `T` may be a `str`, a slice or a trait object. As these cannot be passed by
/// value, such cells have the methods that take and return the `Box`: [`new_boxed`](Self::new_boxed),
/// [`store_boxed`](Self::store_boxed), [`replace_boxed`](Self::replace_boxed),
/// [`update_boxed`](Self::update_boxed) and so on. (All cells have them: they save an allocation where there is a
/// `Box` already.)
///
/// ```
/// use urcu::Rcu;
///
/// trait Shape: Send + Sync { fn area(&self) -> f64; }
/// struct Square(f64);
/// impl Shape for Square { fn area(&self) -> f64 { self.0 * self.0 } }
///
/// let shape: Rcu<dyn Shape> = Rcu::new_boxed(Box::new(Square(2.0)));
/// assert_eq!(shape.read().area(), 4.0);
/// shape.store_boxed(Box::new(Square(3.0)));
/// assert_eq!(shape.load(&urcu::read_lock()).area(), 9.0);
///
/// let primes: Rcu<[u32]> = Rcu::new_boxed(Box::new([2, 3]));
/// primes.update_boxed(|old| old.iter().copied().chain([5]).collect());
/// assert_eq!(*primes.read(), [2, 3, 5]);
///
/// let name = Rcu::<str>::new_boxed("a".into());
/// let old: Box<str> = name.replace_boxed("b".into());
/// assert_eq!((&*old, &*name.read()), ("a", "b"));
/// ```
///
/// Such a cell is one word, too, and takes the `Box` without copying the value. The word points to an allocation
/// with the two words of the `Box`: an address, and a length or a vtable. So reading takes one more load, from one
/// more cache line, than with a sized value, and publishing takes one more allocation. Sized values pay nothing for
/// this. If the value has one of a few known types, an `enum` avoids the cost.
///
/// Values without a size have no [`snapshot`](Self::snapshot), because how much to copy is not known at compile
/// time, and cannot be in an [`RcuArc`].
///
/// # Who drops old values
/// [`store`](Self::store), [`update`](Self::update), [`try_update`](Self::try_update),
/// [`compare_exchange`](Self::compare_exchange) and [`swap`](Self::swap) *retire* the old value: it is
/// dropped after a grace period, by a background thread, by a thread inside
/// [`barrier`](crate::Domain::barrier), or by a thread that retires another value of the same domain
/// later. Therefore:
///
/// * the value must be `Send + 'static`;
/// * do not call these methods while holding a lock that the destructor of a retired value takes, or that a waker
///   takes: these methods may also end a grace period and wake the tasks that await it;
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
    /// A word from `P::into_raw`, owned by the cell.
    pub(super) current: AtomicPtr<()>,
    pub(super) domain: D,
    /// Makes `P` invariant: a `P` can be put into a shared cell and taken out of it.
    owns: PhantomData<*mut P>,
}

// SAFETY: the cell owns a `P`, which moves along. (`AtomicPtr` would be `Send` for any `P`.)
unsafe impl<P: Payload + Send, D: InDomain + Send> Send for RcuCell<P, D> {}
// SAFETY: a shared cell shows its value to several threads, for which `P: Sync` is enough (a `Box` or an `Arc` is
// `Sync` only if the value is). It gives its `P` to any of them (`replace`), for which `P: Send` is enough.
unsafe impl<P: Payload + Send + Sync, D: InDomain + Sync> Sync for RcuCell<P, D> {}

impl<P: ByValue> RcuCell<P> {
    /// Creates a cell of the [`global`](crate::global) domain.
    pub fn new(value: P::Value) -> Self {
        RcuCell::new_in(value, Global)
    }
}

impl<P: Payload> RcuCell<P> {
    /// Creates a cell of the [`global`](crate::global) domain from a value that is already in a `Box` (or an
    /// `Arc`, or an `Option` of one), without another allocation.
    ///
    /// ```
    /// let name = urcu::Rcu::<str>::new_boxed("a".into());
    /// assert_eq!(&*name.read(), "a");
    /// ```
    pub fn new_boxed(value: P) -> Self {
        RcuCell::new_boxed_in(value, Global)
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
                // Null stands for `None`.
                current: AtomicPtr::new(ptr::null_mut()),
                domain,
                owns: PhantomData,
            }
        }
    }
}

impl<P: ByValue, D: InDomain> RcuCell<P, D> {
    /// Creates a cell in the given domain.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let cell = urcu::Rcu::new_in(5, &domain);
    /// let guard = domain.read_lock();
    /// assert_eq!(*cell.load(&guard), 5);
    /// ```
    pub fn new_in(value: P::Value, domain: D) -> Self {
        RcuCell::new_boxed_in(P::own(value), domain)
    }

    /// Consumes the cell and returns its value. Does not wait, because nobody can be reading.
    ///
    /// ```
    /// assert_eq!(urcu::Rcu::new(String::from("a")).into_inner(), "a");
    /// ```
    pub fn into_inner(self) -> P::Value {
        P::disown(self.into_boxed())
    }
}

impl<P: Payload, D: InDomain> RcuCell<P, D> {
    /// Creates a cell in the given domain from a value that is already in a `Box` (or an `Arc`, or an `Option` of
    /// one).
    pub fn new_boxed_in(value: P, domain: D) -> Self {
        RcuCell {
            current: AtomicPtr::new(P::into_raw(value)),
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
    /// Panics if the guard belongs to another domain. With debug assertions, also panics if the guard was taken
    /// before a `fork` and is used in the child.
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
        // SAFETY: the value is freed only a grace period of this domain after it was replaced, or when the cell is
        // dropped. The guard's section is open and `&self` is borrowed as long as the result lives. Acquire: pairs
        // with the release that published the value.
        unsafe { P::view(self.current.load(Ordering::Acquire)) }
    }

    #[inline(always)]
    #[track_caller]
    pub(super) fn check(&self, guard: &D::Guard<'_>) {
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
        // SAFETY: `guard` is a guard of this cell's domain, begun above.
        unsafe { self.guarded(guard) }
    }

    /// # Safety
    /// The guard belongs to this cell's domain.
    #[inline(always)]
    unsafe fn guarded<'g>(&'g self, guard: ReadGuard<'g>) -> P::Ref<'g> {
        // SAFETY: the guard belongs to this cell's domain, as the caller promises. Its section keeps alive what is
        // loaded in it, and stays open as long as the guard lives.
        unsafe { P::guarded(self.current.load(Ordering::Acquire), guard) }
    }

    /// Returns the current value together with `guard`, which the caller already has. So one section serves
    /// several cells, one after the other.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
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
        // SAFETY: the guard's domain was just checked.
        unsafe { self.guarded(guard) }
    }

    /// Consumes the cell and returns its value in the `Box` (or the `Arc`, or the `Option` of one). Does not wait,
    /// because nobody can be reading.
    ///
    /// ```
    /// let cell = urcu::Rcu::<[i32]>::new_boxed(vec![1, 2].into());
    /// assert_eq!(cell.into_boxed().into_vec(), [1, 2]);
    /// ```
    pub fn into_boxed(self) -> P {
        let this = ManuallyDrop::new(self);
        // SAFETY: every reader's borrow of this cell is over, and `drop` does not run, so the value is ours. The
        // domain is dropped after the value was taken out, and is not used again.
        unsafe {
            let _domain = ptr::read(&raw const this.domain);
            P::from_raw(this.current.load(Ordering::Relaxed))
        }
    }
}

impl<P: RefCounted, D: InDomain> RcuCell<P, D> {
    /// Returns a clone of the current `Arc`. Keeping it delays no grace period.
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
    pub fn swap(&self, value: P) -> P
    where
        P: Send + 'static,
    {
        let old = self.publish(value);
        // SAFETY: the cell's count of the old value is ours now; it is retired below.
        let shared = unsafe { P::share(old) };
        self.retire(old);
        shared
    }
}

impl<T: ?Sized, D: InDomain> RcuCell<Box<T>, D> {
    /// Returns a mutable reference to the value. Nobody can be reading, so this waits for nothing.
    ///
    /// ```
    /// let mut cell = urcu::Rcu::new(1);
    /// *cell.get_mut() += 1;
    /// assert_eq!(cell.snapshot(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` excludes readers and updaters; a box is not null.
        unsafe { Box::target(NonNull::new_unchecked(*self.current.get_mut())).as_mut() }
    }
}

impl<T: ?Sized, D: InDomain> RcuCell<Option<Box<T>>, D> {
    /// Returns a mutable reference to the value, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        let raw = NonNull::new(*self.current.get_mut());
        // SAFETY: `&mut self` excludes readers and updaters.
        raw.map(|raw| unsafe { Box::target(raw).as_mut() })
    }
}

impl<P: Payload, D: InDomain> Drop for RcuCell<P, D> {
    fn drop(&mut self) {
        // SAFETY: every reader's borrow of this cell is over, so nobody else uses its value.
        drop(unsafe { P::from_raw(*self.current.get_mut()) });
    }
}
