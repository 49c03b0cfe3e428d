//! Stands beside `x86_64::copy`.

use crate::handle::Handle;
use crate::outcome::Outcome;

pub(crate) unsafe fn copy_through(_: Handle, _: *const *const u8, _: *mut u8, _: usize) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn copy_part_through(
    _: Handle,
    _: *const *const u8,
    _: usize,
    _: *mut u8,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn copy_behind_through(
    _: Handle,
    _: *const *const u8,
    _: usize,
    _: usize,
    _: *mut u8,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}
