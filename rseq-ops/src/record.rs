//! What buffers of each CPU hold.

use core::mem::MaybeUninit;

/// What [`append_through`] copies: 32 bytes, any of which may be uninitialised.
pub type Record = [MaybeUninit<u64>; 4];
