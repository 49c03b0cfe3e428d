//! Sequences for RISC-V 64 made for one structure of `percpu` each. Their shape is explained in
//! `riscv64`, their algorithms in `x86_64::structures`.
//!
//! # Ordering
//! Each list and each cache belongs to one index. The next thread with that index sees what was done under
//! it before, by program order or by the barriers of the scheduler. So only two orderings are left to
//! explain:
//!
//! * The load of the pointer in `source` is an acquire: a thread that sees a bank that a taker has emptied
//!   and given back sees it empty.
//! * The commits are plain stores. A taker comes after [`crate::membarrier::restart`], whose barrier on
//!   this CPU makes them visible, together with what the thread did with the node or object before.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;

/// Adds `delta` to one word instead of to two in turn: whether turns gain anything on such a processor has not
/// been measured.
///
/// # Safety
/// The requirements of [`crate::ops::add`].
#[inline(always)]
pub(crate) unsafe fn add_in_turns<const SHIFT: u32>(
    handle: Handle,
    base: usize,
    delta: i64,
) -> Outcome {
    // SAFETY: `handle` is this thread's and three words of each index lie at `base`, as the caller
    // promises. The sequence aborts where the index is not below the bound, so it finds a word of
    // this CPU, which no other thread writes meanwhile without aborting it.
    unsafe { super::stride::add::<SHIFT>(handle, base, delta) }
}

/// What [`pop_through`] and [`cache_take_through`] return for an abort. It is no node's address.
pub(crate) const ABORTED: usize = 1;

/// Pushes `node` on this CPU's list. The list's head is this CPU's word relative to the pointer in `source`.
/// The node's first word becomes the link.
///
/// # Safety
/// The requirements of [`crate::ops::add_through`]. The words hold lists of such nodes. `node` is valid for
/// writes of a word, and nobody else uses it.
#[inline(always)]
pub(crate) unsafe fn push_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    node: usize,
) -> Outcome {
    // SAFETY: `handle` is this thread's, `source` leads to a list of each index, and `node` is the
    // caller's alone, as the caller promises. The link of a node that was not pushed means nothing.
    unsafe {
        sequence!(
            handle,
            arm!(),
            "2:",
            load_index!(),
            load_pointer!(),
            find_word!("{pointer}"),
            "ld {pointer}, 0({word})",
            "sd {pointer}, 0({node})",
            delay!(18),
            "sd {node}, 0({word})",
            "3:",
            on_abort!("jump {aborted}, {scratch}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            node = in(reg) node,
            bound = in(reg) handle.bound as usize,
            shift = const SHIFT,
            word = out(reg) _,
            pointer = out(reg) _
        );
    }
    Outcome::Committed
}

/// Pops the first node of this CPU's list. Returns its address, 0 if the list is empty, or [`ABORTED`].
///
/// # Safety
/// The requirements of [`push_through`]. A node stays readable until it is popped, or until the pointer in
/// `source` has been replaced and [`crate::membarrier::restart`] has returned.
#[inline(always)]
pub(crate) unsafe fn pop_through<const SHIFT: u32>(handle: Handle, source: *const usize) -> usize {
    let node;
    // SAFETY: `handle` is this thread's and `source` leads to a list of each index, as the caller
    // promises. The node that is read is valid: only a thread that ran on this CPU meanwhile could
    // have popped it, and then this is aborted; a taker frees it after a restart.
    unsafe {
        sequence!(
            handle,
            arm!(),
            "2:",
            load_index!(),
            load_pointer!(),
            find_word!("{pointer}"),
            "ld {node}, 0({word})",
            "beqz {node}, 3f",
            "ld {pointer}, 0({node})",
            delay!(19),
            "sd {pointer}, 0({word})",
            "3:",
            on_abort!("li {node}, 1", "jump 3b, {scratch}"),
            source = in(reg) source,
            bound = in(reg) handle.bound as usize,
            shift = const SHIFT,
            node = out(reg) node,
            word = out(reg) _,
            pointer = out(reg) _
        );
    }
    node
}

/// Takes an object from this CPU's cache, which lies relative to the pointer in `source`. Returns the object's
/// address, 0 if the cache is empty, or [`ABORTED`].
///
/// A cache is a word that holds one object or 0, then a count, and then an array with that many objects.
///
/// # Safety
/// The requirements of [`crate::ops::add_through`], for all words of such a cache.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(crate) unsafe fn cache_take_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
) -> usize {
    let object;
    // SAFETY: `handle` is this thread's and `source` leads to a cache of each index, as the caller
    // promises. The count is never more than the array has room for.
    unsafe {
        sequence!(
            handle,
            arm!(),
            "2:",
            load_index!(),
            load_pointer!(),
            find_word!("{pointer}"),
            "ld {object}, 0({word})",
            "li {value}, 0",
            "bnez {object}, 7f",
            // The count, and its address for the commit: the array's last object lies that many
            // words behind it.
            "addi {word}, {word}, 8",
            "ld {value}, 0({word})",
            "beqz {value}, 3f",
            "slli {scratch}, {value}, 3",
            "add {scratch}, {scratch}, {word}",
            "ld {object}, 0({scratch})",
            "addi {value}, {value}, -1",
            "7:",
            delay!(20),
            "sd {value}, 0({word})",
            "3:",
            on_abort!("li {object}, 1", "jump 3b, {scratch}"),
            source = in(reg) source,
            bound = in(reg) handle.bound as usize,
            shift = const SHIFT,
            object = out(reg) object,
            word = out(reg) _,
            pointer = out(reg) _,
            value = out(reg) _
        );
    }
    object
}

/// Puts an object into this CPU's cache (see [`cache_take_through`]). Returns a mismatch if the cache's array
/// already holds `most` objects.
///
/// # Safety
/// The requirements of [`cache_take_through`]. The array has room for `most` objects.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(crate) unsafe fn cache_put_through<const SHIFT: u32>(
    handle: Handle,
    source: *const usize,
    object: usize,
    most: usize,
) -> Outcome {
    // SAFETY: `handle` is this thread's, `source` leads to a cache of each index, and its array has
    // room for `most` objects, as the caller promises. What is stored behind the counted objects means
    // nothing.
    unsafe {
        sequence!(
            handle,
            arm!(),
            "2:",
            load_index!(),
            load_pointer!(),
            find_word!("{pointer}"),
            "ld {pointer}, 0({word})",
            "mv {value}, {object}",
            "beqz {pointer}, 7f",
            "addi {word}, {word}, 8",
            "ld {value}, 0({word})",
            "bltu {value}, {most}, 5f",
            "j {full}",
            "5: addi {value}, {value}, 1",
            "slli {scratch}, {value}, 3",
            "add {scratch}, {scratch}, {word}",
            "sd {object}, 0({scratch})",
            "7:",
            delay!(21),
            "sd {value}, 0({word})",
            "3:",
            on_abort!("jump {aborted}, {scratch}"),
            full = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            object = in(reg) object,
            most = in(reg) most,
            bound = in(reg) handle.bound as usize,
            shift = const SHIFT,
            word = out(reg) _,
            pointer = out(reg) _,
            value = out(reg) _
        );
    }
    Outcome::Committed
}
