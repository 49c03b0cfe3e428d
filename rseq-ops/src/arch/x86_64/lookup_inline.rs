//! A lookup in a hash table whose buckets hold the pairs. The second cache line of the bucket is prefetched while the
//! first one is on its way, because half of the pairs are there.

use core::arch::asm;
use core::ptr;

use crate::handle::Handle;
use crate::lookup::{Answer, Place};

/// The sequence for one size of keys and one size of values: see `lookup`. `$inside` jumps to label 7 if the
/// key of a slot differs. `$outside` jumps to label 5 if the key of an entry of the list differs.
macro_rules! find {
    ($handle:ident, $place:ident; $inside:literal, $outside:literal; $copy:literal; $($operands:tt)+) => {
        sequence!(
            descriptor!(),
            "lea {entry}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {entry}",
            "2:",
            check_registration!(),
            "mov {bits}, qword ptr [{bits}]",
            "and {bucket}, qword ptr [{bits}]",
            "lea {bucket}, [{bits} + {bucket} + 64]",
            "prefetcht0 [{bucket} + 64]",
            delay!(24),
            "mov {bits}, qword ptr [{bucket}]",
            "mov {entry:e}, 2",
            "test {bits:l}, 2",
            "jnz 3f",
            "xor {tags}, {bits}",
            "movabs {entry}, -0x0101010101010101",
            "lea {bits}, [{tags} + {entry}]",
            "not {tags}",
            "and {bits}, {tags}",
            "movabs {entry}, -0x7f7f7f7f7f800000",
            "and {bits}, {entry}",
            "jmp 7f",
            "8:",
            "mov {entry}, qword ptr [{bucket} + 8]",
            "jmp 6f",
            "5:",
            "mov {entry}, qword ptr [{entry}]",
            "6:",
            "test {entry}, {entry}",
            "jz 3f",
            $outside,
            "jmp 21f",
            "7:",
            "bsf {tags}, {bits}",
            "jz 8b",
            "and {tags:e}, 0x78",
            "lea {entry}, [{bucket} + 2 * {tags} - 24]",
            "lea {tags}, [{bits} - 1]",
            "and {bits}, {tags}",
            $inside,
            "21:",
            delay!(25),
            $copy,
            "3:",
            on_abort!("mov {entry:e}, 1", "jmp 3b"),
            bits = inout(reg) $place.root => _,
            bucket = inout(reg) $place.inline_bucket() => _,
            tags = inout(reg) $place.tags() => _,
            offset = in(reg) $place.offset,
            cs = in(reg) $handle.cs,
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
                        "cmp dword ptr [{entry} + 8], {key:e}
                         jne 7b",
                        "cmp dword ptr [{entry} + 8], {key:e}
                         jne 5b";
                        $copy; key = in(reg) key, entry = out(reg) entry, value = out(reg) value);
                }
                _ => {
                    find!(handle, place;
                        "cmp qword ptr [{entry} + 8], {key}
                         jne 7b",
                        "cmp qword ptr [{entry} + 8], {key}
                         jne 5b";
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
            1 => sized!("movzx {value:e}, byte ptr [{entry} + {offset}]"),
            2 => sized!("movzx {value:e}, word ptr [{entry} + {offset}]"),
            4 => sized!("mov {value:e}, dword ptr [{entry} + {offset}]"),
            _ => sized!("mov {value}, qword ptr [{entry} + {offset}]"),
        }
    }
    Answer {
        entry,
        value: [value, ptr::null_mut()],
    }
}
