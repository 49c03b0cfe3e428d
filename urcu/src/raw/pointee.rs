//! The types to which a one-word pointer can point.

use core::alloc::Layout;
use core::marker::PhantomData;
use core::mem::align_of;
use core::ptr;
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// Types that can be reached by a pointer of one word: all that have a size, slices, and `str`.
///
/// A sized value lies in an allocation like a `Box`'s. A slice or a string has its length in front of
/// it, in the same allocation. A trait object has no such form: put a `Box<dyn Trait>` into the node.
///
/// # Safety
/// An address from [`adopt`](Pointee::adopt), or from this crate's constructors, is aligned to
/// [`ALIGN`](Pointee::ALIGN), and the other functions accept it until [`free`](Pointee::free) is called.
pub unsafe trait Pointee {
    /// The alignment of every address, a power of two. Bytes. `ALIGN.trailing_zeros()` low bits of an
    /// address are free for tags.
    const ALIGN: usize;

    /// Moves a boxed value to where a one-word pointer can reach it.
    #[doc(hidden)]
    fn adopt(value: Box<Self>) -> *mut ();

    /// Returns a pointer to the value.
    ///
    /// # Safety
    /// `address` is from [`adopt`](Pointee::adopt), and was not freed.
    #[doc(hidden)]
    unsafe fn fat(address: *mut ()) -> *mut Self;

    /// Drops the value and frees its memory.
    ///
    /// # Safety
    /// `address` is from [`adopt`](Pointee::adopt). This is called once, when nobody else uses the value.
    #[doc(hidden)]
    unsafe fn free(address: *mut ());
}

// SAFETY: the address is from a `Box`.
unsafe impl<T> Pointee for T {
    const ALIGN: usize = align_of::<T>();

    #[inline]
    fn adopt(value: Box<T>) -> *mut () {
        Box::into_raw(value).cast()
    }

    #[inline(always)]
    unsafe fn fat(address: *mut ()) -> *mut T {
        address.cast()
    }

    #[inline]
    unsafe fn free(address: *mut ()) {
        // SAFETY: from `Box::into_raw` in `adopt`. Nobody else uses it, and the caller calls this once.
        drop(unsafe { Box::from_raw(address.cast::<T>()) });
    }
}

/// An allocation that holds `length: usize` and the elements.
struct Sliced<T>(PhantomData<T>);

impl<T> Sliced<T> {
    const ALIGN: usize = if align_of::<T>() > align_of::<usize>() {
        align_of::<T>()
    } else {
        align_of::<usize>()
    };

    /// Returns the layout of the whole allocation, and the offset of the elements.
    fn layout(length: usize) -> (Layout, usize) {
        let elements = Layout::array::<T>(length);
        let whole = elements.and_then(|elements| Layout::new::<usize>().extend(elements));
        whole.expect("a slice that exists, and a word more")
    }

    fn adopt(value: Box<[T]>) -> *mut () {
        let length = value.len();
        let (layout, offset) = Self::layout(length);
        // SAFETY: the layout has the size of a word at least.
        let address = unsafe { alloc(layout) };
        if address.is_null() {
            handle_alloc_error(layout);
        }
        // The elements are moved out; the remaining box is freed without dropping them.
        let elements = Box::into_raw(value);
        // SAFETY: the new allocation has room for the length and, at `offset`, for the elements, and nobody else
        // uses it. The old one is from a box, and its elements are not used again.
        unsafe {
            address.cast::<usize>().write(length);
            ptr::copy_nonoverlapping(elements.cast::<T>(), address.add(offset).cast(), length);
            drop(Box::from_raw(elements as *mut [core::mem::ManuallyDrop<T>]));
        }
        address.cast()
    }

    /// # Safety
    /// `address` is from `adopt`, and was not freed.
    unsafe fn fat(address: *mut ()) -> *mut [T] {
        // SAFETY: `adopt` wrote the length there, and the elements at the offset, which does not
        // depend on the length.
        unsafe {
            let length = address.cast::<usize>().read();
            let offset = Self::layout(0).1;
            ptr::slice_from_raw_parts_mut(address.byte_add(offset).cast::<T>(), length)
        }
    }

    /// # Safety
    /// As [`Pointee::free`].
    unsafe fn free(address: *mut ()) {
        /// Frees the memory, even if the destructor of an element panics.
        struct Memory(*mut u8, Layout);
        impl Drop for Memory {
            fn drop(&mut self) {
                // SAFETY: from `alloc` with this layout in `adopt`; the elements are dropped or, if
                // one of them panicked, never used again.
                unsafe { dealloc(self.0, self.1) };
            }
        }
        // SAFETY: from `adopt`, and nobody else uses it, as the caller promises.
        unsafe {
            let elements = Self::fat(address);
            let _memory = Memory(address.cast(), Self::layout(elements.len()).0);
            elements.drop_in_place();
        }
    }
}

// SAFETY: the address is that of a `Sliced`, whose length tells its size.
unsafe impl<T> Pointee for [T] {
    const ALIGN: usize = Sliced::<T>::ALIGN;

    fn adopt(value: Box<[T]>) -> *mut () {
        Sliced::adopt(value)
    }

    unsafe fn fat(address: *mut ()) -> *mut [T] {
        // SAFETY: from `adopt`, as the caller promises.
        unsafe { Sliced::fat(address) }
    }

    unsafe fn free(address: *mut ()) {
        // SAFETY: from `adopt`. Nobody else uses it, and the caller calls this once.
        unsafe { Sliced::<T>::free(address) }
    }
}

// SAFETY: a `str` is stored as a slice of bytes, which stay valid UTF-8.
unsafe impl Pointee for str {
    const ALIGN: usize = Sliced::<u8>::ALIGN;

    fn adopt(value: Box<str>) -> *mut () {
        Sliced::adopt(value.into_boxed_bytes())
    }

    unsafe fn fat(address: *mut ()) -> *mut str {
        // SAFETY: from `adopt`, as the caller promises. A pointer to bytes is one to a `str` of the same length.
        unsafe { Sliced::<u8>::fat(address) as *mut str }
    }

    unsafe fn free(address: *mut ()) {
        // SAFETY: from `adopt`. Nobody else uses it, and the caller calls this once.
        unsafe { Sliced::<u8>::free(address) }
    }
}

/// Returns a mask of the low bits that are zero in all addresses of `T`.
pub(super) const fn tag_mask<T: ?Sized + Pointee>() -> usize {
    T::ALIGN - 1
}

/// Returns a reference to the target of an address with a tag, or `None` for null.
///
/// # Safety
/// The address without its tag is null or from [`Pointee::adopt`]. Its target is valid during `'a`, and changes
/// only through atomics.
#[inline(always)]
pub(super) unsafe fn view<'a, T: ?Sized + Pointee>(address: *mut ()) -> Option<&'a T> {
    let address = untagged::<T>(address);
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, so from `adopt` and valid during `'a`, as the caller promises.
    Some(unsafe { &*T::fat(address) })
}

#[inline(always)]
pub(super) fn untagged<T: ?Sized + Pointee>(address: *mut ()) -> *mut () {
    address.map_addr(|bits| bits & !tag_mask::<T>())
}

#[inline(always)]
pub(super) fn tag_of<T: ?Sized + Pointee>(address: *mut ()) -> usize {
    address.addr() & tag_mask::<T>()
}

#[inline(always)]
pub(super) fn tagged<T: ?Sized + Pointee>(address: *mut (), tag: usize) -> *mut () {
    let mask = tag_mask::<T>();
    address.map_addr(|bits| (bits & !mask) | (tag & mask))
}
