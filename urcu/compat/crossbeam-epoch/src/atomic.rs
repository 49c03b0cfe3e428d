//! [`Atomic`]: a link of a structure.

mod conversions;

use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::guard::Guard;
#[allow(deprecated)]
use crate::orderings::CompareAndSetOrdering;
use crate::owned::{Owned, Pointer, fmt_pointer};
use crate::pointable::{Pointable, tag_mask, untagged};
use crate::shared::Shared;

/// A link of a structure: a pointer with a tag, which many threads load and change. It owns nothing, so a structure
/// must free its nodes when it is dropped.
///
/// ```
/// use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
/// use crossbeam_epoch::{self as epoch, Atomic, Owned, Shared};
///
/// let link = Atomic::null();
/// let guard = epoch::pin();
/// let node = Owned::new(5);
/// let published = link.compare_exchange(Shared::null(), node, Release, Relaxed, &guard).unwrap();
/// // SAFETY: nobody frees it before the guard is dropped.
/// assert_eq!(unsafe { published.as_ref() }, Some(&5));
///
/// let old = link.swap(Shared::null(), Acquire, &guard);
/// // SAFETY: no thread that pins from now on can reach it.
/// unsafe { guard.defer_destroy(old) };
/// ```
pub struct Atomic<T: ?Sized + Pointable> {
    data: AtomicUsize,
    points_to: PhantomData<*mut T>,
}

// SAFETY: an `Atomic` gives `&T` and, through unsafe functions, owners of `T`s to other threads.
unsafe impl<T: ?Sized + Pointable + Send + Sync> Send for Atomic<T> {}
// SAFETY: an `Atomic` gives `&T` and, through unsafe functions, owners of `T`s to other threads.
unsafe impl<T: ?Sized + Pointable + Send + Sync> Sync for Atomic<T> {}

/// The error of [`Atomic::compare_exchange`]: the link holds another pointer.
pub struct CompareExchangeError<'g, T: ?Sized + Pointable, P: Pointer<T>> {
    /// The pointer that the link holds.
    pub current: Shared<'g, T>,
    /// The pointer that should have been stored.
    pub new: P,
}

impl<T, P: Pointer<T> + fmt::Debug> fmt::Debug for CompareExchangeError<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompareExchangeError")
            .field("current", &self.current)
            .field("new", &self.new)
            .finish()
    }
}

/// The former name of [`CompareExchangeError`].
#[deprecated(note = "Use `CompareExchangeError` instead")]
pub type CompareAndSetError<'g, T, P> = CompareExchangeError<'g, T, P>;

impl<T> Atomic<T> {
    /// Allocates `init`, and returns a link to it.
    ///
    /// ```
    /// use crossbeam_epoch::Atomic;
    ///
    /// let link = Atomic::new(5);
    /// // SAFETY: nobody else has seen it.
    /// assert_eq!(*unsafe { link.into_owned() }, 5);
    /// ```
    pub fn new(init: T) -> Atomic<T> {
        Self::init(init)
    }
}

impl<T: ?Sized + Pointable> Atomic<T> {
    const fn of(data: usize) -> Self {
        Atomic {
            data: AtomicUsize::new(data),
            points_to: PhantomData,
        }
    }

    /// Allocates a value from its initial data, and returns a link to it: see [`Pointable::Init`].
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    /// use crossbeam_epoch::Atomic;
    ///
    /// let link = Atomic::<[MaybeUninit<u8>]>::init(3);
    /// // SAFETY: nobody else has seen it.
    /// assert_eq!(unsafe { link.into_owned() }.len(), 3);
    /// ```
    pub fn init(init: T::Init) -> Atomic<T> {
        Self::from(Owned::init(init))
    }

    /// Returns a null link with the tag 0. Can be used in a `static`.
    ///
    /// ```
    /// static HEAD: crossbeam_epoch::Atomic<u32> = crossbeam_epoch::Atomic::null();
    /// assert!(HEAD.load(std::sync::atomic::Ordering::Relaxed, &crossbeam_epoch::pin()).is_null());
    /// ```
    pub const fn null() -> Atomic<T> {
        Self::of(0)
    }

    /// Returns the pointer, which is valid as long as the guard.
    ///
    /// # Panics
    /// Panics if the ordering is `Release` or `AcqRel`.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::Acquire;
    /// use crossbeam_epoch::{self as epoch, Atomic};
    ///
    /// let link: Atomic<u32> = Atomic::null();
    /// assert!(link.load(Acquire, &epoch::pin()).is_null());
    /// ```
    #[inline]
    pub fn load<'g>(&self, ord: Ordering, _: &'g Guard) -> Shared<'g, T> {
        Shared::of(self.data.load(ord))
    }

    /// Returns the pointer, ordered before accesses that depend on it. Here the ordering is `Acquire`, because the
    /// language promises nothing weaker.
    ///
    /// ```
    /// use crossbeam_epoch::{self as epoch, Atomic};
    ///
    /// let link: Atomic<u32> = Atomic::null();
    /// assert!(link.load_consume(&epoch::pin()).is_null());
    /// ```
    #[inline]
    pub fn load_consume<'g>(&self, guard: &'g Guard) -> Shared<'g, T> {
        self.load(Ordering::Acquire, guard)
    }

    /// Stores another pointer. The old value is not freed.
    ///
    /// # Panics
    /// Panics if the ordering is `Acquire` or `AcqRel`.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::Release;
    /// use crossbeam_epoch::{Atomic, Owned};
    ///
    /// let link = Atomic::null();
    /// link.store(Owned::new(5), Release);
    /// # unsafe { drop(link.into_owned()) };
    /// ```
    #[inline]
    pub fn store<P: Pointer<T>>(&self, new: P, ord: Ordering) {
        self.data.store(new.into_usize(), ord);
    }

    /// Stores another pointer, and returns the old one.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Shared};
    ///
    /// let link = Atomic::new(5);
    /// let old = link.swap(Shared::null(), SeqCst, &epoch::pin()).with_tag(0).as_raw();
    /// // SAFETY: nobody else has seen it.
    /// drop(unsafe { Box::from_raw(old.cast_mut()) });
    /// ```
    #[inline]
    pub fn swap<'g, P: Pointer<T>>(&self, new: P, ord: Ordering, _: &'g Guard) -> Shared<'g, T> {
        Shared::of(self.data.swap(new.into_usize(), ord))
    }

    /// Stores `new` if the pointer and its tag are still `current`, and returns the stored pointer.
    ///
    /// # Errors
    /// Returns the pointer that the link holds, and `new`, if the link does not hold `current`.
    ///
    /// # Panics
    /// Panics if `failure` is `Release` or `AcqRel`.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Owned, Shared};
    ///
    /// let link = Atomic::new(5);
    /// let guard = epoch::pin();
    /// let error = link.compare_exchange(Shared::null(), Owned::new(6), SeqCst, SeqCst, &guard);
    /// assert_eq!(*error.unwrap_err().new, 6);
    /// # unsafe { drop(link.into_owned()) };
    /// ```
    #[inline]
    pub fn compare_exchange<'g, P>(
        &self,
        current: Shared<'_, T>,
        new: P,
        success: Ordering,
        failure: Ordering,
        _: &'g Guard,
    ) -> Result<Shared<'g, T>, CompareExchangeError<'g, T, P>>
    where
        P: Pointer<T>,
    {
        let new = new.into_usize();
        let exchanged = self
            .data
            .compare_exchange(current.into_usize(), new, success, failure);
        Self::exchanged(exchanged, new)
    }

    /// Does what [`Atomic::compare_exchange`] does, but may fail although the pointer is `current`. In a loop this is
    /// cheaper on some processors.
    ///
    /// # Errors
    /// The same as for `compare_exchange`.
    ///
    /// # Panics
    /// The same as for `compare_exchange`.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Owned};
    ///
    /// let link = Atomic::null();
    /// let guard = epoch::pin();
    /// let (mut new, mut current) = (Owned::new(5), link.load(SeqCst, &guard));
    /// while let Err(error) = link.compare_exchange_weak(current, new, SeqCst, SeqCst, &guard) {
    ///     (new, current) = (error.new, error.current);
    /// }
    /// # unsafe { drop(link.into_owned()) };
    /// ```
    #[inline]
    pub fn compare_exchange_weak<'g, P>(
        &self,
        current: Shared<'_, T>,
        new: P,
        success: Ordering,
        failure: Ordering,
        _: &'g Guard,
    ) -> Result<Shared<'g, T>, CompareExchangeError<'g, T, P>>
    where
        P: Pointer<T>,
    {
        let new = new.into_usize();
        let exchanged =
            self.data
                .compare_exchange_weak(current.into_usize(), new, success, failure);
        Self::exchanged(exchanged, new)
    }

    #[inline(always)]
    fn exchanged<'g, P: Pointer<T>>(
        exchanged: Result<usize, usize>,
        new: usize,
    ) -> Result<Shared<'g, T>, CompareExchangeError<'g, T, P>> {
        match exchanged {
            Ok(_) => Ok(Shared::of(new)),
            Err(current) => Err(CompareExchangeError {
                current: Shared::of(current),
                // SAFETY: the address is that of the `P` that the caller gave, which was not published.
                new: unsafe { P::from_usize(new) },
            }),
        }
    }

    /// Replaces the pointer by the result of `func`, which is called again whenever another thread has changed the
    /// pointer meanwhile. Returns the pointer that was replaced.
    ///
    /// # Errors
    /// Returns the pointer that the link holds, if `func` returns `None`.
    ///
    /// # Panics
    /// Panics if `fail_order` is `Release` or `AcqRel`.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic};
    ///
    /// let link: Atomic<u32> = Atomic::null();
    /// let guard = epoch::pin();
    /// assert!(link.fetch_update(SeqCst, SeqCst, &guard, |old| Some(old.with_tag(1))).is_ok());
    /// assert_eq!(link.fetch_update(SeqCst, SeqCst, &guard, |_| None).unwrap_err().tag(), 1);
    /// ```
    pub fn fetch_update<'g, F>(
        &self,
        set_order: Ordering,
        fail_order: Ordering,
        guard: &'g Guard,
        mut func: F,
    ) -> Result<Shared<'g, T>, Shared<'g, T>>
    where
        F: FnMut(Shared<'g, T>) -> Option<Shared<'g, T>>,
    {
        let mut seen = self.load(fail_order, guard);
        while let Some(new) = func(seen) {
            match self.compare_exchange_weak(seen, new, set_order, fail_order, guard) {
                Ok(_) => return Ok(seen),
                Err(error) => seen = error.current,
            }
        }
        Err(seen)
    }

    /// Does what [`Atomic::compare_exchange`] does. `ord` determines both orderings.
    ///
    /// # Errors
    /// The same as for `compare_exchange`.
    ///
    /// ```
    /// # #![allow(deprecated)]
    /// use std::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};
    /// use crossbeam_epoch::{self as epoch, Atomic, Owned, Shared};
    ///
    /// let link = Atomic::null();
    /// let guard = epoch::pin();
    /// let five = link.compare_and_set(Shared::null(), Owned::new(5), SeqCst, &guard).unwrap();
    /// let old = link.compare_and_set(five, Shared::null(), (AcqRel, Acquire), &guard);
    /// assert!(old.unwrap().is_null());
    /// # unsafe { drop(five.into_owned()) };
    /// ```
    #[deprecated(note = "Use `compare_exchange` instead")]
    #[allow(deprecated)]
    pub fn compare_and_set<'g, O, P>(
        &self,
        current: Shared<'_, T>,
        new: P,
        ord: O,
        guard: &'g Guard,
    ) -> Result<Shared<'g, T>, CompareAndSetError<'g, T, P>>
    where
        O: CompareAndSetOrdering,
        P: Pointer<T>,
    {
        self.compare_exchange(current, new, ord.success(), ord.failure(), guard)
    }

    /// Does what [`Atomic::compare_exchange_weak`] does. `ord` determines both orderings.
    ///
    /// # Errors
    /// The same as for `compare_exchange`.
    ///
    /// ```
    /// # #![allow(deprecated)]
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Shared};
    ///
    /// let link: Atomic<u32> = Atomic::null();
    /// let (guard, one) = (epoch::pin(), Shared::null().with_tag(1));
    /// while link.compare_and_set_weak(Shared::null(), one, SeqCst, &guard).is_err() {}
    /// assert_eq!(link.load(SeqCst, &guard).tag(), 1);
    /// ```
    #[deprecated(note = "Use `compare_exchange_weak` instead")]
    #[allow(deprecated)]
    pub fn compare_and_set_weak<'g, O, P>(
        &self,
        current: Shared<'_, T>,
        new: P,
        ord: O,
        guard: &'g Guard,
    ) -> Result<Shared<'g, T>, CompareAndSetError<'g, T, P>>
    where
        O: CompareAndSetOrdering,
        P: Pointer<T>,
    {
        self.compare_exchange_weak(current, new, ord.success(), ord.failure(), guard)
    }

    /// Clears the bits of the tag that are not in `val`, and returns the old pointer.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Shared};
    ///
    /// let link = Atomic::<u32>::from(Shared::null().with_tag(3));
    /// let guard = epoch::pin();
    /// assert_eq!(link.fetch_and(2, SeqCst, &guard).tag(), 3);
    /// assert_eq!(link.load(SeqCst, &guard).tag(), 2);
    /// ```
    #[inline]
    pub fn fetch_and<'g>(&self, val: usize, ord: Ordering, _: &'g Guard) -> Shared<'g, T> {
        Shared::of(self.data.fetch_and(val | !tag_mask::<T>(), ord))
    }

    /// Sets the bits of `val` in the tag, and returns the old pointer.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic};
    ///
    /// let link = Atomic::<u32>::null();
    /// let guard = epoch::pin();
    /// assert_eq!(link.fetch_or(7, SeqCst, &guard).tag(), 0);
    /// assert_eq!(link.load(SeqCst, &guard).tag(), 3);
    /// ```
    #[inline]
    pub fn fetch_or<'g>(&self, val: usize, ord: Ordering, _: &'g Guard) -> Shared<'g, T> {
        Shared::of(self.data.fetch_or(val & tag_mask::<T>(), ord))
    }

    /// Inverts the bits of `val` in the tag, and returns the old pointer.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic, Shared};
    ///
    /// let link = Atomic::<u32>::from(Shared::null().with_tag(1));
    /// let guard = epoch::pin();
    /// assert_eq!(link.fetch_xor(3, SeqCst, &guard).tag(), 1);
    /// assert_eq!(link.load(SeqCst, &guard).tag(), 2);
    /// ```
    #[inline]
    pub fn fetch_xor<'g>(&self, val: usize, ord: Ordering, _: &'g Guard) -> Shared<'g, T> {
        Shared::of(self.data.fetch_xor(val & tag_mask::<T>(), ord))
    }

    /// Returns an owner of the value, with the tag. This is for the destructors of structures.
    ///
    /// # Safety
    /// The pointer is not null. Its value is alive, and nobody else uses it or can reach it any more.
    ///
    /// # Panics
    /// Panics if the pointer is null, in builds with debug assertions.
    ///
    /// ```
    /// use crossbeam_epoch::Atomic;
    ///
    /// // SAFETY: nobody else has seen it.
    /// assert_eq!(*unsafe { Atomic::new(5).into_owned() }, 5);
    /// ```
    #[track_caller]
    pub unsafe fn into_owned(self) -> Owned<T> {
        // SAFETY: by the contract of this function, the value is alive and the caller's alone.
        unsafe { Shared::of(self.data.into_inner()).into_owned() }
    }

    /// Returns an owner of the value, or `None` if the pointer is null.
    ///
    /// # Safety
    /// The pointer is null, or the requirements of [`Atomic::into_owned`] hold.
    ///
    /// ```
    /// use crossbeam_epoch::Atomic;
    ///
    /// // SAFETY: the pointer is null.
    /// assert!(unsafe { Atomic::<u32>::null().try_into_owned() }.is_none());
    /// ```
    pub unsafe fn try_into_owned(self) -> Option<Owned<T>> {
        // SAFETY: by the contract of this function, the pointer is null, or the value is the caller's alone.
        unsafe { Shared::of(self.data.into_inner()).try_into_owned() }
    }

    /// Returns the address and the tag, for callers that do not follow the pointer.
    fn peek(&self) -> usize {
        self.data.load(Ordering::Relaxed)
    }
}

impl<T: ?Sized + Pointable> fmt::Debug for Atomic<T> {
    /// Writes the address and the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_pointer::<T>("Atomic", self.peek(), f)
    }
}

impl<T: ?Sized + Pointable> fmt::Pointer for Atomic<T> {
    /// Writes the address without the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(
            &ptr::without_provenance::<()>(untagged::<T>(self.peek())),
            f,
        )
    }
}

impl<T: ?Sized + Pointable> Clone for Atomic<T> {
    /// Returns a link to the same value, which is loaded with `Relaxed`. Before the copy is followed, something else
    /// must order the publication of the value before this call.
    fn clone(&self) -> Self {
        Self::of(self.peek())
    }
}

impl<T: ?Sized + Pointable> Default for Atomic<T> {
    fn default() -> Self {
        Atomic::null()
    }
}
