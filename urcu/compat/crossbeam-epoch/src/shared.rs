//! [`Shared`]: a pointer that was loaded, and that a guard protects.

use core::cmp;
use core::fmt;
use core::marker::PhantomData;
use core::ptr;

use crate::owned::{Owned, Pointer, fmt_pointer};
use crate::pointable::{Pointable, aligned, tag_of, tagged, untagged};

/// A pointer that was loaded from an [`Atomic`](crate::Atomic), with its tag. It may be null. It is valid as long as
/// the [`Guard`](crate::Guard) that it borrows.
pub struct Shared<'g, T: 'g + ?Sized + Pointable> {
    data: usize,
    borrows: PhantomData<(&'g (), *const T)>,
}

impl<'g, T> Shared<'g, T> {
    /// Returns the address without the tag.
    ///
    /// ```
    /// use crossbeam_epoch::Shared;
    ///
    /// let value = 5_u32;
    /// assert_eq!(Shared::from(&raw const value).with_tag(1).as_raw(), &raw const value);
    /// ```
    #[inline]
    pub fn as_raw(&self) -> *const T {
        ptr::with_exposed_provenance(untagged::<T>(self.data))
    }
}

impl<'g, T: ?Sized + Pointable> Shared<'g, T> {
    #[inline(always)]
    pub(crate) const fn of(data: usize) -> Self {
        Shared {
            data,
            borrows: PhantomData,
        }
    }

    /// Returns the null pointer with the tag 0.
    ///
    /// ```
    /// assert!(crossbeam_epoch::Shared::<u32>::null().is_null());
    /// ```
    pub const fn null() -> Shared<'g, T> {
        Shared::of(0)
    }

    /// Returns whether the pointer is null, whatever its tag.
    ///
    /// ```
    /// use crossbeam_epoch::Shared;
    ///
    /// assert!(Shared::<u32>::null().with_tag(1).is_null());
    /// assert!(!Shared::from(&raw const *"text".to_string()
    ///     .as_bytes().first().unwrap()).is_null());
    /// ```
    #[inline]
    pub fn is_null(&self) -> bool {
        untagged::<T>(self.data) == 0
    }

    /// Returns the value of a pointer that is not null.
    ///
    /// # Safety
    /// The pointer is not null. As long as the guard lives, the value is not freed, and nobody has a mutable
    /// reference to it. The pointer was published with `Release` and loaded with `Acquire`, or something else orders
    /// the two.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic};
    ///
    /// let link = Atomic::new(5);
    /// let guard = epoch::pin();
    /// // SAFETY: the value is there, and nobody frees it.
    /// assert_eq!(unsafe { *link.load(SeqCst, &guard).deref() }, 5);
    /// # unsafe { drop(link.into_owned()) };
    /// ```
    #[inline]
    pub unsafe fn deref(&self) -> &'g T {
        // SAFETY: by the contract of this function, the pointer is not null, and the value is alive and not mutably
        // borrowed.
        unsafe { T::deref(untagged::<T>(self.data)) }
    }

    /// Returns the value of a pointer that is not null, mutably.
    ///
    /// # Safety
    /// The requirements of [`Shared::deref`]. In addition, nobody else uses the value while the reference is used.
    ///
    /// ```
    /// use std::sync::atomic::Ordering::SeqCst;
    /// use crossbeam_epoch::{self as epoch, Atomic};
    ///
    /// let link = Atomic::new(vec![1]);
    /// let guard = epoch::pin();
    /// // SAFETY: the value is there, and nobody else uses it.
    /// unsafe { link.load(SeqCst, &guard).deref_mut().push(2) };
    /// assert_eq!(unsafe { link.load(SeqCst, &guard).deref() }, &[1, 2]);
    /// # unsafe { drop(link.into_owned()) };
    /// ```
    #[inline]
    pub unsafe fn deref_mut(&mut self) -> &'g mut T {
        // SAFETY: by the contract of this function, the pointer is not null, and the value is alive and the caller's
        // alone.
        unsafe { T::deref_mut(untagged::<T>(self.data)) }
    }

    /// Returns the value, or `None` if the pointer is null.
    ///
    /// # Safety
    /// The pointer is null, or the requirements of [`Shared::deref`] hold.
    ///
    /// ```
    /// use crossbeam_epoch::Shared;
    ///
    /// // SAFETY: the pointer is null.
    /// assert_eq!(unsafe { Shared::<u32>::null().as_ref() }, None);
    /// ```
    #[inline]
    pub unsafe fn as_ref(&self) -> Option<&'g T> {
        // SAFETY: by the contract of this function, the pointer is not null, and the value is alive and not mutably
        // borrowed.
        (!self.is_null()).then(|| unsafe { T::deref(untagged::<T>(self.data)) })
    }

    /// Returns an owner of the value, with the tag.
    ///
    /// # Safety
    /// The pointer is not null. Its value is alive, and nobody else uses it or can reach it any more.
    ///
    /// # Panics
    /// Panics if the pointer is null, in builds with debug assertions.
    ///
    /// ```
    /// use crossbeam_epoch::{self as epoch, Owned};
    ///
    /// let guard = epoch::pin();
    /// let shared = Owned::new(5).into_shared(&guard);
    /// // SAFETY: nobody else has seen it.
    /// assert_eq!(*unsafe { shared.into_owned() }, 5);
    /// ```
    #[inline]
    #[track_caller]
    pub unsafe fn into_owned(self) -> Owned<T> {
        debug_assert!(!self.is_null(), "a null pointer owns nothing");
        // SAFETY: by the contract of this function, the value is alive and the caller's alone.
        unsafe { Owned::from_usize(self.data) }
    }

    /// Returns an owner of the value, or `None` if the pointer is null.
    ///
    /// # Safety
    /// The pointer is null, or the requirements of [`Shared::into_owned`] hold.
    ///
    /// ```
    /// use crossbeam_epoch::Shared;
    ///
    /// // SAFETY: the pointer is null.
    /// assert!(unsafe { Shared::<u32>::null().try_into_owned() }.is_none());
    /// ```
    #[inline]
    pub unsafe fn try_into_owned(self) -> Option<Owned<T>> {
        // SAFETY: by the contract of this function, the pointer is not null, and the value is the caller's alone.
        (!self.is_null()).then(|| unsafe { Owned::from_usize(self.data) })
    }

    /// Returns the tag.
    ///
    /// ```
    /// assert_eq!(crossbeam_epoch::Shared::<u32>::null().tag(), 0);
    /// ```
    #[inline]
    pub fn tag(&self) -> usize {
        tag_of::<T>(self.data)
    }

    /// Returns the same pointer with another tag. Only as many low bits of `tag` count as the alignment leaves free.
    ///
    /// ```
    /// assert_eq!(crossbeam_epoch::Shared::<u32>::null().with_tag(7).tag(), 3);
    /// ```
    #[inline]
    pub fn with_tag(&self, tag: usize) -> Shared<'g, T> {
        Shared::of(tagged::<T>(self.data, tag))
    }
}

impl<T: ?Sized + Pointable> Pointer<T> for Shared<'_, T> {
    #[inline(always)]
    fn into_usize(self) -> usize {
        self.data
    }

    #[inline(always)]
    unsafe fn from_usize(data: usize) -> Self {
        Shared::of(data)
    }
}

impl<T: ?Sized + Pointable> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized + Pointable> Copy for Shared<'_, T> {}

impl<T> From<*const T> for Shared<'_, T> {
    /// Returns a pointer with the tag 0.
    ///
    /// # Panics
    /// Panics if `raw` is not aligned.
    #[track_caller]
    fn from(raw: *const T) -> Self {
        Shared::of(aligned(raw))
    }
}

impl<'g, T: ?Sized + Pointable> PartialEq<Shared<'g, T>> for Shared<'g, T> {
    /// Compares addresses and tags.
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl<T: ?Sized + Pointable> Eq for Shared<'_, T> {}

impl<'g, T: ?Sized + Pointable> PartialOrd<Shared<'g, T>> for Shared<'g, T> {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized + Pointable> Ord for Shared<'_, T> {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.data.cmp(&other.data)
    }
}

impl<T: ?Sized + Pointable> fmt::Debug for Shared<'_, T> {
    /// Writes the address and the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_pointer::<T>("Shared", self.data, f)
    }
}

impl<T: ?Sized + Pointable> fmt::Pointer for Shared<'_, T> {
    /// Writes the address without the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&ptr::without_provenance::<()>(untagged::<T>(self.data)), f)
    }
}

impl<T: ?Sized + Pointable> Default for Shared<'_, T> {
    fn default() -> Self {
        Shared::null()
    }
}
