//! A lookup in a hash table. The shape is that of `x86_64::lookup`.
//!
//! # Ordering
//! The loads of the root and of the header are acquires. All later loads are from addresses that were loaded
//! before, and the processor orders a load after the load of its address.

use core::arch::asm;
use core::ptr;

use crate::handle::Handle;
use crate::lookup::{Answer, Place};

/// The sequence for one size of keys and one size of values: see `x86_64::lookup`.
macro_rules! find {
    ($handle:ident, $place:ident; $($compare:literal)+; $($copy:literal)+; $($operands:tt)+) => {
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
            "sub {bucket}, {bucket}, #8",
            "b 7f",
            "8:",
            "ldr {entry}, [{bucket}, #64]",
            "cbz {entry}, 3f",
            "mov {entry}, #2",
            "b 3f",
            "7:",
            "cbz {bits}, 8b",
            "rbit {tags}, {bits}",
            "clz {tags}, {tags}",
            "and {tags}, {tags}, #0x78",
            "ldr {entry}, [{bucket}, {tags}]",
            "sub {tags}, {bits}, #1",
            "and {bits}, {bits}, {tags}",
            "cbz {entry}, 7b",
            $($compare,)+
            delay!(25),
            $($copy,)+
            "3:",
            on_abort!("mov {entry}, #1", "b 3b"),
            bits = inout(reg) $place.root => _,
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
                    find!(handle, place; "ldr {value:w}, [{entry}, #8]" "cmp {value:w}, {key:w}" "b.ne 7b"; $($copy)+; key = in(reg) key[0],
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
                8 => {
                    find!(handle, place; "ldr {value}, [{entry}, #8]" "cmp {value}, {key}" "b.ne 7b"; $($copy)+; key = in(reg) key[0],
                        entry = out(reg) entry, value = out(reg) words[0] $($high)*);
                }
                _ => {
                    find!(handle, place; "ldr {value}, [{entry}, #8]" "cmp {value}, {key}" "b.ne 7b" "ldr {value}, [{entry}, #16]" "cmp {value}, {more}" "b.ne 7b"; $($copy)+; key = in(reg) key[0], more = in(reg) key[1],
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
            1 => sized!("ldrb {value:w}, [{entry}, {offset}]"; ),
            2 => sized!("ldrh {value:w}, [{entry}, {offset}]"; ),
            4 => sized!("ldr {value:w}, [{entry}, {offset}]"; ),
            8 => sized!("ldr {value}, [{entry}, {offset}]"; ),
            _ => {
                sized!("add {high}, {entry}, {offset}" "ldp {value}, {high}, [{high}]"; , high = out(reg) words[1])
            }
        }
    }
    Answer {
        entry,
        value: words,
    }
}
