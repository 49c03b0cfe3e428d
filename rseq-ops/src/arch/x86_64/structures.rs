//! Sequences for x86-64 made for one structure of `percpu` each. Their shape is explained in
//! `x86_64`.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::Outcome;

/// Adds `delta` to one of the two words of this CPU's slot relative to `base`, in turn. The third
/// word, 0 or 8, says which one comes next.
///
/// Additions to one word form a chain of store-to-load forwardings, some six cycles each. Taking turns splits
/// it into two chains. The sequence branches on the third word, and the processor predicts that branch well,
/// so the turns themselves form no chain. The third word is only a hint: it is stored before the commit, so it
/// may change without an addition.
///
/// # Safety
/// The requirements of [`crate::ops::add`], for three such words.
#[inline(always)]
pub(crate) unsafe fn add_in_turns<const SHIFT: u32>(
    handle: Handle,
    base: usize,
    delta: i64,
) -> Outcome {
    // SAFETY: `handle` is this thread's and three words of each index lie at `base`, as the caller
    // promises. The sequence aborts where the index is not below the bound, so it finds a word of
    // this CPU, which no other thread writes meanwhile without aborting it.
    unsafe {
        sequence!(
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "add {word}, {base}",
            "cmp qword ptr [{word} + 16], 0",
            "mov {turn:e}, 8",
            "je 7f",
            "xor {turn:e}, {turn:e}",
            "7:",
            "mov qword ptr [{word} + 16], {turn}",
            delay!(3),
            "add qword ptr [{word} + {turn}], {delta}",
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            base = in(reg) base,
            delta = in(reg) delta,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            word = out(reg) _,
            turn = out(reg) _
        );
    }
    Outcome::Committed
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
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "add {word}, qword ptr [{source}]",
            "mov {next}, qword ptr [{word}]",
            "mov qword ptr [{node}], {next}",
            delay!(18),
            "mov qword ptr [{word}], {node}",
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            node = in(reg) node,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            word = out(reg) _,
            next = out(reg) _
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
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "add {word}, qword ptr [{source}]",
            "mov {node}, qword ptr [{word}]",
            "test {node}, {node}",
            "jz 3f",
            "mov {next}, qword ptr [{node}]",
            delay!(19),
            "mov qword ptr [{word}], {next}",
            "3:",
            on_abort!("mov {node:e}, 1", "jmp 3b"),
            source = in(reg) source,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            node = out(reg) node,
            word = out(reg) _,
            next = out(reg) _
        );
    }
    node
}

/// Takes an object from this CPU's cache, which lies relative to the pointer in `source`. Returns the object's
/// address, 0 if the cache is empty, or [`ABORTED`].
///
/// A cache is a word that holds one object or 0, then a count, and then an array with that many objects. The
/// single object is taken by a store of a constant, and put back after a branch on whether the word is 0. So
/// an object that is taken and put back in turn causes no chain of additions to the count.
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
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "add {word}, qword ptr [{source}]",
            "mov {object}, qword ptr [{word}]",
            "xor {value:e}, {value:e}",
            "test {object}, {object}",
            "jnz 7f",
            "mov {value}, qword ptr [{word} + 8]",
            "test {value}, {value}",
            "jz 3f",
            "mov {object}, qword ptr [{word} + 8 * {value} + 8]",
            "dec {value}",
            "add {word}, 8",
            "7:",
            delay!(20),
            "mov qword ptr [{word}], {value}",
            "3:",
            on_abort!("mov {object:e}, 1", "jmp 3b"),
            source = in(reg) source,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            object = out(reg) object,
            word = out(reg) _,
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
            descriptor!(),
            "lea {word}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {word}",
            "2:",
            load_index!(),
            "shl {word}, {shift}",
            "add {word}, qword ptr [{source}]",
            "cmp qword ptr [{word}], 0",
            "mov {value}, {object}",
            "je 7f",
            "mov {value}, qword ptr [{word} + 8]",
            "cmp {value}, {most}",
            "jae {full}",
            "mov qword ptr [{word} + 8 * {value} + 16], {object}",
            "inc {value}",
            "add {word}, 8",
            "7:",
            delay!(21),
            "mov qword ptr [{word}], {value}",
            "3:",
            on_abort!("jmp {aborted}"),
            full = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            source = in(reg) source,
            object = in(reg) object,
            most = in(reg) most,
            cs = in(reg) handle.cs,
            bound = in(reg) handle.bound,
            shift = const SHIFT,
            word = out(reg) _,
            value = out(reg) _
        );
    }
    Outcome::Committed
}
