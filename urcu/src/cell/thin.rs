//! Cells of values without a known size.

use core::fmt;
use core::mem::size_of;
use core::ops::{Deref, DerefMut};
use core::ptr::{self, NonNull};

use super::payload::sealed;
use super::{Access, Global, InDomain, Payload, RcuCell, Ref};
use crate::domain::ReadGuard;

/// A `Box` of a value that need not have a size known at compile time (`str`, `[T]`, `dyn Trait`), in a
/// cell: see [`RcuBox`].
///
/// ```
/// use urcu::{RcuBox, Thin};
///
/// let name = RcuBox::from("old");
/// // What `store_boxed` and its like take; elsewhere the `Box` itself is meant.
/// let next = Thin::from(Box::<str>::from("new"));
/// name.store_boxed(next);
/// assert_eq!(&*name.read(), "new");
/// ```
pub struct Thin<T: ?Sized>(Box<Box<T>>);

/// A boxed value whose size is not known at compile time, seen without locks while updaters replace it:
/// `RcuBox<str>`, `RcuBox<[T]>`, `RcuBox<dyn Trait>`.
///
/// The methods are those of [`RcuCell`]: they take and return the `Box`, and [`read`](RcuCell::read) gives
/// a [`Ref`] of what is in it. [`load`](RcuCell::load) gives a `&Box`, because
/// [`compare_exchange`](RcuCell::compare_exchange) needs its address.
///
/// ```
/// use urcu::RcuBox;
///
/// trait Shape: Send + Sync { fn area(&self) -> f64; }
/// struct Square(f64);
/// impl Shape for Square { fn area(&self) -> f64 { self.0 * self.0 } }
///
/// let shape: RcuBox<dyn Shape> = RcuBox::new(Box::new(Square(2.0)));
/// assert_eq!(shape.read().area(), 4.0);
/// shape.store(Box::new(Square(3.0)));
/// assert_eq!(shape.load(&urcu::read_lock()).area(), 9.0);
///
/// let primes = RcuBox::from(vec![2, 3]);
/// primes.update(|old| old.iter().copied().chain([5]).collect());
/// assert_eq!(*primes.read(), [2, 3, 5]);
///
/// let name: RcuBox<str> = RcuBox::from("a");
/// let old: Box<str> = name.replace("b".into());
/// assert_eq!((&*old, &*name.read()), ("a", "b"));
/// ```
///
/// # Cost
/// The cell is one word all the same. It points to two on the heap, an allocation of their own, where the
/// address of the value is, and its length or its table: so reading takes one load more than from an
/// [`Rcu`](crate::Rcu), from a cache line more, and a store allocates once besides the `Box`. Where the type
/// is one of a few, an `enum` in an `Rcu` has none of this.
///
/// A [`Budget`](crate::Budget) counts the bytes of the value (of `str` and `[T]` all of them), but not what
/// it owns elsewhere.
///
/// # What it cannot do
/// There is no [`snapshot`](RcuCell::snapshot), as the size is not known, and no cell of an
/// `Option<Thin<T>>`: take `RcuOption<Box<T>>`, of which `read` gives an `Option<Ref<Box<T>>>`.
pub type RcuBox<T, D = Global> = RcuCell<Thin<T>, D>;

impl<T: ?Sized> From<Box<T>> for Thin<T> {
    fn from(value: Box<T>) -> Self {
        Thin(Box::new(value))
    }
}

impl<T: ?Sized> Thin<T> {
    /// Returns the box.
    pub fn into_inner(this: Self) -> Box<T> {
        *this.0
    }
}

impl<T: ?Sized> Deref for Thin<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> DerefMut for Thin<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Thin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> sealed::Sealed for Thin<T> {}

// SAFETY: the outer box is what cells of a `Box<Box<T>>` have: not null, and what it points to stays where
// it is until `from_raw`. A shared `Box<T>` gives what `&Thin<T>` does, a `&T`.
unsafe impl<T: ?Sized> Payload for Thin<T> {
    type Target = Box<T>;
    type Value = Box<T>;
    type View<'a>
        = &'a Box<T>
    where
        T: 'a;
    type Ref<'a>
        = Ref<'a, T>
    where
        T: 'a;

    fn own(value: Box<T>) -> Self {
        Thin::from(value)
    }
    fn disown(this: Self) -> Box<T> {
        Thin::into_inner(this)
    }
    fn into_raw(this: Self) -> *mut Box<T> {
        Box::into_raw(this.0)
    }
    unsafe fn from_raw(raw: *mut Box<T>) -> Self {
        // SAFETY: from `Box::into_raw` in `into_raw`, and once, as the caller promises.
        Thin(unsafe { Box::from_raw(raw) })
    }
    #[inline(always)]
    unsafe fn view<'a>(raw: *mut Box<T>) -> &'a Box<T>
    where
        T: 'a,
    {
        // SAFETY: valid and shared during `'a`, as the caller promises.
        unsafe { &*raw }
    }
    fn address(view: &Box<T>) -> *mut Box<T> {
        ptr::from_ref(view).cast_mut()
    }
    #[inline(always)]
    unsafe fn guarded<'a>(raw: *mut Box<T>, guard: ReadGuard<'a>) -> Ref<'a, T>
    where
        T: 'a,
    {
        // SAFETY: both boxes are valid and shared until the guard is dropped, as the caller promises: the
        // inner one is not moved out of the outer one before.
        unsafe { Ref::new(NonNull::from(&**raw), guard) }
    }
    unsafe fn bytes(raw: *mut Box<T>) -> Option<usize> {
        // SAFETY: valid and shared, as the caller promises. (`size_of_val` looks at no contents.)
        Some(size_of::<Box<T>>() + unsafe { size_of_val::<T>(&**raw) })
    }
}

/// The box is taken as it is; two words are allocated beside it.
impl<T: ?Sized> From<Box<T>> for RcuCell<Thin<T>> {
    fn from(value: Box<T>) -> Self {
        RcuCell::new(value)
    }
}

impl<T> From<Vec<T>> for RcuCell<Thin<[T]>> {
    fn from(value: Vec<T>) -> Self {
        RcuCell::new(value.into_boxed_slice())
    }
}

impl From<&str> for RcuCell<Thin<str>> {
    fn from(value: &str) -> Self {
        RcuCell::new(value.into())
    }
}

impl From<String> for RcuCell<Thin<str>> {
    fn from(value: String) -> Self {
        RcuCell::new(value.into_boxed_str())
    }
}

impl<T: ?Sized, D: InDomain> RcuCell<Thin<T>, D> {
    /// Returns a mutable reference to the value. Nobody can be reading, so this waits for nothing.
    ///
    /// ```
    /// let mut numbers = urcu::RcuBox::from(vec![1, 2]);
    /// numbers.get_mut()[0] = 3;
    /// assert_eq!(*numbers.read(), [3, 2]);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self`: no reader, no updater.
        unsafe { &mut **self.current.get_mut() }
    }
}

impl<T: ?Sized, D: InDomain> Access<T> for RcuCell<Thin<T>, D> {
    #[track_caller]
    fn read(&self) -> Ref<'_, T> {
        RcuCell::read(self)
    }
}
