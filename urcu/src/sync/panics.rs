//! The payloads of panics.

use core::any::Any;
use core::panic::AssertUnwindSafe;

use crate::sync::catch_unwind;

/// Drops the payload of a panic in user code. If that drop panics in turn, the second payload leaks.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(another);
    }
}
