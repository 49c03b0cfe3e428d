//! References that own their cell, for tasks and queues.

use core::fmt;
use core::mem;
use core::ops::Deref;
use core::ptr::NonNull;
use std::sync::Arc;

use super::{InDomain, OwningPtr, Payload, RcuCell};
use crate::domain::ReadGuard;
use crate::sync::Ordering;

/// A [`Ref`](crate::Ref) that shares ownership of its cell: see [`RcuCell::read_owned`].
///
/// It borrows nothing, so tasks and queues may hold it. It keeps a read-side section open: grace periods wait for
/// it.
pub struct OwnedRef<C, T: ?Sized> {
    /// The value in `cell`, kept alive by `guard`.
    value: NonNull<T>,
    /// A guard of the cell's domain. `cell` keeps the domain alive, so the guard is dropped first.
    guard: ReadGuard<'static>,
    cell: Arc<C>,
}

// SAFETY: sent or shared, it gives `&T` to another thread, and an `Arc` of the cell.
unsafe impl<C: Send + Sync, T: ?Sized + Sync> Send for OwnedRef<C, T> {}
// SAFETY: sent or shared, it gives `&T` to another thread, and an `Arc` of the cell.
unsafe impl<C: Send + Sync, T: ?Sized + Sync> Sync for OwnedRef<C, T> {}

impl<P: OwningPtr, D: InDomain> RcuCell<P, D> {
    /// Returns the current value together with a guard and an owner of this cell.
    ///
    /// # Cost
    /// That of [`read`](Self::read), and an increment of the `Arc`'s count.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use urcu::Rcu;
    ///
    /// let names = Arc::new(Rcu::new(vec!["a"]));
    /// let seen = names.read_owned();
    /// names.store(vec![]);
    /// drop(names);
    /// std::thread::spawn(move || assert_eq!(*seen, ["a"])).join().unwrap();
    /// ```
    #[track_caller]
    pub fn read_owned(self: &Arc<Self>) -> OwnedRef<Self, <P as OwningPtr>::Target> {
        // SAFETY: the `OwnedRef` drops its guard before its `Arc` of the cell. The cell is not empty.
        unsafe {
            let (raw, guard) = self.hold().unwrap_unchecked();
            OwnedRef {
                value: P::target(raw),
                guard,
                cell: Arc::clone(self),
            }
        }
    }
}

impl<P: OwningPtr, D: InDomain> RcuCell<Option<P>, D> {
    /// Returns the current value, if there is one, together with a guard and an owner of this cell.
    #[track_caller]
    pub fn read_owned(self: &Arc<Self>) -> Option<OwnedRef<Self, P::Target>> {
        // SAFETY: the `OwnedRef` drops its guard before its `Arc` of the cell.
        unsafe {
            let (raw, guard) = self.hold()?;
            Some(OwnedRef {
                value: P::target(raw),
                guard,
                cell: Arc::clone(self),
            })
        }
    }
}

impl<P: Payload, D: InDomain> RcuCell<P, D> {
    /// Returns the cell's value, if there is one, and the section that keeps it alive.
    ///
    /// # Safety
    /// The guard is dropped before the cell.
    #[track_caller]
    unsafe fn hold(&self) -> Option<(NonNull<()>, ReadGuard<'static>)> {
        let guard = ReadGuard::begin(self.domain.state());
        // SAFETY: the guard uses the domain's state, which lives as long as the domain. The cell owns the domain
        // or borrows it for longer than the cell's type lives, and the caller drops the guard before the cell.
        let guard = unsafe { mem::transmute::<ReadGuard<'_>, ReadGuard<'static>>(guard) };
        Some((NonNull::new(self.current.load(Ordering::Acquire))?, guard))
    }
}

impl<C, T: ?Sized> OwnedRef<C, T> {
    /// Turns this into a reference to a part of the value, with the same section.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use urcu::{OwnedRef, Rcu};
    ///
    /// let pair = Arc::new(Rcu::new((1, String::from("a"))));
    /// let name = OwnedRef::map(pair.read_owned(), |pair| pair.1.as_str());
    /// assert_eq!(&*name, "a");
    /// ```
    pub fn map<U: ?Sized>(this: Self, part: impl FnOnce(&T) -> &U) -> OwnedRef<C, U> {
        let value = NonNull::from(part(&this));
        OwnedRef {
            value,
            guard: this.guard,
            cell: this.cell,
        }
    }

    /// Returns another reference to the same value, with [a section of its own](ReadGuard::clone) that keeps it.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "it would hide the value's")]
    pub fn clone(this: &Self) -> Self {
        OwnedRef {
            value: this.value,
            guard: this.guard.clone(),
            cell: Arc::clone(&this.cell),
        }
    }

    /// Returns the cell.
    pub fn cell(this: &Self) -> &Arc<C> {
        &this.cell
    }
}

impl<C, T: ?Sized> Deref for OwnedRef<C, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: loaded from the cell, which `self` owns, inside the guard's section, which is still open.
        unsafe { self.value.as_ref() }
    }
}

impl<C, T: ?Sized + fmt::Debug> fmt::Debug for OwnedRef<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<C, T: ?Sized + fmt::Display> fmt::Display for OwnedRef<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}
