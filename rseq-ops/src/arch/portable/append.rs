//! Stands beside `x86_64::append`, and answers with aborts.

use crate::handle::Handle;
use crate::outcome::Outcome;
use crate::record::Record;

pub(crate) unsafe fn append_through<const SHIFT: u32, const OFFSET: usize, const SIZE: usize>(
    _: Handle,
    _: *const usize,
    _: *const Record,
) -> (usize, usize) {
    (1, 0)
}

pub(crate) unsafe fn replace_through<const SHIFT: u32, const OFFSET: usize>(
    _: Handle,
    _: *const usize,
    _: usize,
    _: usize,
) -> Outcome {
    Outcome::Aborted
}
