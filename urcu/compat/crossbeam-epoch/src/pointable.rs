//! What a one-word pointer can point to.

use core::alloc::Layout;
use core::mem::{MaybeUninit, align_of};
use core::ptr;
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// Types that can be reached by a pointer of one word: all that have a size, and slices of
/// `MaybeUninit<T>`, whose length lies in front of their elements.
///
/// Implement it for types of your own that are not `Sized`.
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
    /// The alignment of every address, a power of two. Bytes. Its low bits are free for tags.
    const ALIGN: usize;

    /// The initial data of a value: for a sized type the value, for a slice its length.
    type Init;

    /// Allocates a value, and returns its address, a multiple of [`ALIGN`](Pointable::ALIGN).
    ///
    /// # Safety
    /// The value is given back by [`Pointable::drop`] alone.
    unsafe fn init(init: Self::Init) -> usize;

    /// Returns the value at an address.
    ///
    /// # Safety
    /// `ptr` is from [`Pointable::init`] and not dropped during `'a`, and nobody has the value mutably.
    unsafe fn deref<'a>(ptr: usize) -> &'a Self;

    /// Returns the value at an address, mutably.
    ///
    /// # Safety
    /// `ptr` is from [`Pointable::init`] and not dropped during `'a`, and nobody else has the value.
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut Self;

    /// Drops the value at an address, and frees its memory.
    ///
    /// # Safety
    /// `ptr` is from [`Pointable::init`], nobody else has the value, and this is called once.
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
        // SAFETY: the address of a live box, which `init` or `Box::into_raw` exposed, and which nobody
        // has mutably: by the contract of this function.
        unsafe { &*ptr::with_exposed_provenance(ptr) }
    }

    #[inline(always)]
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut T {
        // SAFETY: the address of a live box that nobody else has: by the contract of this function.
        unsafe { &mut *ptr::with_exposed_provenance_mut(ptr) }
    }

    #[inline]
    unsafe fn drop(ptr: usize) {
        // SAFETY: from `Box::into_raw`, and the caller has it alone and does this once.
        drop(unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<T>(ptr)) });
    }
}

/// Returns an allocation of a length and as many elements.
///
/// The `T`s begin at a distance that depends on their alignment alone.
fn layout<T>(length: usize) -> (Layout, usize) {
    let elements = Layout::array::<MaybeUninit<T>>(length);
    let whole = elements.and_then(|elements| Layout::new::<usize>().extend(elements));
    whole.expect("the size of a slice is more than there can be")
}

/// Returns the slice behind the length at an address.
///
/// # Safety
/// `ptr` is from `init` of `[MaybeUninit<T>]`, and not dropped.
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
        // SAFETY: it has the size of a word at least.
        let start = unsafe { alloc(layout) }.cast::<usize>();
        if start.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: there is room for a word, aligned, and nobody else has it.
        unsafe { start.write(length) };
        start.expose_provenance()
    }

    #[inline]
    unsafe fn deref<'a>(ptr: usize) -> &'a Self {
        // SAFETY: from `init`, alive, and nobody has it mutably: by the contract of this function.
        unsafe { &*slice::<T>(ptr) }
    }

    #[inline]
    unsafe fn deref_mut<'a>(ptr: usize) -> &'a mut Self {
        // SAFETY: from `init`, alive, and the caller's alone: by the contract of this function.
        unsafe { &mut *slice::<T>(ptr) }
    }

    unsafe fn drop(ptr: usize) {
        // SAFETY: from `init`, with the layout of the length that lies there; the caller has it alone and
        // does this once. Elements that may be uninitialised are not dropped.
        unsafe {
            let layout = layout::<T>(slice::<T>(ptr).len()).0;
            dealloc(ptr::with_exposed_provenance_mut(ptr), layout);
        }
    }
}

/// Returns the low bits of addresses of `T` that are zero.
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

/// Returns the address of a pointer from outside.
///
/// # Panics
/// If it is not aligned, because a tag would be made of it.
#[inline]
#[track_caller]
pub(crate) fn aligned<T>(raw: *const T) -> usize {
    let data = raw.expose_provenance();
    assert_eq!(tag_of::<T>(data), 0, "unaligned pointer");
    data
}
