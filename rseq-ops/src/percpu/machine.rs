//! How the structures of this module reach the calling CPU's part of them.

use super::area::possible_cpus;
use crate::registration::{Handle, Owner, current_thread, process};

/// How often a sequence is tried before a structure takes the way that always ends.
pub(super) const ATTEMPTS: u32 = 16;

/// The handle that all threads of this process have, for all of its life, where libc registers
/// them. `cs` is 0 where there is none; it never is otherwise: there is the thread pointer.
pub(super) fn shared_handle() -> Handle {
    const NONE: Handle = Handle { cs: 0, index: 0 };
    match process().owner {
        Owner::Libc => current_thread().unwrap_or(NONE),
        _ => NONE,
    }
}

/// Runs `attempt` with the calling thread's handle until it answers, a bounded number of times.
pub(super) fn try_sequence<T>(mut attempt: impl FnMut(Handle) -> Option<T>) -> Option<T> {
    let handle = current_thread()?;
    (0..ATTEMPTS).find_map(|_| attempt(handle))
}

/// A number below `count` that differs between threads, mostly. The stack's address is to be had
/// everywhere, in signal handlers and destructors too.
pub(super) fn stripe(count: usize) -> usize {
    let here = 0u8;
    let hash = ((&raw const here).addr() >> 17).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (hash * count) >> 32
}

/// The calling thread's index now, or a stripe.
pub(super) fn index_hint() -> usize {
    let count = possible_cpus();
    let index = current_thread().map(crate::arch::current_index);
    match index {
        Some(index) if (index as usize) < count => index as usize,
        _ => stripe(count),
    }
}
