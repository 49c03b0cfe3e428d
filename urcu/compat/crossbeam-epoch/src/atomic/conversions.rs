//! Conversions to links.

use super::Atomic;
use crate::owned::{Owned, Pointer};
use crate::pointable::Pointable;
use crate::shared::Shared;

impl<T: ?Sized + Pointable> From<Owned<T>> for Atomic<T> {
    fn from(owned: Owned<T>) -> Self {
        Self::of(owned.into_usize())
    }
}

impl<T> From<Box<T>> for Atomic<T> {
    fn from(value: Box<T>) -> Self {
        Self::from(Owned::from(value))
    }
}

impl<T> From<T> for Atomic<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<'g, T: ?Sized + Pointable> From<Shared<'g, T>> for Atomic<T> {
    fn from(shared: Shared<'g, T>) -> Self {
        Self::of(shared.into_usize())
    }
}

impl<T> From<*const T> for Atomic<T> {
    /// Returns a link with the tag 0.
    ///
    /// # Panics
    /// Panics if `raw` is not aligned.
    #[track_caller]
    fn from(raw: *const T) -> Self {
        Self::from(Shared::from(raw))
    }
}
