//! A lookup in a hash table whose buckets hold the pairs. The orderings are those of
//! `aarch64::lookup_inline`; the tags are compared one after the other, as in `lookup`.

use core::arch::asm;
use core::ptr;

use crate::handle::Handle;
use crate::lookup::{Answer, Place};

/// The sequence for one size of keys and one size of values: see `x86_64::lookup_inline`. From label 7 on,
/// `{bucket}` is the address of an entry, and the lowest byte of `{tags}` is 0 if the tag of the entry before
/// it is that of the hash.
macro_rules! find {
    ($handle:ident, $place:ident; $inside:literal, $outside:literal; $copy:literal; $($operands:tt)+) => {
        sequence!(
            $handle,
            arm!(),
            "2:",
            check_registration!(),
            "ld {at}, 0({root})",
            "fence r, rw",
            "ld {scratch}, 0({at})",
            "and {bucket}, {bucket}, {scratch}",
            "add {bucket}, {bucket}, {at}",
            "addi {bucket}, {bucket}, 64",
            delay!(24),
            "ld {scratch}, 0({bucket})",
            "fence r, rw",
            "li {entry}, 2",
            "andi {at}, {scratch}, 2",
            "bnez {at}, 3f",
            "xor {tags}, {tags}, {scratch}",
            "srli {tags}, {tags}, 8",
            "addi {bucket}, {bucket}, -8",
            "j 7f",
            "8:",
            "ld {entry}, -96({bucket})",
            "j 6f",
            "5:",
            "ld {entry}, 0({entry})",
            "6:",
            "beqz {entry}, 3f",
            $outside,
            "j 21f",
            "7:",
            "addi {bucket}, {bucket}, 16",
            "andi {at}, {bucket}, 0x78",
            "addi {at}, {at}, -0x68",
            "beqz {at}, 8b",
            "srli {tags}, {tags}, 8",
            "andi {at}, {tags}, 0xff",
            "bnez {at}, 7b",
            "mv {entry}, {bucket}",
            $inside,
            "21:",
            delay!(25),
            "add {at}, {entry}, {offset}",
            $copy,
            "3:",
            on_abort!("li {entry}, 1", "jump 3b, {scratch}"),
            root = in(reg) $place.root,
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
                        "lw {at}, 8({entry})
                         bne {at}, {key}, 7b",
                        "lw {at}, 8({entry})
                         bne {at}, {key}, 5b";
                        $copy; key = in(reg) key as i32 as i64, entry = out(reg) entry, value = out(reg) value);
                }
                _ => {
                    find!(handle, place;
                        "ld {at}, 8({entry})
                         bne {at}, {key}, 7b",
                        "ld {at}, 8({entry})
                         bne {at}, {key}, 5b";
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
            1 => sized!("lbu {value}, 0({at})"),
            2 => sized!("lhu {value}, 0({at})"),
            4 => sized!("lwu {value}, 0({at})"),
            _ => sized!("ld {value}, 0({at})"),
        }
    }
    Answer {
        entry,
        value: [value, ptr::null_mut()],
    }
}
