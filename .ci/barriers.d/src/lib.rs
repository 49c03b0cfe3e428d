//! Each sequence by itself, so that the instructions that order it can be looked for in what is
//! built. `Expected:` gives their number: acquiring loads, releasing stores.
//!
//! Nothing here runs: each function is unsafe, asks for what its sequence asks for, and is only compiled.
#![no_std]
#![allow(clippy::missing_safety_doc, missing_docs)]

use rseq_ops::Handle;
use rseq_ops::ops::{self, Place, Record, Relaxed, Release};

const SHIFT: u32 = 16;

// Expected: add_through 1 0
#[unsafe(no_mangle)]
pub unsafe fn add_through(handle: Handle, source: *const usize) -> usize {
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    unsafe { ops::add_through::<SHIFT>(handle, source).map_or(0, |(pointer, _)| pointer.get()) }
}

// Expected: sub_if_current 0 1
#[unsafe(no_mangle)]
pub unsafe fn sub_if_current(handle: Handle, source: *const usize, word: usize) -> u8 {
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    unsafe { ops::sub_if_current::<SHIFT>(handle, source, word, 1) as u8 }
}

// Expected: add 0 1
#[unsafe(no_mangle)]
pub unsafe fn add(handle: Handle, base: usize) -> u8 {
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    unsafe { ops::add::<SHIFT>(handle, base, -1) as u8 }
}

macro_rules! copies {
    ($($name:ident $size:literal)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe fn $name(handle: Handle, source: *const *const u8, to: *mut u8) -> u8 {
            // SAFETY: this function asks for what the sequence asks for, and is never called.
            unsafe { ops::copy_through(handle, source, to, $size) as u8 }
        }
    )*};
}
// Expected: copy_1 1 0
// Expected: copy_2 1 0
// Expected: copy_4 1 0
// Expected: copy_8 1 0
// Expected: copy_64 1 0
// Expected: copy_200 1 0
copies!(copy_1 1 copy_2 2 copy_4 4 copy_8 8 copy_64 64 copy_200 200);

macro_rules! copies_of_parts {
    ($($name:ident $size:literal)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe fn $name(handle: Handle, source: *const *const u8, at: usize, to: *mut u8) -> u8 {
            // SAFETY: this function asks for what the sequence asks for, and is never called.
            unsafe { ops::copy_part_through(handle, source, at, to, $size) as u8 }
        }
    )*};
}
// Expected: copy_part_4 1 0
// Expected: copy_part_64 1 0
// Expected: copy_part_200 1 0
copies_of_parts!(copy_part_4 4 copy_part_64 64 copy_part_200 200);

macro_rules! copies_behind {
    ($($name:ident $size:literal)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe fn $name(handle: Handle, source: *const *const u8, at: [usize; 2], to: *mut u8) -> u8 {
            // SAFETY: this function asks for what the sequence asks for, and is never called.
            unsafe { ops::copy_behind_through(handle, source, at[0], at[1], to, $size) as u8 }
        }
    )*};
}
// The second pointer's load needs a dependency alone, which no barrier says.
// Expected: copy_behind_4 1 0
// Expected: copy_behind_64 1 0
// Expected: copy_behind_200 1 0
copies_behind!(copy_behind_4 4 copy_behind_64 64 copy_behind_200 200);

macro_rules! lookups {
    ($($name:ident $key:ty, $value:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe fn $name(handle: Handle, place: &Place, key: &$key, to: *mut $value) -> u8 {
            // SAFETY: this function asks for what the sequence asks for, and is never called.
            unsafe { ops::lookup(handle, place, key, to) as u8 }
        }
    )*};
}
// The root and the header.
// Expected: lookup_4_1 2 0
// Expected: lookup_8_8 2 0
// Expected: lookup_16_16 2 0
lookups! {
    lookup_4_1 u32, u8;
    lookup_8_8 u64, u64;
    lookup_16_16 [u8; 16], [u8; 16];
}

macro_rules! inline_lookups {
    ($($name:ident $key:ty, $value:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe fn $name(handle: Handle, place: &Place, key: &$key, to: *mut $value) -> u8 {
            // SAFETY: this function asks for what the sequence asks for, and is never called.
            unsafe { ops::lookup_inline(handle, place, key, to) as u8 }
        }
    )*};
}
// The root and the header.
// Expected: lookup_inline_4_1 2 0
// Expected: lookup_inline_8_8 2 0
inline_lookups! {
    lookup_inline_4_1 u32, u8;
    lookup_inline_8_8 u64, u64;
}

// Expected: append_through 1 0
#[unsafe(no_mangle)]
pub unsafe fn append_through(handle: Handle, source: *const usize, record: *const Record) -> bool {
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    let appended = unsafe { ops::append_through::<SHIFT, 32, 4096>(handle, source, record) };
    appended == ops::Appended::Aborted
}

// Expected: replace_through 1 0
#[unsafe(no_mangle)]
pub unsafe fn replace_through(handle: Handle, source: *const usize, new: usize) -> u8 {
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    unsafe { ops::replace_through::<SHIFT, 32>(handle, source, 0, new) as u8 }
}

macro_rules! by_index {
    ($($name:ident $commit:ident: $operation:expr;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe fn $name(handle: Handle, index: u32, word: *mut usize) -> bool {
            let operation: unsafe fn(Handle, u32, *mut usize, $commit) -> bool = $operation;
            // SAFETY: this function asks for what the sequence asks for, and is never called.
            unsafe { operation(handle, index, word, $commit) }
        }
    )*};
}

// Expected: compare_store_relaxed 1 0
// Expected: compare_store_release 1 1
// Expected: compare_two_store_release 2 1
// Expected: compare_store_store_release 1 1
// Expected: compare_copy_store_release 1 1
// Expected: pop_relaxed 1 0
// Expected: pop_release 1 1
// Expected: add_at_relaxed 0 0
// Expected: add_at_release 0 1
// Expected: add_through_offset_release 2 1
by_index! {
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    compare_store_relaxed Relaxed: |h, i, w, c| unsafe {
        ops::compare_store(h, i, w, 0, 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    compare_store_release Release: |h, i, w, c| unsafe {
        ops::compare_store(h, i, w, 0, 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    compare_two_store_release Release: |h, i, w, c| unsafe {
        ops::compare_two_store(h, i, (w, 0), (w.add(1), 0), 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    compare_store_store_release Release: |h, i, w, c| unsafe {
        ops::compare_store_store(h, i, (w, 0), (w.add(1), 0), 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    compare_copy_store_release Release: |h, i, w, c| unsafe {
        let copy = (w.add(1).cast::<u8>().cast_const(), w.add(8).cast(), 24);
        ops::compare_copy_store(h, i, (w, 0), copy, 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    pop_relaxed Relaxed: |h, i, w, c| unsafe {
        ops::pop(h, i, w, 0, 8, c) == ops::Popped::Mismatch
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    pop_release Release: |h, i, w, c| unsafe {
        ops::pop(h, i, w, 0, 8, c) == ops::Popped::Mismatch
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    add_at_relaxed Relaxed: |h, i, w, c| unsafe {
        ops::add_at(h, i, w, 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    add_at_release Release: |h, i, w, c| unsafe {
        ops::add_at(h, i, w, 1, c) == ops::Outcome::Committed
    };
    // SAFETY: this function asks for what the sequence asks for, and is never called.
    add_through_offset_release Release: |h, i, w, c| unsafe {
        ops::add_through_offset(h, i, w, 8, 1, c) == ops::Outcome::Committed
    };
}
