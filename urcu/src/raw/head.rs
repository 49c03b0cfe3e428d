//! The head of a node, with which retiring it needs no memory.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;

/// A part of a node with which the node is retired, like liburcu's `rcu_head`. It is two words, anywhere in the
/// node.
///
/// [`Domain::retire_head`](crate::Domain::retire_head) and [`Domain::call_head`](crate::Domain::call_head) take a
/// pointer to the head, and pass it to the function that frees the node. The node may be of any size and come from
/// any allocator.
///
/// ```
/// use std::mem::offset_of;
/// use urcu::raw::RcuHead;
///
/// struct Node { value: u64, rcu: RcuHead }
///
/// /// # Safety
/// /// `head` is that of a `Node` from a `Box`, which nobody else has.
/// unsafe fn free(head: *mut RcuHead) {
///     // SAFETY: the head lies in a node, and the pointer is good for all of it.
///     drop(unsafe { Box::from_raw(head.byte_sub(offset_of!(Node, rcu)).cast::<Node>()) });
/// }
///
/// let node = Box::into_raw(Box::new(Node { value: 1, rcu: RcuHead::new() }));
/// // ... published, and unlinked again ...
/// // SAFETY: a live node that nobody can reach any more, retired once. The pointer to its head is made of
/// // the node's own (`&raw mut`), so that it is good for the whole node.
/// unsafe {
///     # assert_eq!((*node).value, 1);
///     urcu::global().retire_head(&raw mut (*node).rcu, free, size_of::<Node>());
/// }
/// # urcu::barrier();
/// ```
#[repr(C)]
pub struct RcuHead {
    /// Used only once the node is retired. Readers may have references to the node around it.
    words: UnsafeCell<[MaybeUninit<*mut ()>; 2]>,
}

// SAFETY: only `unsafe` functions, which take a pointer to it, use the content.
unsafe impl Send for RcuHead {}
// SAFETY: only `unsafe` functions, which take a pointer to it, use the content.
unsafe impl Sync for RcuHead {}

impl RcuHead {
    /// Returns a head of a node that has not been retired.
    pub const fn new() -> Self {
        RcuHead {
            words: UnsafeCell::new([MaybeUninit::uninit(); 2]),
        }
    }
}

impl Default for RcuHead {
    fn default() -> Self {
        RcuHead::new()
    }
}

impl Clone for RcuHead {
    /// Returns a head of a node that has not been retired.
    fn clone(&self) -> Self {
        RcuHead::new()
    }
}

impl fmt::Debug for RcuHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RcuHead").finish_non_exhaustive()
    }
}
