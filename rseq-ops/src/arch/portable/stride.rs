//! Stands beside `x86_64::stride`.

use crate::handle::Handle;
use crate::outcome::Outcome;

pub(crate) unsafe fn add_through<const SHIFT: u32>(_: Handle, _: *const usize) -> (usize, u64) {
    (0, 0)
}

pub(crate) unsafe fn sub_if_current<const SHIFT: u32>(
    _: Handle,
    _: *const usize,
    _: usize,
    _: u64,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn add<const SHIFT: u32>(_: Handle, _: usize, _: i64) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn increment_through<const SHIFT: u32, const BIAS: i32, const BOUND: i32>(
    _: isize,
    _: *const usize,
) -> (usize, u32) {
    (0, 0)
}

pub(crate) unsafe fn decrement_if_current<const SHIFT: u32, const BIAS: i32>(
    _: isize,
    _: u32,
    _: *const usize,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}
