//! Where there are no sequences: no thread is ever registered, so none of these is ever called.
//! They exist so that callers need no `cfg`.

use crate::ops::{Commit, Outcome, Popped};
use crate::registration::Handle;

pub(crate) unsafe fn thread_word(_: isize) -> u32 {
    u32::MAX
}

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

pub(crate) unsafe fn compare_store(
    _: Handle,
    _: u32,
    _: *mut usize,
    _: usize,
    _: usize,
    _: impl Commit,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn pop(
    _: Handle,
    _: u32,
    _: *mut usize,
    _: usize,
    _: usize,
    _: impl Commit,
) -> Popped {
    Popped::Aborted
}

pub(crate) unsafe fn add_at(_: Handle, _: u32, _: *mut usize, _: usize, _: impl Commit) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn compare_two_store(
    _: Handle,
    _: u32,
    _: (*mut usize, usize),
    _: (*const usize, usize),
    _: usize,
    _: impl Commit,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn compare_store_store(
    _: Handle,
    _: u32,
    _: (*mut usize, usize),
    _: (*mut usize, usize),
    _: usize,
    _: impl Commit,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn compare_copy_store(
    _: Handle,
    _: u32,
    _: (*mut usize, usize),
    _: (*const u8, *mut u8, usize),
    _: usize,
    _: impl Commit,
) -> Outcome {
    Outcome::Aborted
}

pub(crate) unsafe fn add_through_offset(
    _: Handle,
    _: u32,
    _: *const usize,
    _: usize,
    _: usize,
    _: impl Commit,
) -> Outcome {
    Outcome::Aborted
}
