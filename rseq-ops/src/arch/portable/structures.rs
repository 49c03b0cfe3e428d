//! Stands in for `x86_64::structures`, and answers with aborts. The counter uses [`super::stride::add`].

use crate::handle::Handle;
use crate::outcome::Outcome;

/// Adds `delta` to one word instead of to two in turn.
pub(crate) unsafe fn add_in_turns<const SHIFT: u32>(
    handle: Handle,
    base: usize,
    delta: i64,
) -> Outcome {
    // SAFETY: `base` has words for each index, as the caller promises. Besides, this always aborts.
    unsafe { super::stride::add::<SHIFT>(handle, base, delta) }
}

pub(crate) const ABORTED: usize = 1;

pub(crate) unsafe fn push_through<const SHIFT: u32>(
    _: Handle,
    _: *const usize,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn pop_through<const SHIFT: u32>(_: Handle, _: *const usize) -> usize {
    ABORTED
}

#[cfg(feature = "alloc")]
pub(crate) unsafe fn cache_take_through<const SHIFT: u32>(_: Handle, _: *const usize) -> usize {
    ABORTED
}

#[cfg(feature = "alloc")]
pub(crate) unsafe fn cache_put_through<const SHIFT: u32>(
    _: Handle,
    _: *const usize,
    _: usize,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}
