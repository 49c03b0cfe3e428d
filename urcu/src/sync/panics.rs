//! What panics leave behind.

use core::any::Any;
use core::panic::AssertUnwindSafe;

use crate::sync::catch_unwind;

/// Drops what a panic of a user's code carried, which may panic in turn; what that carries leaks.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}
