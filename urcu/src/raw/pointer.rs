//! Pointers to nodes: owned ones, and those that were loaded from links.

use core::borrow::{Borrow, BorrowMut};
use core::cmp;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::ptr;

use super::pointee::{Pointee, tag_of, tagged, untagged, view};
use crate::domain::ReadGuard;

mod sealed {
    pub trait Sealed {}
    impl<T: ?Sized + super::Pointee> Sealed for super::Owned<T> {}
    impl<T: ?Sized + super::Pointee> Sealed for super::Shared<'_, T> {}
}

/// A pointer that can be stored in an [`Atomic`](super::Atomic): an [`Owned`] or a [`Shared`].
pub trait Pointer<T: ?Sized + Pointee>: sealed::Sealed {
    /// Returns the address and the tag. The ownership of an `Owned` goes to the caller.
    #[doc(hidden)]
    fn into_word(self) -> *mut ();

    /// # Safety
    /// `word` is from [`Pointer::into_word`] of the same type, and is used once.
    #[doc(hidden)]
    unsafe fn from_word(word: *mut ()) -> Self;
}

/// A value on the heap that nobody else knows, on its way into a structure or out of it. It is like a `Box` with a
/// tag, but one word even for a slice or a `str`.
///
/// ```
/// use urcu::raw::Owned;
///
/// let mut node = Owned::new([1, 2]).with_tag(1);
/// node[0] = 3;
/// assert_eq!((node.tag(), *node), (1, [3, 2]));
/// let name: Owned<str> = Owned::from("one word");
/// assert_eq!(size_of_val(&name), size_of::<usize>());
/// assert_eq!(&*name, "one word");
/// ```
pub struct Owned<T: ?Sized + Pointee> {
    /// An address from `T::adopt`, with a tag. Never null.
    word: *mut (),
    owns: PhantomData<Box<T>>,
}

// SAFETY: an `Owned` owns its `T`, as a `Box` does.
unsafe impl<T: ?Sized + Pointee + Send> Send for Owned<T> {}
// SAFETY: a shared `Owned` only gives out `&T`.
unsafe impl<T: ?Sized + Pointee + Sync> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// Returns a new node with the tag 0.
    #[inline]
    pub fn new(value: T) -> Self {
        Owned::from(Box::new(value))
    }

    /// Returns the value, and frees the node.
    #[inline]
    pub fn into_inner(self) -> T {
        *self.into_box()
    }

    /// Returns the same allocation as a `Box`, without the tag.
    #[inline]
    pub fn into_box(self) -> Box<T> {
        let address = untagged::<T>(self.into_word());
        // SAFETY: `adopt` of a sized value is `Box::into_raw`, and this `Owned` is gone.
        unsafe { Box::from_raw(address.cast()) }
    }
}

impl<T: ?Sized + Pointee> Owned<T> {
    /// Returns the tag.
    #[inline]
    pub fn tag(&self) -> usize {
        tag_of::<T>(self.word)
    }

    /// Returns the same node with another tag. Only the bits that the alignment of `T` leaves free count.
    #[inline]
    #[must_use]
    pub fn with_tag(self, tag: usize) -> Self {
        let word = tagged::<T>(self.into_word(), tag);
        // SAFETY: the word is from this `Owned`, which is consumed.
        unsafe { Owned::from_word(word) }
    }

    /// Gives up ownership and returns a pointer, to be linked, or to be owned again by [`Shared::into_owned`].
    #[inline]
    pub fn into_shared<'g>(self, _guard: &'g ReadGuard<'_>) -> Shared<'g, T> {
        Shared::of(self.into_word())
    }

    /// Gives up ownership and returns the node's address without the tag. [`Owned::from_raw`] takes the node back.
    #[inline]
    pub fn into_raw(self) -> *mut T {
        let address = untagged::<T>(self.into_word());
        // SAFETY: the address is from `adopt`, and the node is still alive.
        unsafe { T::fat(address) }
    }
}

impl<T> Owned<T> {
    /// Takes ownership of the node at an address, with the tag 0.
    ///
    /// # Safety
    /// `raw` is from [`Owned::into_raw`] or `Box::into_raw`, and nobody else owns it.
    #[inline]
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: the address is from `Box::into_raw`, which is what `adopt` returns for sized values.
        unsafe { Owned::from_word(raw.cast()) }
    }
}

impl<T: ?Sized + Pointee> Pointer<T> for Owned<T> {
    #[inline(always)]
    fn into_word(self) -> *mut () {
        let word = self.word;
        mem::forget(self);
        word
    }

    #[inline(always)]
    unsafe fn from_word(word: *mut ()) -> Self {
        Owned {
            word,
            owns: PhantomData,
        }
    }
}

impl<T: ?Sized + Pointee> From<Box<T>> for Owned<T> {
    /// Takes over the allocation of a sized value; a slice or a `str` gets a new one.
    #[inline]
    fn from(value: Box<T>) -> Self {
        let word = T::adopt(value);
        // SAFETY: the word is from `adopt`, and nobody else has it.
        unsafe { Owned::from_word(word) }
    }
}

impl From<&str> for Owned<str> {
    fn from(text: &str) -> Self {
        Owned::from(Box::<str>::from(text))
    }
}

impl<T> From<Vec<T>> for Owned<[T]> {
    fn from(elements: Vec<T>) -> Self {
        Owned::from(elements.into_boxed_slice())
    }
}

impl<T> FromIterator<T> for Owned<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Owned::from(elements.into_iter().collect::<Box<[T]>>())
    }
}

impl<T: Clone> Clone for Owned<T> {
    /// Returns a new node with the same tag.
    fn clone(&self) -> Self {
        Owned::new((**self).clone()).with_tag(self.tag())
    }
}

impl<T: ?Sized + Pointee> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the address is from `adopt`, and only this `Owned`, which is being dropped, owns it.
        unsafe { T::free(untagged::<T>(self.word)) };
    }
}

impl<T: ?Sized + Pointee> Deref for Owned<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the address is from `adopt`, and the value is alive and not mutated while `self` is borrowed.
        unsafe { &*T::fat(untagged::<T>(self.word)) }
    }
}

impl<T: ?Sized + Pointee> DerefMut for Owned<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the address is from `adopt`, and the value is alive and exclusively ours while `self` is borrowed
        // mutably.
        unsafe { &mut *T::fat(untagged::<T>(self.word)) }
    }
}

impl<T: ?Sized + Pointee> AsRef<T> for Owned<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized + Pointee> AsMut<T> for Owned<T> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + Pointee> Borrow<T> for Owned<T> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized + Pointee> BorrowMut<T> for Owned<T> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + Pointee + fmt::Debug> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned")
            .field("value", &&**self)
            .field("tag", &self.tag())
            .finish()
    }
}

/// A pointer that was loaded from an [`Atomic`](super::Atomic), with its tag; it may be null. It borrows the guard
/// with which it was loaded, so it cannot outlive the section.
///
/// It is a copy of an address. Its target may be read as long as the structure keeps it alive, which the caller of
/// the unsafe [`Shared::as_ref`] has to ensure.
pub struct Shared<'g, T: ?Sized + Pointee> {
    word: *mut (),
    borrows: PhantomData<(&'g (), *const T)>,
}

// SAFETY: another thread may get `&T` or an owner of it (`into_owned`) through it, both by unsafe methods.
unsafe impl<T: ?Sized + Pointee + Send + Sync> Send for Shared<'_, T> {}
// SAFETY: another thread may get `&T` or an owner of it (`into_owned`) through it, both by unsafe methods.
unsafe impl<T: ?Sized + Pointee + Send + Sync> Sync for Shared<'_, T> {}

impl<'g, T: ?Sized + Pointee> Shared<'g, T> {
    /// Returns the null pointer with the tag 0.
    #[inline]
    pub const fn null() -> Self {
        Shared::of(ptr::null_mut())
    }

    #[inline(always)]
    pub(super) const fn of(word: *mut ()) -> Self {
        Shared {
            word,
            borrows: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn word(self) -> *mut () {
        self.word
    }

    /// Returns whether the pointer is null, whatever its tag.
    #[inline]
    pub fn is_null(self) -> bool {
        untagged::<T>(self.word).is_null()
    }

    /// Returns the tag.
    #[inline]
    pub fn tag(self) -> usize {
        tag_of::<T>(self.word)
    }

    /// Returns the same pointer with another tag, of which as many low bits count as the alignment has
    /// zeroes.
    #[inline]
    #[must_use]
    pub fn with_tag(self, tag: usize) -> Self {
        Shared::of(tagged::<T>(self.word, tag))
    }

    /// Returns a reference to the node, or `None` for null. The tag is ignored.
    ///
    /// # Safety
    /// As long as the reference lives, the node is not freed, and changes only through its atomics. So the node
    /// must have been reachable at some moment of the section that the pointer borrows, and be freed only after a
    /// grace period of that section's domain that begins after it was unlinked. The node was published with
    /// `Release`, and loaded with `Acquire`.
    #[inline(always)]
    pub unsafe fn as_ref(self) -> Option<&'g T> {
        // SAFETY: null, or alive and unchanged during `'g`, as the caller promises.
        unsafe { view(self.word) }
    }

    /// Returns a reference to the node of a pointer that is not null.
    ///
    /// # Safety
    /// As [`Shared::as_ref`], and the pointer is not null.
    #[inline(always)]
    pub unsafe fn deref(self) -> &'g T {
        // SAFETY: not null, and alive and unchanged during `'g`, as the caller promises.
        unsafe { &*T::fat(untagged::<T>(self.word)) }
    }

    /// Returns an owner of the node.
    ///
    /// # Safety
    /// The pointer is not null, the node is alive, and nobody else has it or can reach it any more: either it was
    /// unlinked and a grace period has passed since, or it was never published.
    #[inline]
    pub unsafe fn into_owned(self) -> Owned<T> {
        // SAFETY: the node is alive and nobody else uses it, as the caller promises.
        unsafe { Owned::from_word(self.word) }
    }
}

impl<T> Shared<'_, T> {
    /// Returns the address without the tag.
    #[inline]
    pub fn as_raw(self) -> *const T {
        untagged::<T>(self.word).cast_const().cast()
    }
}

impl<T: ?Sized + Pointee> Pointer<T> for Shared<'_, T> {
    #[inline(always)]
    fn into_word(self) -> *mut () {
        self.word
    }

    #[inline(always)]
    unsafe fn from_word(word: *mut ()) -> Self {
        Shared::of(word)
    }
}

impl<T: ?Sized + Pointee> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized + Pointee> Copy for Shared<'_, T> {}

impl<T: ?Sized + Pointee> PartialEq for Shared<'_, T> {
    /// Compares addresses and tags.
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl<T: ?Sized + Pointee> Eq for Shared<'_, T> {}

impl<T: ?Sized + Pointee> PartialOrd for Shared<'_, T> {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized + Pointee> Ord for Shared<'_, T> {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.word.cmp(&other.word)
    }
}

impl<T: ?Sized + Pointee> Hash for Shared<'_, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.word.hash(state);
    }
}

impl<T: ?Sized + Pointee> Default for Shared<'_, T> {
    /// Returns the null pointer.
    fn default() -> Self {
        Shared::null()
    }
}

impl<T: ?Sized + Pointee> fmt::Debug for Shared<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("address", &untagged::<T>(self.word))
            .field("tag", &self.tag())
            .finish()
    }
}

impl<T: ?Sized + Pointee> fmt::Pointer for Shared<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&untagged::<T>(self.word), f)
    }
}
