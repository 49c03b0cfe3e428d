//! The record type of the buffers that [`append_through`](crate::ops::append_through) fills.

use core::mem::MaybeUninit;

/// The record that [`append_through`](crate::ops::append_through) copies: 32 bytes, any of which may be
/// uninitialised.
///
/// ```
/// use core::mem::MaybeUninit;
/// use rseq_ops::ops::Record;
///
/// // A function, its argument, and nothing else.
/// let record: Record = [MaybeUninit::new(1), MaybeUninit::new(2), MaybeUninit::uninit(), MaybeUninit::uninit()];
/// assert_eq!(size_of_val(&record), 32);
/// ```
pub type Record = [MaybeUninit<u64>; 4];
