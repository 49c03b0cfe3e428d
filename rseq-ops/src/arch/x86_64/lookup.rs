//! A lookup in a hash table.

use core::arch::asm;
use core::ptr;

use crate::handle::Handle;
use crate::lookup::{Answer, Place};

/// The sequence for one size of keys and one size of values. `$compare` jumps to label 7 if the keys differ.
/// `$copy` loads the value, and its last instruction is the last of the sequence.
///
/// `{bits}` becomes a mask with the highest bit of each byte of the header that equals the tag. It can also
/// have the bits of bytes above such a byte, where the keys then differ (Mycroft's test for zero bytes).
macro_rules! find {
    ($handle:ident, $place:ident; $($compare:literal)+; $($copy:literal)+; $($operands:tt)+) => {
        sequence!(
            descriptor!(),
            "lea {entry}, [rip + 9b]",
            "mov qword ptr fs:[{cs}], {entry}",
            "2:",
            check_registration!(),
            "mov {bits}, qword ptr [{bits}]",
            "and {bucket}, qword ptr [{bits}]",
            "lea {bucket}, [{bits} + {bucket} + 64]",
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
            "xor {entry:e}, {entry:e}",
            "cmp qword ptr [{bucket} + 56], 0",
            "je 3f",
            "mov {entry:e}, 2",
            "jmp 3f",
            "7:",
            "bsf {tags}, {bits}",
            "jz 8b",
            "and {tags:e}, 0x78",
            "mov {entry}, qword ptr [{bucket} + {tags} - 8]",
            "lea {tags}, [{bits} - 1]",
            "and {bits}, {tags}",
            "test {entry}, {entry}",
            "jz 7b",
            $($compare,)+
            delay!(25),
            $($copy,)+
            "3:",
            on_abort!("mov {entry:e}, 1", "jmp 3b"),
            bits = inout(reg) $place.root => _,
            bucket = inout(reg) $place.bucket() => _,
            tags = inout(reg) $place.tags() => _,
            offset = in(reg) $place.offset,
            cs = in(reg) $handle.cs,
            $($operands)+
        )
    };
}

/// See [`crate::ops::lookup`]. The sizes are constants at every call, so one sequence remains.
///
/// # Safety
/// The requirements of [`crate::ops::lookup`], for keys and values of these sizes.
#[inline(always)]
pub(crate) unsafe fn lookup(
    handle: Handle,
    place: &Place,
    key: [u64; 2],
    key_size: usize,
    value_size: usize,
) -> Answer {
    let entry: usize;
    let mut words = [ptr::null_mut::<()>(); 2];
    /// Chooses the sequence for the size of the keys.
    macro_rules! sized {
        ($($copy:literal)+; $($high:tt)*) => {
            match key_size {
                4 => {
                    find!(handle, place; "cmp dword ptr [{entry} + 8], {key:e}" "jne 7b"; $($copy)+; key = in(reg) key[0],
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
                8 => {
                    find!(handle, place; "cmp qword ptr [{entry} + 8], {key}" "jne 7b"; $($copy)+; key = in(reg) key[0],
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
                _ => {
                    find!(handle, place; "cmp qword ptr [{entry} + 8], {key}" "jne 7b" "cmp qword ptr [{entry} + 16], {more}" "jne 7b"; $($copy)+; key = in(reg) key[0], more = in(reg) key[1],
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
            }
        };
    }
    // SAFETY: the caller promises that the handle is this thread's, and that root, table, buckets and
    // entries are readable until a restart that comes after they were unlinked, which aborts this. The
    // block writes `rseq_cs` alone.
    unsafe {
        match value_size {
            1 => sized!("movzx {value:e}, byte ptr [{entry} + {offset}]"; ),
            2 => sized!("movzx {value:e}, word ptr [{entry} + {offset}]"; ),
            4 => sized!("mov {value:e}, dword ptr [{entry} + {offset}]"; ),
            8 => sized!("mov {value}, qword ptr [{entry} + {offset}]"; ),
            _ => {
                sized!("mov {value}, qword ptr [{entry} + {offset}]" "mov {high}, qword ptr [{entry} + {offset} + 8]"; , high = out(reg) words[1])
            }
        }
    }
    Answer {
        entry,
        value: words,
    }
}
