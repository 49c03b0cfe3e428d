//! [`Owned`]: a value on the heap with a single owner.

use core::borrow::{Borrow, BorrowMut};
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};

use crate::guard::Guard;
use crate::pointable::{Pointable, aligned, tag_of, tagged, untagged};
use crate::shared::Shared;

/// A pointer that can be stored in an [`Atomic`](crate::Atomic): an [`Owned`] or a [`Shared`].
pub trait Pointer<T: ?Sized + Pointable> {
    /// Returns the address and the tag. The caller then owns what an `Owned` has owned.
    ///
    /// ```
    /// use crossbeam_epoch::{Owned, Pointer};
    ///
    /// let data = Owned::new(7).into_usize();
    /// // SAFETY: the data comes from `into_usize` of the same type, and is used once.
    /// assert_eq!(*unsafe { Owned::<i32>::from_usize(data) }, 7);
    /// ```
    fn into_usize(self) -> usize;

    /// Returns the pointer that consists of this address and tag.
    ///
    /// # Safety
    /// `data` comes from [`Pointer::into_usize`] of the same type, and is used once.
    unsafe fn from_usize(data: usize) -> Self;
}

/// A value on the heap with a single owner, as in a `Box`. It has a tag in the low bits of the address that the
/// alignment leaves free.
///
/// ```
/// use crossbeam_epoch::Owned;
///
/// let mut node = Owned::new([1, 2]).with_tag(1);
/// node[0] = 3;
/// assert_eq!((node.tag(), *node), (1, [3, 2]));
/// ```
pub struct Owned<T: ?Sized + Pointable> {
    /// Returns the owner of a value from `T::init`. `data` has the address and the tag.
    data: usize,
    owns: PhantomData<Box<T>>,
}

impl<T> Owned<T> {
    /// Returns the owner of the value at an address, with the tag 0.
    ///
    /// # Safety
    /// `raw` comes from a `Box<T>` or an `Owned<T>`, and nobody else owns the value.
    ///
    /// # Panics
    /// Panics if `raw` is not aligned.
    ///
    /// ```
    /// use crossbeam_epoch::Owned;
    ///
    /// // SAFETY: from a box, once.
    /// let owned = unsafe { Owned::from_raw(Box::into_raw(Box::new(5))) };
    /// assert_eq!(*owned, 5);
    /// ```
    #[track_caller]
    pub unsafe fn from_raw(raw: *mut T) -> Owned<T> {
        // SAFETY: the address is that of a box, as `init` returns for sized values. The caller owns it.
        unsafe { Owned::from_usize(aligned(raw)) }
    }

    /// Returns the same allocation as a `Box`. The tag is lost.
    ///
    /// ```
    /// use crossbeam_epoch::Owned;
    ///
    /// let boxed: Box<i32> = Owned::new(5).with_tag(1).into_box();
    /// assert_eq!(*boxed, 5);
    /// ```
    pub fn into_box(self) -> Box<T> {
        let address = untagged::<T>(self.into_usize());
        // SAFETY: from `Box::into_raw`, and this `Owned` is gone.
        unsafe { Box::from_raw(core::ptr::with_exposed_provenance_mut(address)) }
    }

    /// Allocates `init`, with the tag 0.
    ///
    /// ```
    /// use crossbeam_epoch::Owned;
    /// assert_eq!(*Owned::new(5), 5);
    /// ```
    #[inline]
    pub fn new(init: T) -> Owned<T> {
        Self::init(init)
    }
}

impl<T: ?Sized + Pointable> Owned<T> {
    /// Allocates a value from its initial data: see [`Pointable::Init`].
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    /// use crossbeam_epoch::Owned;
    ///
    /// assert_eq!(Owned::<[MaybeUninit<u8>]>::init(3).len(), 3);
    /// ```
    #[inline]
    pub fn init(init: T::Init) -> Owned<T> {
        // SAFETY: the value is dropped by this `Owned`, or by an owner that takes it over.
        unsafe { Owned::from_usize(T::init(init)) }
    }

    /// Gives up ownership of the value, and returns a pointer to it.
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
    pub fn into_shared<'g>(self, _: &'g Guard) -> Shared<'g, T> {
        Shared::of(self.into_usize())
    }

    /// Returns the tag.
    ///
    /// ```
    /// assert_eq!(crossbeam_epoch::Owned::new(5).tag(), 0);
    /// ```
    #[inline]
    pub fn tag(&self) -> usize {
        tag_of::<T>(self.data)
    }

    /// Returns the same value with another tag. Only as many low bits of `tag` count as the alignment leaves free.
    ///
    /// ```
    /// assert_eq!(crossbeam_epoch::Owned::new(5_u64).with_tag(9).tag(), 1);
    /// ```
    #[inline]
    pub fn with_tag(self, tag: usize) -> Owned<T> {
        let data = tagged::<T>(self.into_usize(), tag);
        // SAFETY: the data comes from this very `Owned`, which is gone.
        unsafe { Owned::from_usize(data) }
    }
}

impl<T: ?Sized + Pointable> Pointer<T> for Owned<T> {
    #[inline(always)]
    fn into_usize(self) -> usize {
        let data = self.data;
        mem::forget(self);
        data
    }

    /// # Safety
    /// The requirements of the trait. In addition, the pointer is not null.
    #[inline(always)]
    unsafe fn from_usize(data: usize) -> Self {
        debug_assert_ne!(untagged::<T>(data), 0, "a null pointer owns nothing");
        Owned {
            data,
            owns: PhantomData,
        }
    }
}

impl<T: ?Sized + Pointable> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the value comes from `init`. This is its only owner, and is being dropped.
        unsafe { T::drop(untagged::<T>(self.data)) };
    }
}

impl<T: ?Sized + Pointable> Deref for Owned<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the value comes from `init`, is alive, and is not mutably borrowed while this is borrowed.
        unsafe { T::deref(untagged::<T>(self.data)) }
    }
}

impl<T: ?Sized + Pointable> DerefMut for Owned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the value comes from `init`, is alive, and is used by nobody else while this is mutably borrowed.
        unsafe { T::deref_mut(untagged::<T>(self.data)) }
    }
}

impl<T: ?Sized + Pointable> fmt::Debug for Owned<T> {
    /// Writes the address and the tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_pointer::<T>("Owned", self.data, f)
    }
}

impl<T: Clone> Clone for Owned<T> {
    /// Returns a copy of the value, with the same tag.
    fn clone(&self) -> Self {
        Owned::new((**self).clone()).with_tag(self.tag())
    }
}

impl<T> From<T> for Owned<T> {
    fn from(value: T) -> Self {
        Owned::new(value)
    }
}

impl<T> From<Box<T>> for Owned<T> {
    /// Returns the same allocation.
    fn from(value: Box<T>) -> Self {
        // SAFETY: the address comes from a box, which is gone.
        unsafe { Owned::from_raw(Box::into_raw(value)) }
    }
}

impl<T: ?Sized + Pointable> Borrow<T> for Owned<T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized + Pointable> BorrowMut<T> for Owned<T> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + Pointable> AsRef<T> for Owned<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized + Pointable> AsMut<T> for Owned<T> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

/// Writes a pointer of a type with this name.
pub(crate) fn fmt_pointer<T: ?Sized + Pointable>(
    name: &str,
    data: usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.debug_struct(name)
        .field("raw", &format_args!("{:#x}", untagged::<T>(data)))
        .field("tag", &tag_of::<T>(data))
        .finish()
}
