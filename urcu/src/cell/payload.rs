//! What a cell may own: a `Box` or an `Arc`, or an `Option` of one. A cell is one machine word. For a sized value
//! that word is the pointer itself, so readers reach the value with one load.
//!
//! One word has no room for the length of a `Box<[T]>` or the vtable of a `Box<dyn Trait>`. Such a pointer takes two
//! words, which lie in an allocation of their own, and the cell's word points to that allocation. The type decides
//! at compile time between the two (`is_thin`), so sized values pay nothing for the others.
//!
//! Pointer and value in one allocation would save readers a cache line, but every value would have to be copied out
//! of the `Box` in which it arrives. For `dyn Trait` this needs a pointer made of an existing vtable and a new
//! address, which stable Rust has no sound way to make.

use core::marker::PhantomData;
use core::mem::size_of;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::callbacks::Callback;
use crate::cell::Ref;
use crate::domain::ReadGuard;

pub(super) mod sealed {
    pub trait Sealed {}
    impl<T: ?Sized> Sealed for Box<T> {}
    impl<T> Sealed for std::sync::Arc<T> {}
    impl<P: super::OwningPtr> Sealed for Option<P> {}
}

/// A pointer that a cell can own: `Box<T>` or `Arc<T>`. Sealed.
///
/// # Safety
/// For a `raw` from `into_raw`, `target(raw)` points to a valid `Target`. The `Target` does not move, and may be
/// read by everybody who may read a `&Self`, until `from_raw(raw)` has returned a `Self` and that is dropped. If
/// `Target` is sized, `raw` and `target(raw)` are the same address.
pub unsafe trait OwningPtr: sealed::Sealed + Sized {
    /// The type that it points to.
    type Target: ?Sized;
    /// Returns the word that a cell holds.
    #[doc(hidden)]
    fn into_raw(this: Self) -> NonNull<()>;
    /// # Safety
    /// `raw` is from `into_raw`, and this is called once for it.
    #[doc(hidden)]
    unsafe fn from_raw(raw: NonNull<()>) -> Self;
    /// Returns where the value is.
    ///
    /// # Safety
    /// `raw` is from `into_raw`, and its owner exists during the call.
    #[doc(hidden)]
    unsafe fn target(raw: NonNull<()>) -> NonNull<Self::Target>;
    /// Returns the word of a cell that holds `value`. For values without a size that is the word that `found`
    /// returns, if it leads to `value`, and otherwise a word that no cell ever holds. For sized values `found` is
    /// not called.
    ///
    /// # Safety
    /// The word that `found` returns is null or from `into_raw`, and its owner exists during the call.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn raw_of(value: &Self::Target, found: impl FnOnce() -> *mut ()) -> *mut () {
        _ = found;
        ptr::from_ref(value).cast_mut().cast()
    }
}

/// True if a pointer to a `T` is one word, an address.
const fn is_thin<T: ?Sized>() -> bool {
    size_of::<*mut T>() == size_of::<*mut ()>()
}

// SAFETY: `Box` promises it, both for the box of the value and for the box of a pointer of two words.
unsafe impl<T: ?Sized> OwningPtr for Box<T> {
    type Target = T;

    #[inline(always)]
    fn into_raw(this: Self) -> NonNull<()> {
        let value = Box::into_raw(this);
        let raw = if const { is_thin::<T>() } {
            value.cast()
        } else {
            Box::into_raw(Box::new(value)).cast()
        };
        // SAFETY: neither box is null.
        unsafe { NonNull::new_unchecked(raw) }
    }
    #[inline(always)]
    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: each box is from `Box::into_raw` in `into_raw`, and is taken back once, as the trait requires.
        unsafe {
            if const { is_thin::<T>() } {
                Box::from_raw(Self::target(raw).as_ptr())
            } else {
                Box::from_raw(*Box::from_raw(raw.cast::<*mut T>().as_ptr()))
            }
        }
    }
    #[inline(always)]
    unsafe fn target(raw: NonNull<()>) -> NonNull<T> {
        let place = if const { is_thin::<T>() } {
            (&raw const raw).cast::<*mut T>()
        } else {
            raw.cast::<*mut T>().as_ptr().cast_const()
        };
        // SAFETY: a pointer of one word is `raw` itself, with its provenance. A pointer of two words is where
        // `into_raw` has put it, and its owner exists, as the caller promises. Both are from a box, so not null.
        unsafe { NonNull::new_unchecked(place.read()) }
    }
    #[inline(always)]
    unsafe fn raw_of(value: &T, found: impl FnOnce() -> *mut ()) -> *mut () {
        if const { is_thin::<T>() } {
            return ptr::from_ref(value).cast_mut().cast();
        }
        let is_same = |raw: &NonNull<()>| {
            // SAFETY: the word is from `into_raw` and its owner exists, as the caller promises.
            ptr::addr_eq(unsafe { Self::target(*raw) }.as_ptr(), value)
        };
        let found = NonNull::new(found()).filter(is_same);
        // Pointers are aligned, so no cell holds an odd address.
        found.map_or(ptr::without_provenance_mut(1), NonNull::as_ptr)
    }
}

// SAFETY: `Arc` promises it. The count that `into_raw` leaves behind keeps the value alive, and makes
// `Arc::get_mut` fail.
unsafe impl<T> OwningPtr for Arc<T> {
    type Target = T;

    #[inline(always)]
    fn into_raw(this: Self) -> NonNull<()> {
        // SAFETY: an `Arc` is not null.
        unsafe { NonNull::new_unchecked(Arc::into_raw(this).cast_mut().cast()) }
    }
    #[inline(always)]
    unsafe fn from_raw(raw: NonNull<()>) -> Self {
        // SAFETY: `raw` is from `Arc::into_raw` in `into_raw`, and used once, as the trait requires of the caller.
        unsafe { Arc::from_raw(raw.cast::<T>().as_ptr()) }
    }
    #[inline(always)]
    unsafe fn target(raw: NonNull<()>) -> NonNull<T> {
        raw.cast()
    }
}

/// A pointer that a cell can own: an [`OwningPtr`], or an `Option` of one. Sealed.
///
/// # Safety
/// As for [`OwningPtr`]; a null pointer stands for `None`.
pub unsafe trait Payload: sealed::Sealed + Sized {
    /// The type that the pointer points to.
    type Target: ?Sized;
    /// What [`RcuCell::load`](crate::RcuCell::load) returns: `&Target`, or `Option<&Target>`.
    type View<'a>: Copy
    where
        Self: 'a;
    /// What [`RcuCell::read`](crate::RcuCell::read) returns: [`Ref`], or `Option<Ref>`.
    type Ref<'a>
    where
        Self: 'a;

    #[doc(hidden)]
    fn into_raw(this: Self) -> *mut ();
    /// # Safety
    /// `raw` is from `into_raw`, and this is called once for it.
    #[doc(hidden)]
    unsafe fn from_raw(raw: *mut ()) -> Self;
    /// # Safety
    /// `raw` is from `into_raw`, and what it points to stays valid and shared during `'a`.
    #[doc(hidden)]
    unsafe fn view<'a>(raw: *mut ()) -> Self::View<'a>
    where
        Self: 'a;
    /// See [`OwningPtr::raw_of`].
    ///
    /// # Safety
    /// As for [`OwningPtr::raw_of`].
    #[doc(hidden)]
    unsafe fn raw_of(view: Self::View<'_>, found: impl FnOnce() -> *mut ()) -> *mut ();
    /// # Safety
    /// `raw` is from `into_raw`, and what it points to stays valid and shared until `guard` is
    /// dropped, within `'a`.
    #[doc(hidden)]
    unsafe fn guarded<'a>(raw: *mut (), guard: ReadGuard<'a>) -> Self::Ref<'a>
    where
        Self: 'a;
    /// Returns how many bytes the value takes on the heap.
    ///
    /// # Safety
    /// `raw` is from `into_raw`, and what it points to is valid and shared during the call.
    #[doc(hidden)]
    unsafe fn bytes(raw: *mut ()) -> usize;
}

// SAFETY: an `OwningPtr` keeps the same promises, and is never null.
unsafe impl<P: OwningPtr> Payload for P {
    type Target = P::Target;
    type View<'a>
        = &'a P::Target
    where
        P: 'a;
    type Ref<'a>
        = Ref<'a, P::Target>
    where
        P: 'a;

    #[inline(always)]
    fn into_raw(this: P) -> *mut () {
        P::into_raw(this).as_ptr()
    }
    #[inline(always)]
    unsafe fn from_raw(raw: *mut ()) -> P {
        // SAFETY: from `into_raw`, so not null, and used once, as the trait requires of the caller.
        unsafe { P::from_raw(NonNull::new_unchecked(raw)) }
    }
    #[inline(always)]
    unsafe fn view<'a>(raw: *mut ()) -> &'a P::Target
    where
        P: 'a,
    {
        // SAFETY: from `into_raw`, so not null; the caller promises that the value stays for `'a`.
        unsafe { P::target(NonNull::new_unchecked(raw)).as_ref() }
    }
    #[inline(always)]
    unsafe fn raw_of(view: &P::Target, found: impl FnOnce() -> *mut ()) -> *mut () {
        // SAFETY: as the caller promises.
        unsafe { P::raw_of(view, found) }
    }
    #[inline(always)]
    unsafe fn guarded<'a>(raw: *mut (), guard: ReadGuard<'a>) -> Ref<'a, P::Target>
    where
        P: 'a,
    {
        // SAFETY: from `into_raw`, so not null; the caller promises that the value stays as long as the guard.
        unsafe { Ref::new(P::target(NonNull::new_unchecked(raw)), guard) }
    }
    #[inline(always)]
    unsafe fn bytes(raw: *mut ()) -> usize {
        // SAFETY: from `into_raw`, so not null; valid and shared, as the caller promises. (The size follows from
        // the pointer; the value is not read.)
        let value = unsafe { size_of_val(P::target(NonNull::new_unchecked(raw)).as_ref()) };
        let pointer = size_of::<*mut P::Target>();
        // A pointer of two words lies on the heap, too.
        value
            + if const { is_thin::<P::Target>() } {
                0
            } else {
                pointer
            }
    }
}

// SAFETY: `Some` is an `OwningPtr`, which is not null; `None` is null.
unsafe impl<P: OwningPtr> Payload for Option<P> {
    type Target = P::Target;
    type View<'a>
        = Option<&'a P::Target>
    where
        P: 'a;
    type Ref<'a>
        = Option<Ref<'a, P::Target>>
    where
        P: 'a;

    #[inline(always)]
    fn into_raw(this: Self) -> *mut () {
        this.map_or(ptr::null_mut(), |pointer| P::into_raw(pointer).as_ptr())
    }
    #[inline(always)]
    unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: not null, so from the inner `into_raw`; used once, as the trait requires of the caller.
        NonNull::new(raw).map(|raw| unsafe { P::from_raw(raw) })
    }
    #[inline(always)]
    unsafe fn view<'a>(raw: *mut ()) -> Option<&'a P::Target>
    where
        P: 'a,
    {
        // SAFETY: not null, so from the inner `into_raw`; the caller promises that the value stays for `'a`.
        NonNull::new(raw).map(|raw| unsafe { P::target(raw).as_ref() })
    }
    #[inline(always)]
    unsafe fn raw_of(view: Option<&P::Target>, found: impl FnOnce() -> *mut ()) -> *mut () {
        // SAFETY: as the caller promises.
        view.map_or(ptr::null_mut(), |value| unsafe { P::raw_of(value, found) })
    }
    #[inline(always)]
    unsafe fn guarded<'a>(raw: *mut (), guard: ReadGuard<'a>) -> Option<Ref<'a, P::Target>>
    where
        P: 'a,
    {
        // SAFETY: not null, so from the inner `into_raw`; the caller promises that the value stays as long as the
        // guard.
        NonNull::new(raw).map(|raw| unsafe { Ref::new(P::target(raw), guard) })
    }
    #[inline(always)]
    unsafe fn bytes(raw: *mut ()) -> usize {
        // SAFETY: not null, so from the inner `into_raw`; valid and shared, as the caller promises.
        NonNull::new(raw).map_or(0, |raw| unsafe { <P as Payload>::bytes(raw.as_ptr()) })
    }
}

/// A [`Payload`] that can be made of a value that is passed by value: a sized value, or an `Arc`.
pub trait ByValue: Payload {
    /// The value that methods put into a cell and get out of it: the content of the `Box`, or the `Arc`
    /// itself.
    type Value;
    #[doc(hidden)]
    fn own(value: Self::Value) -> Self;
    #[doc(hidden)]
    fn disown(this: Self) -> Self::Value;
}

impl<T> ByValue for Box<T> {
    type Value = T;

    fn own(value: T) -> Self {
        Box::new(value)
    }
    fn disown(this: Self) -> T {
        *this
    }
}

impl<T> ByValue for Arc<T> {
    type Value = Arc<T>;

    fn own(value: Arc<T>) -> Self {
        value
    }
    fn disown(this: Self) -> Arc<T> {
        this
    }
}

impl<P: OwningPtr + ByValue> ByValue for Option<P> {
    type Value = Option<P::Value>;

    fn own(value: Option<P::Value>) -> Self {
        value.map(P::own)
    }
    fn disown(this: Self) -> Option<P::Value> {
        this.map(P::disown)
    }
}

/// A payload with a reference count: `Arc<T>` or `Option<Arc<T>>`. Sealed.
///
/// # Safety
/// `share` returns another owner, independent of the one that `raw` stands for.
pub unsafe trait RefCounted: Payload {
    /// # Safety
    /// `raw` is from `into_raw`, and its owner exists during the call.
    #[doc(hidden)]
    unsafe fn share(raw: *mut ()) -> Self;
    /// Returns what `into_raw` would return.
    #[doc(hidden)]
    fn address_of(this: &Self) -> *mut ();
    #[doc(hidden)]
    fn seen(&self) -> Self::View<'_>;
}

// SAFETY: `share` adds a count and makes an `Arc` that owns it.
unsafe impl<T> RefCounted for Arc<T> {
    unsafe fn share(raw: *mut ()) -> Self {
        let raw = raw.cast::<T>();
        // SAFETY: from `Arc::into_raw` with a count that is not 0, as the caller promises; the count added
        // here is that of the `Arc` made here.
        unsafe {
            Arc::increment_strong_count(raw);
            Arc::from_raw(raw)
        }
    }
    #[inline(always)]
    fn address_of(this: &Self) -> *mut () {
        Arc::as_ptr(this).cast_mut().cast()
    }
    #[inline(always)]
    fn seen(&self) -> &T {
        self
    }
}

// SAFETY: `None` owns nothing; `Some` is as above.
unsafe impl<T> RefCounted for Option<Arc<T>> {
    unsafe fn share(raw: *mut ()) -> Self {
        // SAFETY: not null, so from an `Arc`, whose count does not reach 0 during the call, as the caller promises.
        (!raw.is_null()).then(|| unsafe { <Arc<T> as RefCounted>::share(raw) })
    }
    #[inline(always)]
    fn address_of(this: &Self) -> *mut () {
        this.as_ref()
            .map_or(ptr::null_mut(), RefCounted::address_of)
    }
    #[inline(always)]
    fn seen(&self) -> Option<&T> {
        self.as_deref()
    }
}

/// A replaced pointer on its way to the callback that drops it. Not a `P` yet: a `Box` may not exist while readers
/// still read its content.
pub(super) struct Retired<P: Payload> {
    raw: *mut (),
    owns: PhantomData<P>,
}

// SAFETY: it owns a `P`, which may be sent.
unsafe impl<P: Payload + Send> Send for Retired<P> {}

impl<P: Payload> Retired<P> {
    #[inline(always)]
    pub(super) fn new(raw: *mut ()) -> Self {
        Retired {
            raw,
            owns: PhantomData,
        }
    }

    /// # Safety
    /// A grace period has passed since the pointer was replaced, and this is called once.
    pub(super) unsafe fn free(self) {
        // SAFETY: from `P::into_raw`; the caller promises that no reader sees it any more and that this is the
        // only call.
        drop(unsafe { P::from_raw(self.raw) });
    }
}

impl<P: Payload + Send + 'static> Retired<P> {
    /// Returns the callback that drops the payload.
    ///
    /// # Safety
    /// The pointer is from `P::into_raw`, was replaced before, and is retired once. The callback runs after
    /// a grace period that begins from now on.
    #[inline(always)]
    pub(super) unsafe fn callback(self) -> Callback {
        // SAFETY: not retired before, so valid; other threads only read it.
        let bytes = unsafe { P::bytes(self.raw) };
        // SAFETY: as the caller promises; a callback runs once.
        let free = move || unsafe { self.free() };
        // SAFETY: the closure is `Send + 'static`.
        unsafe { Callback::drop_of(free, bytes) }
    }
}
