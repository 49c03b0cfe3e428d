//! A lookup in a hash table whose buckets hold the pairs. The shape is that of `x86_64::lookup_inline`.
//!
//! # Ordering
//! The same as in `lookup`. In addition, the loads of a slot and of the link to the list come after the
//! header's acquire. The prefetch is no access: nothing is ordered by it.

use core::arch::asm;
use core::ptr;

use crate::handle::Handle;
use crate::lookup::{Answer, Place};

/// The sequence for one size of keys and one size of values: see `x86_64::lookup_inline`.
macro_rules! find {
    ($handle:ident, $place:ident; $inside:literal, $outside:literal; $copy:literal; $($operands:tt)+) => {
        sequence!(
            $handle,
            arm!("entry"),
            "2:",
            check_registration!(),
            concat!(load_acquire!(), " {bits}, [{bits}]"),
            "ldr {entry}, [{bits}]",
            "and {bucket}, {bucket}, {entry}",
            "add {bucket}, {bucket}, {bits}",
            "add {bucket}, {bucket}, #64",
            "prfm pldl1keep, [{bucket}, #64]",
            delay!(24),
            concat!(load_acquire!(), " {bits}, [{bucket}]"),
            "mov {entry}, #2",
            "tbnz {bits}, #1, 3f",
            "eor {tags}, {tags}, {bits}",
            "mov {entry}, #0x0101010101010101",
            "sub {bits}, {tags}, {entry}",
            "bic {bits}, {bits}, {tags}",
            "and {bits}, {bits}, #0x8080808080808080",
            "and {bits}, {bits}, #0xffffffffffff0000",
            "sub {bucket}, {bucket}, #24",
            "b 7f",
            "8:",
            "ldr {entry}, [{bucket}, #32]",
            "b 6f",
            "5:",
            "ldr {entry}, [{entry}]",
            "6:",
            "cbz {entry}, 3f",
            $outside,
            "b 21f",
            "7:",
            "cbz {bits}, 8b",
            "rbit {tags}, {bits}",
            "clz {tags}, {tags}",
            "and {tags}, {tags}, #0x78",
            "add {entry}, {bucket}, {tags}, lsl #1",
            "sub {tags}, {bits}, #1",
            "and {bits}, {bits}, {tags}",
            $inside,
            "21:",
            delay!(25),
            $copy,
            "3:",
            on_abort!("mov {entry}, #1", "b 3b"),
            bits = inout(reg) $place.root => _,
            bucket = inout(reg) $place.inline_bucket() => _,
            tags = inout(reg) $place.tags() => _,
            offset = in(reg) $place.offset,
            $($operands)+
        )
    };
}

/// See [`crate::ops::lookup_inline`]. The sizes are constants at every call, so one sequence remains.
///
/// # Safety
/// The requirements of [`crate::ops::lookup_inline`], for keys and values of these sizes.
#[inline(always)]
pub(crate) unsafe fn lookup_inline(
    handle: Handle,
    place: &Place,
    key: u64,
    key_size: usize,
    value_size: usize,
) -> Answer {
    let entry: usize;
    let value: *mut ();
    /// Chooses the sequence for the size of the keys.
    macro_rules! sized {
        ($copy:literal) => {
            match key_size {
                4 => {
                    find!(handle, place;
                        "ldr {value:w}, [{entry}, #8]
                         cmp {value:w}, {key:w}
                         b.ne 7b",
                        "ldr {value:w}, [{entry}, #8]
                         cmp {value:w}, {key:w}
                         b.ne 5b";
                        $copy; key = in(reg) key, entry = out(reg) entry, value = out(reg) value);
                }
                _ => {
                    find!(handle, place;
                        "ldr {value}, [{entry}, #8]
                         cmp {value}, {key}
                         b.ne 7b",
                        "ldr {value}, [{entry}, #8]
                         cmp {value}, {key}
                         b.ne 5b";
                        $copy; key = in(reg) key, entry = out(reg) entry, value = out(reg) value);
                }
            }
        };
    }
    // SAFETY: the caller promises that the handle is this thread's, and that root, table, buckets and
    // lists are readable, and slots with tags unchanged, until a restart that comes after they were unlinked,
    // which aborts this. The block writes `rseq_cs` alone.
    unsafe {
        match value_size {
            1 => sized!("ldrb {value:w}, [{entry}, {offset}]"),
            2 => sized!("ldrh {value:w}, [{entry}, {offset}]"),
            4 => sized!("ldr {value:w}, [{entry}, {offset}]"),
            _ => sized!("ldr {value}, [{entry}, {offset}]"),
        }
    }
    Answer {
        entry,
        value: [value, ptr::null_mut()],
    }
}
