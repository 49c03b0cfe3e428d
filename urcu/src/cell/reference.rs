//! A value together with the read-side section that keeps it alive.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::domain::ReadGuard;

/// A reference to the value of a cell, or to a part of it, with the read-side section that keeps the
/// value alive.
///
/// Grace periods wait for a `Ref` as for any guard. It may be moved to another thread if `T: Sync`.
///
/// `map` and `filter_map` are associated functions, called as `Ref::map(seen, ..)`, so that they do not
/// hide methods of the value.
pub struct Ref<'a, T: ?Sized> {
    /// Not a reference: the section may end, and the value be freed, while a function that was
    /// given the `Ref` still runs.
    value: NonNull<T>,
    guard: ReadGuard<'a>,
    /// Covariant, as `&'a T`: a `Ref` only gives out shared references.
    borrows: PhantomData<&'a T>,
}

// SAFETY: another thread gets `&T` through it, and never drops the value through it.
unsafe impl<T: ?Sized + Sync> Send for Ref<'_, T> {}
// SAFETY: another thread gets `&T` through it, and never drops the value through it.
unsafe impl<T: ?Sized + Sync> Sync for Ref<'_, T> {}

impl<'a, T: ?Sized> Ref<'a, T> {
    /// # Safety
    /// The value stays valid and shared until `guard` is dropped, within `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new(value: NonNull<T>, guard: ReadGuard<'a>) -> Self {
        Ref {
            value,
            guard,
            borrows: PhantomData,
        }
    }

    /// Creates a `Ref` from a reference and the guard whose section keeps its target alive.
    ///
    /// # Safety
    /// The value stays valid and shared as long as `guard` lives, within `'a`.
    pub unsafe fn from_parts(value: &T, guard: ReadGuard<'a>) -> Self {
        // SAFETY: the value stays valid as long as the guard lives, as the caller promises.
        unsafe { Ref::new(NonNull::from(value), guard) }
    }

    /// Returns another reference to the same value, with [a section of its own](ReadGuard::clone).
    ///
    /// This is an associated function and not `Clone`, so that `cell.read().clone()` clones the value.
    ///
    /// ```
    /// use urcu::Ref;
    ///
    /// let name = urcu::Rcu::new(String::from("a"));
    /// let seen = name.read();
    /// let other = Ref::clone(&seen);
    /// name.store(String::from("b"));
    /// drop(seen);
    /// assert_eq!(*other, "a");
    /// ```
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it would hide the value's")]
    pub fn clone(this: &Self) -> Self {
        // SAFETY: the clone of the guard protects what the guard does.
        unsafe { Ref::new(this.value, this.guard.clone()) }
    }

    /// Returns the guard, with which other cells of the same domain can be read.
    ///
    /// ```
    /// use urcu::{Rcu, Ref};
    ///
    /// let (limit, name) = (Rcu::new(3), Rcu::new("a"));
    /// let seen = limit.read();
    /// assert_eq!((*seen, *name.load(Ref::guard(&seen))), (3, "a"));
    /// ```
    pub fn guard(this: &Self) -> &ReadGuard<'a> {
        &this.guard
    }

    /// Returns the guard without the reference. The section stays open.
    pub fn into_guard(this: Self) -> ReadGuard<'a> {
        this.guard
    }

    /// Turns this into a reference to a part of the value, with the same section.
    ///
    /// ```
    /// use urcu::{Rcu, Ref};
    ///
    /// struct Config { name: String, limit: u32 }
    /// let config = Rcu::new(Config { name: "a".into(), limit: 3 });
    /// let name: Ref<'_, str> = Ref::map(config.read(), |config| config.name.as_str());
    /// config.store(Config { name: "b".into(), limit: 4 });
    /// assert_eq!(&*name, "a");
    /// # assert_eq!(config.read().limit, 4);
    /// ```
    pub fn map<U: ?Sized>(this: Self, part: impl FnOnce(&T) -> &U) -> Ref<'a, U> {
        let value = NonNull::from(part(&*this));
        // SAFETY: `part` works for every lifetime of its argument, so its result lives at least as long as the
        // value, which the guard keeps alive.
        unsafe { Ref::new(value, this.guard) }
    }

    /// Turns this into a reference to a part of the value, if `part` returns one.
    ///
    /// # Errors
    /// Returns the unchanged `Ref` if `part` returns `None`.
    ///
    /// ```
    /// use urcu::{Rcu, Ref};
    ///
    /// let list = Rcu::new(vec![1, 2]);
    /// let second = Ref::filter_map(list.read(), |list| list.get(1)).unwrap();
    /// assert_eq!(*second, 2);
    /// let all = Ref::filter_map(list.read(), |list| list.get(2)).unwrap_err();
    /// assert_eq!(*all, [1, 2]);
    /// ```
    pub fn filter_map<U: ?Sized>(
        this: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<Ref<'a, U>, Self> {
        match part(&*this).map(NonNull::from) {
            // SAFETY: `part` works for every lifetime of its argument, so its result lives at least as long as
            // the value, which the guard keeps alive.
            Some(value) => Ok(unsafe { Ref::new(value, this.guard) }),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for Ref<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the value is valid as long as the guard lives (see `new`), and the borrow of `self` does not
        // outlive the guard.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
