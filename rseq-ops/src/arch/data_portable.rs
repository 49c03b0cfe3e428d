//! Where there are no sequences: stands beside `data_x86_64`, and is never called.

use crate::ops::Outcome;
use crate::registration::Handle;

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
