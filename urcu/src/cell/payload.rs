//! What a cell may own: a `Box` or an `Arc`, or an `Option` of one. A cell is one machine word,
//! which is that pointer, so that readers reach the value with one load whatever the kind.
//!
//! Only thin pointers: a word has no room for the length of a `Box<[T]>` or the table of a
//! `Box<dyn Trait>`. Those are boxed once more: see `Thin`.

use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::callbacks::Callback;
use crate::cell::Ref;
use crate::domain::ReadGuard;

pub(super) mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for Box<T> {}
    impl<T> Sealed for std::sync::Arc<T> {}
    impl<P: super::OwningPtr> Sealed for Option<P> {}
}

/// A pointer that a cell can own: `Box<T>` or `Arc<T>`. Sealed.
///
/// # Safety
/// The pointer of `into_raw` is to a valid `Target`, which stays where it is and can be read by
/// whoever may read a `&Self`, until `from_raw` has made a `Self` of it that is dropped.
pub unsafe trait OwningPtr: sealed::Sealed + Sized {
    /// The type that it points to.
    type Target;
    /// See [`Payload::Value`].
    type Value;
    #[doc(hidden)]
    fn own(value: Self::Value) -> Self;
    #[doc(hidden)]
    fn disown(this: Self) -> Self::Value;
    #[doc(hidden)]
    fn into_raw(this: Self) -> NonNull<Self::Target>;
    /// # Safety
    /// `raw` is from `into_raw`, and this is called once for it.
    #[doc(hidden)]
    unsafe fn from_raw(raw: NonNull<Self::Target>) -> Self;
}

// SAFETY: what `Box` promises.
unsafe impl<T> OwningPtr for Box<T> {
    type Target = T;
    type Value = T;

    fn own(value: T) -> Self {
        Box::new(value)
    }
    fn disown(this: Self) -> T {
        *this
    }
    fn into_raw(this: Self) -> NonNull<T> {
        // SAFETY: a box is not null.
        unsafe { NonNull::new_unchecked(Box::into_raw(this)) }
    }
    unsafe fn from_raw(raw: NonNull<T>) -> Self {
        // SAFETY: `raw` is from `Box::into_raw` in `into_raw`, and used once, as the trait requires of the caller.
        unsafe { Box::from_raw(raw.as_ptr()) }
    }
}

// SAFETY: what `Arc` promises. The count that `into_raw` leaves behind keeps the value, and keeps
// `Arc::get_mut` from giving it to anybody.
unsafe impl<T> OwningPtr for Arc<T> {
    type Target = T;
    type Value = Arc<T>;

    fn own(value: Arc<T>) -> Self {
        value
    }
    fn disown(this: Self) -> Arc<T> {
        this
    }
    fn into_raw(this: Self) -> NonNull<T> {
        // SAFETY: an `Arc` is not null.
        unsafe { NonNull::new_unchecked(Arc::into_raw(this).cast_mut()) }
    }
    unsafe fn from_raw(raw: NonNull<T>) -> Self {
        // SAFETY: `raw` is from `Arc::into_raw` in `into_raw`, and used once, as the trait requires of the caller.
        unsafe { Arc::from_raw(raw.as_ptr()) }
    }
}

/// A pointer that a cell can own: an [`OwningPtr`], or an `Option` of one. Sealed.
///
/// # Safety
/// As for [`OwningPtr`]; a null pointer stands for nothing.
pub unsafe trait Payload: sealed::Sealed + Sized {
    /// The type that the pointer points to.
    type Target;
    /// The value that methods put into a cell and get out of it: the content of the `Box`, or the `Arc`
    /// itself.
    type Value;
    /// What [`RcuCell::load`](crate::RcuCell::load) returns: `&Target`, or `Option<&Target>`.
    type View<'a>: Copy
    where
        Self: 'a;
    /// What [`RcuCell::read`](crate::RcuCell::read) returns: [`Ref`], or `Option<Ref>`.
    type Ref<'a>
    where
        Self: 'a;

    #[doc(hidden)]
    fn own(value: Self::Value) -> Self;
    #[doc(hidden)]
    fn disown(this: Self) -> Self::Value;
    #[doc(hidden)]
    fn into_raw(this: Self) -> *mut Self::Target;
    /// # Safety
    /// `raw` is from `into_raw`, and this is called once for it.
    #[doc(hidden)]
    unsafe fn from_raw(raw: *mut Self::Target) -> Self;
    /// # Safety
    /// `raw` is from `into_raw`, and what it points to stays valid and shared during `'a`.
    #[doc(hidden)]
    unsafe fn view<'a>(raw: *mut Self::Target) -> Self::View<'a>
    where
        Self: 'a;
    #[doc(hidden)]
    fn address(view: Self::View<'_>) -> *mut Self::Target;
    /// # Safety
    /// `raw` is from `into_raw`, and what it points to stays valid and shared until `guard` is
    /// dropped, within `'a`.
    #[doc(hidden)]
    unsafe fn guarded<'a>(raw: *mut Self::Target, guard: ReadGuard<'a>) -> Self::Ref<'a>
    where
        Self: 'a;
    /// Returns how many bytes a retired value stands for, if that is not the size of a `Target`.
    ///
    /// # Safety
    /// `raw` is from `into_raw`, and what it points to is valid and shared during the call.
    #[doc(hidden)]
    #[inline(always)]
    unsafe fn bytes(_raw: *mut Self::Target) -> Option<usize> {
        None
    }
}

// SAFETY: it is one; never null.
unsafe impl<P: OwningPtr> Payload for P {
    type Target = P::Target;
    type Value = P::Value;
    type View<'a>
        = &'a P::Target
    where
        P: 'a;
    type Ref<'a>
        = Ref<'a, P::Target>
    where
        P: 'a;

    fn own(value: P::Value) -> P {
        P::own(value)
    }
    fn disown(this: P) -> P::Value {
        P::disown(this)
    }
    fn into_raw(this: P) -> *mut P::Target {
        P::into_raw(this).as_ptr()
    }
    unsafe fn from_raw(raw: *mut P::Target) -> P {
        // SAFETY: from `into_raw`, so not null, and used once, as the trait requires of the caller.
        unsafe { P::from_raw(NonNull::new_unchecked(raw)) }
    }
    #[inline(always)]
    unsafe fn view<'a>(raw: *mut P::Target) -> &'a P::Target
    where
        P: 'a,
    {
        // SAFETY: from `into_raw`, so not null; the caller promises that the value stays for `'a`.
        unsafe { &*raw }
    }
    fn address(view: &P::Target) -> *mut P::Target {
        ptr::from_ref(view).cast_mut()
    }
    #[inline(always)]
    unsafe fn guarded<'a>(raw: *mut P::Target, guard: ReadGuard<'a>) -> Ref<'a, P::Target>
    where
        P: 'a,
    {
        // SAFETY: from `into_raw`, so not null; the caller promises that the value stays as long as the guard.
        unsafe { Ref::new(NonNull::new_unchecked(raw), guard) }
    }
}

// SAFETY: `Some` is an `OwningPtr`, which is not null; `None` is null.
unsafe impl<P: OwningPtr> Payload for Option<P> {
    type Target = P::Target;
    type Value = Option<P::Value>;
    type View<'a>
        = Option<&'a P::Target>
    where
        P: 'a;
    type Ref<'a>
        = Option<Ref<'a, P::Target>>
    where
        P: 'a;

    fn own(value: Option<P::Value>) -> Self {
        value.map(P::own)
    }
    fn disown(this: Self) -> Option<P::Value> {
        this.map(P::disown)
    }
    fn into_raw(this: Self) -> *mut P::Target {
        this.map_or(ptr::null_mut(), |pointer| P::into_raw(pointer).as_ptr())
    }
    unsafe fn from_raw(raw: *mut P::Target) -> Self {
        // SAFETY: not null, so from the inner `into_raw`; used once, as the trait requires of the caller.
        NonNull::new(raw).map(|raw| unsafe { P::from_raw(raw) })
    }
    #[inline(always)]
    unsafe fn view<'a>(raw: *mut P::Target) -> Option<&'a P::Target>
    where
        P: 'a,
    {
        // SAFETY: null or, by the caller, valid.
        unsafe { raw.as_ref() }
    }
    fn address(view: Option<&P::Target>) -> *mut P::Target {
        view.map_or(ptr::null_mut(), |value| ptr::from_ref(value).cast_mut())
    }
    #[inline(always)]
    unsafe fn guarded<'a>(raw: *mut P::Target, guard: ReadGuard<'a>) -> Option<Ref<'a, P::Target>>
    where
        P: 'a,
    {
        // SAFETY: not null, so from the inner `into_raw`; the caller promises that the value stays as long as the
        // guard.
        NonNull::new(raw).map(|raw| unsafe { Ref::new(raw, guard) })
    }
}

/// A payload with a reference count: `Arc<T>` or `Option<Arc<T>>`. Sealed.
///
/// # Safety
/// `share` gives an owner of its own, beside that of `raw`.
pub unsafe trait RefCounted: Payload {
    /// # Safety
    /// `raw` is from `into_raw`, and its owner exists during the call.
    #[doc(hidden)]
    unsafe fn share(raw: *mut Self::Target) -> Self;
    /// What `into_raw` would return.
    #[doc(hidden)]
    fn address_of(this: &Self) -> *mut Self::Target;
    #[doc(hidden)]
    fn seen(&self) -> Self::View<'_>;
}

// SAFETY: it adds a count and makes an `Arc` of it.
unsafe impl<T> RefCounted for Arc<T> {
    unsafe fn share(raw: *mut T) -> Self {
        // SAFETY: from `Arc::into_raw` with a count that is not 0, as the caller promises; the count added
        // here is that of the `Arc` made here.
        unsafe {
            Arc::increment_strong_count(raw);
            Arc::from_raw(raw)
        }
    }
    #[inline(always)]
    fn address_of(this: &Self) -> *mut T {
        Arc::as_ptr(this).cast_mut()
    }
    #[inline(always)]
    fn seen(&self) -> &T {
        self
    }
}

// SAFETY: there may be any number of `None`; `Some` is as above.
unsafe impl<T> RefCounted for Option<Arc<T>> {
    unsafe fn share(raw: *mut T) -> Self {
        // SAFETY: not null, so an `Arc`'s pointer, with a count that stays meanwhile: the caller promises that.
        (!raw.is_null()).then(|| unsafe { <Arc<T> as RefCounted>::share(raw) })
    }
    #[inline(always)]
    fn address_of(this: &Self) -> *mut T {
        this.as_ref()
            .map_or(ptr::null_mut(), RefCounted::address_of)
    }
    #[inline(always)]
    fn seen(&self) -> Option<&T> {
        self.as_deref()
    }
}

/// A replaced pointer on its way to the callback thread. Not a `P` yet: a `Box` may not exist
/// while others still read what is in it.
pub(super) struct Retired<P: Payload>(pub(super) *mut P::Target);

// SAFETY: it owns a `P`, which may be sent.
unsafe impl<P: Payload + Send> Send for Retired<P> {}

impl<P: Payload> Retired<P> {
    /// # Safety
    /// A grace period has passed since the pointer was replaced, and this is called once.
    pub(super) unsafe fn free(self) {
        // SAFETY: from `P::into_raw`; the caller promises that no reader sees it any more and that this is the
        // only call.
        drop(unsafe { P::from_raw(self.0) });
    }
}

impl<P: Payload + Send + 'static> Retired<P> {
    /// Returns the callback that drops it.
    ///
    /// # Safety
    /// The pointer is from `P::into_raw`, was replaced before, and is retired once. The callback runs after
    /// a grace period that begins from now on.
    #[inline(always)]
    pub(super) unsafe fn callback(self) -> Callback {
        // SAFETY: not retired before, so valid; others that have it read alone.
        let bytes = unsafe { P::bytes(self.0) };
        // SAFETY: as the caller promises; a callback runs once.
        let free = move || unsafe { self.free() };
        match bytes {
            None => Callback::drop::<_, P::Target>(free),
            // SAFETY: it is `Send + 'static`.
            Some(bytes) => unsafe { Callback::drop_of(free, bytes) },
        }
    }
}
