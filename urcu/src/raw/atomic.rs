//! A link of a structure.

use core::fmt;
use core::marker::PhantomData;
use core::ptr;

use super::pointee::{Pointee, tag_mask, untagged};
use super::pointer::{Owned, Pointer, Shared};
use crate::domain::{DomainType, GuardOf, ReadGuard};
use crate::sync::{self, AtomicPtr, Ordering};

/// A link of a structure: a pointer with a tag that many threads load and change. It is one word and owns nothing,
/// so a structure has to free its nodes when it is dropped ([`Atomic::into_owned`]).
///
/// Loads and exchanges take a guard, and what they return lives as long as the guard. An `Atomic<T>` takes guards
/// of any domain: the structure has to check that a guard belongs to the domain to which its nodes are retired
/// ([`Domain::check`](crate::Domain::check)). A link of a domain that is a type (`Atomic<T, Requests>`, see
/// [`domain!`](crate::domain!)) takes only guards of that domain: other guards do not compile, and nothing is left
/// to check.
///
/// ```
/// use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
/// use urcu::raw::{Atomic, Owned, Shared};
///
/// let link: Atomic<u64> = Atomic::null();
/// let guard = urcu::read_lock();
/// let node = Owned::new(5);
/// let published = link.compare_exchange(Shared::null(), node, Release, Relaxed, &guard).unwrap();
/// // SAFETY: nothing is freed before the end.
/// assert_eq!(unsafe { published.as_ref() }, Some(&5));
/// // The node comes back if another one is there already.
/// let error = link.compare_exchange(Shared::null(), Owned::new(6), Release, Acquire, &guard);
/// assert_eq!(*error.unwrap_err().new, 6);
/// drop(guard);
/// // SAFETY: nobody else has seen it.
/// assert_eq!(unsafe { link.into_owned() }.map(Owned::into_inner), Some(5));
/// ```
///
/// A link of a certain domain:
///
/// ```
/// use std::sync::atomic::Ordering::Acquire;
/// use urcu::raw::Atomic;
///
/// urcu::domain!(Requests = "requests");
///
/// let link: Atomic<u64, Requests> = Atomic::null_in(Requests);
/// assert_eq!(size_of_val(&link), size_of::<usize>());
/// assert!(link.load(Acquire, &Requests.read_lock()).is_null());
/// ```
///
/// ```compile_fail,E0308
/// use std::sync::atomic::Ordering::Acquire;
/// use urcu::raw::Atomic;
///
/// urcu::domain!(Requests = "requests");
///
/// let link: Atomic<u64, Requests> = Atomic::null_in(Requests);
/// link.load(Acquire, &urcu::read_lock());
/// ```
pub struct Atomic<T: ?Sized + Pointee, D: LinkDomain = AnyDomain> {
    /// An address from `T::adopt`, or null, with a tag.
    word: AtomicPtr<()>,
    points_to: PhantomData<*mut T>,
    /// Makes `D` invariant, so that the domain cannot be lost by subtyping.
    domain: PhantomData<fn(D) -> D>,
}

/// Names the guards that a link takes: those of [`AnyDomain`], or of a type that
/// [`domain!`](crate::domain!) made. Sealed.
pub trait LinkDomain: sealed::Sealed + Copy + 'static {
    /// The type of the guards.
    type Guard<'d>;
}

/// Stands for any domain in the type of a link, which then takes guards of all domains. Zero-sized.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyDomain;

impl LinkDomain for AnyDomain {
    type Guard<'d> = ReadGuard<'d>;
}

impl<D: DomainType> LinkDomain for D {
    type Guard<'d> = GuardOf<D>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::AnyDomain {}
    impl<D: super::DomainType> Sealed for D {}
}

// SAFETY: other threads get `&T` through a link and, by unsafe methods, owners of `T`.
unsafe impl<T: ?Sized + Pointee + Send + Sync, D: LinkDomain> Send for Atomic<T, D> {}
// SAFETY: other threads get `&T` through a link and, by unsafe methods, owners of `T`.
unsafe impl<T: ?Sized + Pointee + Send + Sync, D: LinkDomain> Sync for Atomic<T, D> {}

/// The error of [`Atomic::compare_exchange`]: the link holds another pointer.
pub struct CompareExchangeError<'g, T: ?Sized + Pointee, P: Pointer<T>> {
    /// The pointer that the link holds.
    pub current: Shared<'g, T>,
    /// The pointer that was not stored.
    pub new: P,
}

impl<T: ?Sized + Pointee> Atomic<T> {
    sync::const_fn! {
        /// Returns a null link with the tag 0. Can be used in a `static`.
        #[inline]
        pub fn null() -> Self {
            Atomic::null_in(AnyDomain)
        }
    }
}

impl<T: ?Sized + Pointee, D: LinkDomain> Atomic<T, D> {
    sync::const_fn! {
        /// Returns a null link of the given domain with the tag 0. Can be used in a `static`.
        #[inline]
        pub fn null_in(_domain: D) -> Self {
            Atomic {
                word: AtomicPtr::new(ptr::null_mut()),
                points_to: PhantomData,
                domain: PhantomData,
            }
        }
    }

    /// Returns a link of the given domain to a new node, or another link to the same node.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::Acquire;
    /// use urcu::raw::{Atomic, Owned};
    ///
    /// urcu::domain!(Requests = "requests");
    ///
    /// let link = Atomic::from_in(Owned::new(5), Requests);
    /// let guard = Requests.read_lock();
    /// let other = Atomic::from_in(link.load(Acquire, &guard), Requests);
    /// assert_eq!(other.load(Acquire, &guard), link.load(Acquire, &guard));
    /// # drop(guard);
    /// # // SAFETY: nobody else has it.
    /// # drop(unsafe { link.into_owned() });
    /// ```
    pub fn from_in(pointer: impl Pointer<T>, _domain: D) -> Self {
        Atomic {
            word: AtomicPtr::new(pointer.into_word()),
            points_to: PhantomData,
            domain: PhantomData,
        }
    }

    /// Returns the pointer, which is valid as long as the guard lives.
    ///
    /// A load with `Acquire` sees the content of a node that was published with `Release`.
    ///
    /// # Panics
    /// Panics if the ordering is `Release` or `AcqRel`.
    ///
    /// # Cost
    /// One load. Async-signal-safe, as all methods are.
    #[inline(always)]
    pub fn load<'g>(&self, order: Ordering, _guard: &'g D::Guard<'_>) -> Shared<'g, T> {
        Shared::of(self.word.load(order))
    }

    /// Returns the pointer without a guard. This is for writers that keep others from freeing the node, for example
    /// by a lock.
    ///
    /// # Safety
    /// The node is not freed as long as the result is used.
    ///
    /// # Panics
    /// As [`Atomic::load`].
    #[inline(always)]
    pub unsafe fn load_unguarded<'a>(&self, order: Ordering) -> Shared<'a, T> {
        Shared::of(self.word.load(order))
    }

    /// Stores another pointer. The old node is not freed.
    ///
    /// # Panics
    /// Panics if the ordering is `Acquire` or `AcqRel`.
    #[inline(always)]
    pub fn store(&self, new: impl Pointer<T>, order: Ordering) {
        self.word.store(new.into_word(), order);
    }

    /// Stores another pointer, and returns the old one.
    #[inline(always)]
    pub fn swap<'g>(
        &self,
        new: impl Pointer<T>,
        order: Ordering,
        _guard: &'g D::Guard<'_>,
    ) -> Shared<'g, T> {
        Shared::of(self.word.swap(new.into_word(), order))
    }

    /// Stores `new` if the link still holds `current` with the same tag, and returns `new` as a `Shared`.
    ///
    /// # Errors
    /// Returns the link's pointer and `new`, if the link does not hold `current`.
    ///
    /// # Panics
    /// Panics if `failure` is `Release` or `AcqRel`.
    #[inline(always)]
    pub fn compare_exchange<'g, P: Pointer<T>>(
        &self,
        current: Shared<'_, T>,
        new: P,
        success: Ordering,
        failure: Ordering,
        _guard: &'g D::Guard<'_>,
    ) -> Result<Shared<'g, T>, CompareExchangeError<'g, T, P>> {
        let new = new.into_word();
        let exchanged = self
            .word
            .compare_exchange(current.word(), new, success, failure);
        Self::exchanged(exchanged, new)
    }

    /// Does what [`Atomic::compare_exchange`] does, but may fail although the link holds `current`. This is cheaper
    /// in a loop on some processors.
    ///
    /// # Errors
    /// As `compare_exchange`.
    ///
    /// # Panics
    /// As `compare_exchange`.
    #[inline(always)]
    pub fn compare_exchange_weak<'g, P: Pointer<T>>(
        &self,
        current: Shared<'_, T>,
        new: P,
        success: Ordering,
        failure: Ordering,
        _guard: &'g D::Guard<'_>,
    ) -> Result<Shared<'g, T>, CompareExchangeError<'g, T, P>> {
        let new = new.into_word();
        let exchanged = self
            .word
            .compare_exchange_weak(current.word(), new, success, failure);
        Self::exchanged(exchanged, new)
    }

    #[inline(always)]
    fn exchanged<'g, P: Pointer<T>>(
        exchanged: Result<*mut (), *mut ()>,
        new: *mut (),
    ) -> Result<Shared<'g, T>, CompareExchangeError<'g, T, P>> {
        match exchanged {
            Ok(_) => Ok(Shared::of(new)),
            Err(current) => Err(CompareExchangeError {
                current: Shared::of(current),
                // SAFETY: the word is from the caller's `P`, which was not published.
                new: unsafe { P::from_word(new) },
            }),
        }
    }

    /// Replaces the pointer by `f(current)`, and returns the old one. Calls `f` again if another thread changes the
    /// link meanwhile.
    ///
    /// # Errors
    /// Returns the link's pointer if `f` returns `None`.
    ///
    /// # Panics
    /// Panics if `fetch` is `Release` or `AcqRel`.
    pub fn fetch_update<'g>(
        &self,
        set: Ordering,
        fetch: Ordering,
        guard: &'g D::Guard<'_>,
        mut f: impl FnMut(Shared<'g, T>) -> Option<Shared<'g, T>>,
    ) -> Result<Shared<'g, T>, Shared<'g, T>> {
        let mut seen = self.load(fetch, guard);
        while let Some(new) = f(seen) {
            match self.compare_exchange_weak(seen, new, set, fetch, guard) {
                Ok(_) => return Ok(seen),
                Err(error) => seen = error.current,
            }
        }
        Err(seen)
    }

    /// Sets the bits of `tag`, and returns the old pointer. Only the bits that the alignment of `T` leaves free
    /// count.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::AcqRel;
    /// use urcu::raw::Atomic;
    ///
    /// const DELETED: usize = 1;
    /// let link: Atomic<u64> = Atomic::null();
    /// let guard = urcu::read_lock();
    /// assert_eq!(link.fetch_or_tag(DELETED, AcqRel, &guard).tag(), 0);
    /// assert_eq!(link.fetch_or_tag(DELETED, AcqRel, &guard).tag(), DELETED);
    /// ```
    #[inline(always)]
    pub fn fetch_or_tag<'g>(
        &self,
        tag: usize,
        order: Ordering,
        _guard: &'g D::Guard<'_>,
    ) -> Shared<'g, T> {
        Shared::of(self.word.fetch_or(tag & tag_mask::<T>(), order))
    }

    /// Clears the tag's bits that are not in `tag`, and returns the old pointer.
    #[inline(always)]
    pub fn fetch_and_tag<'g>(
        &self,
        tag: usize,
        order: Ordering,
        _guard: &'g D::Guard<'_>,
    ) -> Shared<'g, T> {
        Shared::of(self.word.fetch_and(tag | !tag_mask::<T>(), order))
    }

    /// Inverts the bits of `tag`, and returns the old pointer.
    #[inline(always)]
    pub fn fetch_xor_tag<'g>(
        &self,
        tag: usize,
        order: Ordering,
        _guard: &'g D::Guard<'_>,
    ) -> Shared<'g, T> {
        Shared::of(self.word.fetch_xor(tag & tag_mask::<T>(), order))
    }

    /// Returns the pointer of a link that is not shared.
    #[inline]
    pub fn load_mut(&mut self) -> Shared<'_, T> {
        Shared::of(*self.word.get_mut())
    }

    /// Returns the node of a link that is not shared.
    ///
    /// # Safety
    /// Nobody else has the node or can reach it.
    #[inline]
    pub unsafe fn get_mut(&mut self) -> Option<&mut T> {
        let address = untagged::<T>(*self.word.get_mut());
        if address.is_null() {
            return None;
        }
        // SAFETY: not null, so alive. Nobody else uses the node while the link is borrowed, as the caller promises.
        Some(unsafe { &mut *T::fat(address) })
    }

    /// Returns the node with its tag, or `None` if the link is null. This is for freeing the nodes of a structure
    /// that ends.
    ///
    /// # Safety
    /// Nobody else has the node or can reach it, and no other link owns it.
    #[inline]
    pub unsafe fn into_owned(mut self) -> Option<Owned<T>> {
        let pointer = self.load_mut();
        // SAFETY: not null, so alive. Nobody else uses the node, as the caller promises.
        (!pointer.is_null()).then(|| unsafe { Owned::from_word(pointer.word()) })
    }
}

impl<T> Atomic<T> {
    /// Returns a link to a new node.
    #[inline]
    pub fn new(value: T) -> Self {
        Atomic::from(Owned::new(value))
    }
}

impl<T: ?Sized + Pointee> From<Owned<T>> for Atomic<T> {
    fn from(node: Owned<T>) -> Self {
        Atomic::from_in(node, AnyDomain)
    }
}

impl<T: ?Sized + Pointee> From<Shared<'_, T>> for Atomic<T> {
    /// Returns another link to the same node.
    fn from(pointer: Shared<'_, T>) -> Self {
        Atomic::from_in(pointer, AnyDomain)
    }
}

impl<T: ?Sized + Pointee, D: LinkDomain + Default> Default for Atomic<T, D> {
    /// Returns the null pointer.
    fn default() -> Self {
        Atomic::null_in(D::default())
    }
}

impl<T: ?Sized + Pointee, D: LinkDomain> fmt::Debug for Atomic<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = Shared::<T>::of(self.word.load(Ordering::Relaxed));
        f.debug_tuple("Atomic").field(&pointer).finish()
    }
}

impl<T: ?Sized + Pointee, D: LinkDomain> fmt::Pointer for Atomic<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = Shared::<T>::of(self.word.load(Ordering::Relaxed));
        fmt::Pointer::fmt(&pointer, f)
    }
}

impl<T: ?Sized + Pointee, P: Pointer<T>> fmt::Debug for CompareExchangeError<'_, T, P> {
    /// Has no bound on `T`, so that an exchange of any nodes can be unwrapped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompareExchangeError")
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized + Pointee, P: Pointer<T>> fmt::Display for CompareExchangeError<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the link holds another pointer")
    }
}

impl<T: ?Sized + Pointee, P: Pointer<T>> core::error::Error for CompareExchangeError<'_, T, P> {}
