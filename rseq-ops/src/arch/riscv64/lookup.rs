//! A lookup in a hash table. The orderings are those of `aarch64::lookup`.
//!
//! The six tags are compared one after the other, because not all processors have an instruction that
//! counts bits. A bucket is aligned to its size of 64 bytes, so the address of a slot tells
//! whether it is the last one.

use core::arch::asm;
use core::ptr;

use crate::handle::Handle;
use crate::lookup::{Answer, Place};

/// The sequence for one size of keys and one size of values: see `x86_64::lookup`. From label 7 on,
/// `{bucket}` is the address of a slot, and the lowest byte of `{tags}` is 0 if the tag of the slot before it
/// is that of the hash.
macro_rules! find {
    ($handle:ident, $place:ident; $($compare:literal)+; $($copy:literal)+; $($operands:tt)+) => {
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
            "j 7f",
            "8:",
            "ld {entry}, 0({bucket})",
            "beqz {entry}, 3f",
            "li {entry}, 2",
            "j 3f",
            "7:",
            "addi {bucket}, {bucket}, 8",
            "andi {at}, {bucket}, 0x38",
            "addi {at}, {at}, -0x38",
            "beqz {at}, 8b",
            "srli {tags}, {tags}, 8",
            "andi {at}, {tags}, 0xff",
            "bnez {at}, 7b",
            "ld {entry}, 0({bucket})",
            "beqz {entry}, 7b",
            $($compare,)+
            delay!(25),
            "add {at}, {entry}, {offset}",
            $($copy,)+
            "3:",
            on_abort!("li {entry}, 1", "jump 3b, {scratch}"),
            root = in(reg) $place.root,
            bucket = inout(reg) $place.bucket() => _,
            tags = inout(reg) $place.tags() => _,
            offset = in(reg) $place.offset,
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
                    find!(handle, place; "lw {at}, 8({entry})" "bne {at}, {key}, 7b"; $($copy)+; key = in(reg) key[0] as i32 as i64,
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
                8 => {
                    find!(handle, place; "ld {at}, 8({entry})" "bne {at}, {key}, 7b"; $($copy)+; key = in(reg) key[0],
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
                _ => {
                    find!(handle, place; "ld {at}, 8({entry})" "bne {at}, {key}, 7b" "ld {at}, 16({entry})" "bne {at}, {more}, 7b"; $($copy)+; key = in(reg) key[0], more = in(reg) key[1],
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
            1 => sized!("lbu {value}, 0({at})"; ),
            2 => sized!("lhu {value}, 0({at})"; ),
            4 => sized!("lwu {value}, 0({at})"; ),
            8 => sized!("ld {value}, 0({at})"; ),
            _ => sized!("ld {value}, 0({at})" "ld {high}, 8({at})"; , high = out(reg) words[1]),
        }
    }
    Answer {
        entry,
        value: words,
    }
}
