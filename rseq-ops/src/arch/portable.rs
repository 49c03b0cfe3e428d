//! Where there are no sequences: no thread is ever registered, so none of these is ever called.
//! They exist so that callers need no `cfg`.

use crate::ops::Outcome;
use crate::registration::Handle;

pub(crate) unsafe fn add_through<const SHIFT: u32>(_: Handle, _: *const usize) -> usize {
    0
}

pub(crate) unsafe fn sub_if_current<const SHIFT: u32>(
    _: Handle,
    _: *const usize,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn add<const SHIFT: u32>(_: Handle, _: usize, _: i64) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn copy_through(_: Handle, _: *const *const u8, _: *mut u8, _: usize) -> Outcome {
    Outcome::Aborted
}

pub(crate) fn current_index(_: Handle) -> u32 {
    0
}

pub(crate) unsafe fn add_in_turns<const SHIFT: u32>(_: Handle, _: usize, _: i64) -> Outcome {
    Outcome::Aborted
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
