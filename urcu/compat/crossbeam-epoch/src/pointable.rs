//! [`Pointable`]: the types that a one-word pointer can point to.

use core::alloc::Layout;
use core::mem::{MaybeUninit, align_of};
use core::ptr;
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// Types that a pointer of one word can point to: all `Sized` types, and slices of `MaybeUninit<T>`, whose length is
/// stored in front of their elements.
///
/// Implement this for your own types that are not `Sized`.
///
/// ```
/// use std::mem::MaybeUninit;
/// use crossbeam_epoch::Owned;
///
/// let ten = Owned::<[MaybeUninit<i32>]>::init(10);
/// assert_eq!(ten.len(), 10);
/// assert_eq!(size_of_val(&ten), size_of::<usize>());
/// ```
pub trait Pointable {
    /// The alignment of every address in bytes, a power of two. It leaves the low bits free for tags.
    const ALIGN: usize;

    /// The initial data of a value: for a sized type the value, for a slice its length.
    type Init;

    /// Allocates a value, and returns its address, a multiple of [`ALIGN`](Pointable::ALIGN).
    ///
    /// # Safety
    /// The value is only freed by [`Pointable::drop`].
    unsafe fn init(init: Self::Init) -> usize;

    /// Returns the value at an address.
    ///
    /// # Safety
    /// `ptr` comes from [`Pointable::init`]. During `'a` the value is not dropped, and nobody has a mutable reference
    /// to it.
    unsafe fn deref<'a>(ptr: usize) -> &'a Self;

    /// Returns the value at an address, mutably.
    ///
    /// # Safety
    /// `ptr` comes from [`Pointable::init`]. During `'a` the value is not dropped, and nobody else uses it.
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut Self;

    /// Drops the value at an address, and frees its memory.
    ///
    /// # Safety
    /// `ptr` comes from [`Pointable::init`]. Nobody else uses the value, and this is called once.
    unsafe fn drop(ptr: usize);
}

impl<T> Pointable for T {
    const ALIGN: usize = align_of::<T>();
    type Init = T;

    #[inline]
    unsafe fn init(init: T) -> usize {
        Box::into_raw(Box::new(init)).expose_provenance()
    }

    #[inline(always)]
    unsafe fn deref<'a>(ptr: usize) -> &'a T {
        // SAFETY: by the contract of this function, this is the address of a live box, which `init` or `Box::into_raw`
        // exposed, and nobody has a mutable reference to the value.
        unsafe { &*ptr::with_exposed_provenance(ptr) }
    }

    #[inline(always)]
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut T {
        // SAFETY: by the contract of this function, this is the address of a live box that nobody else uses.
        unsafe { &mut *ptr::with_exposed_provenance_mut(ptr) }
    }

    #[inline]
    unsafe fn drop(ptr: usize) {
        // SAFETY: the address comes from `Box::into_raw`. Only the caller uses the box, and does this once.
        drop(unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<T>(ptr)) });
    }
}

/// Returns the layout of a length followed by that many elements.
///
/// The distance at which the elements begin depends only on their alignment.
fn layout<T>(length: usize) -> (Layout, usize) {
    let elements = Layout::array::<MaybeUninit<T>>(length);
    let whole = elements.and_then(|elements| Layout::new::<usize>().extend(elements));
    whole.expect("the size of a slice is more than there can be")
}

/// Returns the slice whose length is at this address.
///
/// # Safety
/// `ptr` comes from `init` of `[MaybeUninit<T>]`, and the value is not dropped.
unsafe fn slice<T>(ptr: usize) -> *mut [MaybeUninit<T>] {
    let start = ptr::with_exposed_provenance_mut::<usize>(ptr);
    // SAFETY: `init` wrote the length there, and allocated the elements at that distance.
    unsafe {
        let elements = start.byte_add(layout::<T>(0).1).cast();
        ptr::slice_from_raw_parts_mut(elements, start.read())
    }
}

impl<T> Pointable for [MaybeUninit<T>] {
    const ALIGN: usize = if align_of::<T>() > align_of::<usize>() {
        align_of::<T>()
    } else {
        align_of::<usize>()
    };
    type Init = usize;

    unsafe fn init(length: usize) -> usize {
        let layout = layout::<T>(length).0;
        // SAFETY: the layout has at least the size of a word.
        let start = unsafe { alloc(layout) }.cast::<usize>();
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: there is room for an aligned word, and nobody else uses it.
        unsafe { start.write(length) };
        start.expose_provenance()
    }

    #[inline]
    unsafe fn deref<'a>(ptr: usize) -> &'a Self {
        // SAFETY: by the contract of this function, the value comes from `init`, is alive, and nobody has a mutable
        // reference to it.
        unsafe { &*slice::<T>(ptr) }
    }

    #[inline]
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut Self {
        // SAFETY: by the contract of this function, the value comes from `init`, is alive, and is the caller's alone.
        unsafe { &mut *slice::<T>(ptr) }
    }

    unsafe fn drop(ptr: usize) {
        // SAFETY: the address comes from `init`, with the layout for the length that is stored there. Only the caller
        // uses it, and does this once. Elements that may be uninitialised are not dropped.
        unsafe {
            let layout = layout::<T>(slice::<T>(ptr).len()).0;
            dealloc(ptr::with_exposed_provenance_mut(ptr), layout);
        }
    }
}

/// Returns a mask of the low bits that are zero in every address of a `T`.
#[inline(always)]
pub(crate) const fn tag_mask<T: ?Sized + Pointable>() -> usize {
    (1 << T::ALIGN.trailing_zeros()) - 1
}

#[inline(always)]
pub(crate) const fn untagged<T: ?Sized + Pointable>(data: usize) -> usize {
    data & !tag_mask::<T>()
}

#[inline(always)]
pub(crate) const fn tag_of<T: ?Sized + Pointable>(data: usize) -> usize {
    data & tag_mask::<T>()
}

#[inline(always)]
pub(crate) const fn tagged<T: ?Sized + Pointable>(data: usize, tag: usize) -> usize {
    untagged::<T>(data) | (tag & tag_mask::<T>())
}

/// Returns the address of a pointer that a caller has passed.
///
/// # Panics
/// Panics if the pointer is not aligned, because its low bits would become a tag.
#[inline]
#[track_caller]
pub(crate) fn aligned<T>(raw: *const T) -> usize {
    let data = raw.expose_provenance();
    assert_eq!(tag_of::<T>(data), 0, "unaligned pointer");
    data
}
