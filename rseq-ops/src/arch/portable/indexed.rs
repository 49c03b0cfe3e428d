//! Stands beside `x86_64::indexed`.

use crate::handle::Handle;
use crate::outcome::{Commit, Outcome, Popped};

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
