//! [`Rcu`]: an owning pointer that readers follow and updaters replace.

use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};
use core::ops::Deref;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::domain::{Domain, ReadGuard, State, global, global_state};

/// The largest value that [`Rcu::snapshot`] copies without a counter. Bytes.
pub const SNAPSHOT_MAX: usize = rseq_ops::ops::COPY_MAX;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Global {}
    impl Sealed for &super::Domain {}
}

/// Which domain a cell belongs to: [`Global`] or `&Domain`.
#[expect(private_interfaces, reason = "sealed; only this crate calls `state`")]
pub trait InDomain: sealed::Sealed {
    /// The domain.
    fn domain(&self) -> &Domain;
    #[doc(hidden)]
    fn state(&self) -> &State;
}

/// The [`global`] domain, as a type without size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

#[expect(private_interfaces, reason = "see the trait")]
impl InDomain for Global {
    fn domain(&self) -> &Domain {
        global()
    }
    #[inline(always)]
    fn state(&self) -> &State {
        global_state()
    }
}

#[expect(private_interfaces, reason = "see the trait")]
impl InDomain for &Domain {
    fn domain(&self) -> &Domain {
        self
    }
    #[inline(always)]
    fn state(&self) -> &State {
        Domain::state(self)
    }
}

/// An owned value that readers see without locks while updaters replace it.
///
/// `Rcu<T>` belongs to the [`global`] domain, `Rcu<T, &Domain>` to another
/// ([`Rcu::new_in`]).
///
/// ```
/// let limit = urcu::Rcu::new(10);
/// assert_eq!(limit.snapshot(), 10);
/// limit.update(|old| old + 1);
/// assert_eq!(*limit.read(), 11);
/// ```
pub struct Rcu<T, D: InDomain = Global> {
    /// From `Box::into_raw`, never null.
    current: AtomicPtr<T>,
    domain: D,
    owns: PhantomData<Box<T>>,
}

// SAFETY: it owns a `T`, which goes along. `AtomicPtr` would be `Send` for any `T`.
unsafe impl<T: Send, D: InDomain + Send> Send for Rcu<T, D> {}
// SAFETY: `&Rcu` gives `&T` to several threads (`Sync`) and `T` to any of them (`replace`: `Send`).
unsafe impl<T: Send + Sync, D: InDomain + Sync> Sync for Rcu<T, D> {}

/// A replaced value on its way to the callback thread.
struct Retired<T>(*mut T);

// SAFETY: it is the last pointer to a value that may be sent.
unsafe impl<T: Send> Send for Retired<T> {}

impl<T> Retired<T> {
    /// # Safety
    /// A grace period has passed since the pointer was replaced, and this is called once.
    unsafe fn free(self) {
        // SAFETY: from `Box::into_raw`; the rest is the caller's.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl<T> Rcu<T> {
    /// A cell of the [`global`] domain.
    pub fn new(value: T) -> Self {
        Rcu::new_in(value, Global)
    }
}

impl<T, D: InDomain> Rcu<T, D> {
    /// A cell of a domain.
    ///
    /// ```
    /// let domain = urcu::Domain::new();
    /// let cell = urcu::Rcu::new_in(5, &domain);
    /// let guard = domain.read_lock();
    /// assert_eq!(*cell.load(&guard), 5);
    /// ```
    pub fn new_in(value: T, domain: D) -> Self {
        Rcu {
            current: AtomicPtr::new(Box::into_raw(Box::new(value))),
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
    #[inline(always)]
    pub fn load<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g T {
        if !guard.is_of(self.domain.state()) {
            self.wrong_guard(guard);
        }
        // SAFETY: the value is freed only a grace period of this domain after it was replaced, or
        // when the cell is dropped. The guard's section is open and `&self` is borrowed as long as
        // the result lives. Acquire: pairs with the release of whoever published the value.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    #[cold]
    #[inline(never)]
    fn wrong_guard(&self, guard: &ReadGuard<'_>) -> ! {
        panic!(
            "a cell of {} was read under a guard of another domain (its state is at {:p}); take \
             the guard from `cell.domain().read_lock()`",
            self.domain(),
            guard.address()
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
    pub fn read(&self) -> Ref<'_, T> {
        let guard = self.domain.state().read_lock();
        // SAFETY: as in `load`; the section stays open as long as the `Ref` lives.
        let value = unsafe { &*self.current.load(Ordering::Acquire) };
        Ref {
            value,
            _guard: guard,
        }
    }

    /// A copy of the current value, read in one restartable sequence: no counter is touched, no
    /// updater ever waits for it, and a grace period makes it start over. Async-signal-safe.
    ///
    /// Sizes of 1, 2, 4 and multiples of 8 up to 64 bytes are fastest. Values of more than
    /// [`SNAPSHOT_MAX`] bytes, threads without rseq, and copies that are interrupted again and
    /// again take a guard inside.
    ///
    /// ```
    /// let position = urcu::Rcu::new((1.0f64, 2.0f64));
    /// assert_eq!(position.snapshot(), (1.0, 2.0));
    /// ```
    #[inline(always)]
    pub fn snapshot(&self) -> T
    where
        T: Copy,
    {
        let mut copy = MaybeUninit::<T>::uninit();
        // SAFETY: the pointer is to a `T`, which is freed only after it was replaced and a grace
        // period has passed, or when the cell is dropped, which `&self` excludes. A `Copy` type
        // has no interior mutability: its bytes do not change.
        let copied = size_of::<T>() <= SNAPSHOT_MAX
            && unsafe {
                self.domain.state().grace_periods.readers.snapshot(
                    self.current.as_ptr().cast::<*const u8>().cast_const(),
                    copy.as_mut_ptr().cast(),
                    size_of::<T>(),
                )
            };
        if copied {
            // SAFETY: all bytes were copied from a valid `T`.
            unsafe { copy.assume_init() }
        } else {
            self.snapshot_by_guard()
        }
    }

    #[cold]
    #[inline(never)]
    fn snapshot_by_guard(&self) -> T
    where
        T: Copy,
    {
        *self.read()
    }

    /// Publishes `value`; the old one is dropped on a background thread after a grace period. The
    /// caller does not wait, and may be inside a read-side section. Not async-signal-safe.
    pub fn store(&self, value: T)
    where
        T: Send + 'static,
    {
        let old = self.publish(value);
        self.retire(old);
    }

    /// Publishes `value`, waits for a grace period and hands the old value back. Not
    /// async-signal-safe. Inside a read-side section of this domain it waits for ever.
    ///
    /// # Panics
    /// As [`Domain::synchronize`]; the new value is published then, and the old one leaks.
    pub fn replace(&self, value: T) -> T {
        let old = self.publish(value);
        self.domain().synchronize();
        // SAFETY: from `Box::into_raw`; unpublished by us, and no section that could have seen it
        // is open any more.
        *unsafe { Box::from_raw(old) }
    }

    /// Read, copy, update: publishes `f(&current)`, and tries again if another update came between,
    /// so concurrent updates are never lost. The old value is dropped on a background thread after
    /// a grace period. `f` runs inside a read-side section and may run more than once.
    ///
    /// ```
    /// let list = urcu::Rcu::new(vec![1]);
    /// list.update(|old| old.iter().copied().chain([2]).collect());
    /// assert_eq!(*list.read(), [1, 2]);
    /// ```
    pub fn update(&self, mut f: impl FnMut(&T) -> T)
    where
        T: Send + 'static,
    {
        let old = loop {
            // The guard also keeps the old value from being freed and its address from being used
            // again, so that the exchange cannot mistake another value for it.
            let guard = self.domain.state().read_lock();
            let old = self.current.load(Ordering::Acquire);
            // SAFETY: as in `load`.
            let new = Box::into_raw(Box::new(f(unsafe { &*old })));
            let exchanged =
                self.current
                    .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed);
            drop(guard);
            match exchanged {
                Ok(old) => break old,
                // SAFETY: never published.
                Err(_) => drop(unsafe { Box::from_raw(new) }),
            }
        };
        self.retire(old);
    }

    /// The value, for whoever has the cell alone.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self`: no reader, no updater.
        unsafe { &mut **self.current.get_mut() }
    }

    /// The value out of the cell. Nobody reads it, so this waits for nothing.
    pub fn into_inner(self) -> T {
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: as in `drop`, which does not run. `D` is `Copy` in every implementation.
        *unsafe { Box::from_raw(this.current.load(Ordering::Relaxed)) }
    }

    /// Publishes a value and returns the old pointer. AcqRel: readers that see the new value see
    /// it whole, and whoever gets the old value sees all that was done to it.
    fn publish(&self, value: T) -> *mut T {
        self.current
            .swap(Box::into_raw(Box::new(value)), Ordering::AcqRel)
    }

    fn retire(&self, old: *mut T)
    where
        T: Send + 'static,
    {
        let retired = Retired(old);
        // SAFETY: the callback runs once, after a grace period; the pointer was replaced before.
        self.domain().call(move || unsafe { retired.free() });
    }
}

impl<T, D: InDomain> Drop for Rcu<T, D> {
    fn drop(&mut self) {
        // SAFETY: every reader's borrow of this cell is over, so this is the last pointer.
        drop(unsafe { Box::from_raw(*self.current.get_mut()) });
    }
}

impl<T: fmt::Debug, D: InDomain> fmt::Debug for Rcu<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rcu").field(&&*self.read()).finish()
    }
}

impl<T: Default> Default for Rcu<T> {
    fn default() -> Self {
        Rcu::new(T::default())
    }
}

impl<T> From<T> for Rcu<T> {
    fn from(value: T) -> Self {
        Rcu::new(value)
    }
}

/// A value of an [`Rcu`] and the read-side section that keeps it.
pub struct Ref<'a, T> {
    value: &'a T,
    _guard: ReadGuard<'a>,
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.value, f)
    }
}
