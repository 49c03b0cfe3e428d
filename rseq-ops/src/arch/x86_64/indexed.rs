//! The sequences whose caller has prepared for an index. They compare it with the thread's index first, and
//! abort if the thread has another one by now.
//!
//! A store on x86-64 is a release as it is, so the two kinds of commit are the same instruction.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::{Commit, Outcome, Popped};

/// Arms, and compares the index. `{temporary}` is free again after it.
macro_rules! begin {
    () => {
        "lea {temporary}, [rip + 9b]
         mov qword ptr fs:[{cs}], {temporary}
         2:
         cmp dword ptr fs:[{at}], {index:e}
         jne 4f"
    };
}

/// See [`crate::ops::compare_store`].
///
/// # Safety
/// The requirements of [`crate::ops::compare_store`].
#[inline(always)]
pub(crate) unsafe fn compare_store(
    handle: Handle,
    index: u32,
    word: *mut usize,
    expected: usize,
    new: usize,
    _: impl Commit,
) -> Outcome {
    // SAFETY: `handle` is this thread's, and the pointers are valid if `index` is its index, as the
    // caller promises; the first instruction of the sequence compares that. Here and below the
    // block writes `rseq_cs` and what its description says, and its last instruction commits.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            delay!(5),
            "cmp qword ptr [{word}], {expected}",
            "jne {mismatch}",
            delay!(6),
            "mov qword ptr [{word}], {new}",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            word = in(reg) word,
            expected = in(reg) expected,
            new = in(reg) new,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::pop`].
///
/// # Safety
/// The requirements of [`crate::ops::pop`].
#[inline(always)]
pub(crate) unsafe fn pop(
    handle: Handle,
    index: u32,
    word: *mut usize,
    unwanted: usize,
    offset: usize,
    _: impl Commit,
) -> Popped {
    let head: usize;
    let aborted: usize;
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words. The head is
    // dereferenced only where it is not `unwanted`.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            "mov {head}, qword ptr [{word}]",
            "cmp {head}, {unwanted}",
            "je 3f",
            delay!(7),
            "mov {temporary}, qword ptr [{head} + {offset}]",
            delay!(8),
            "mov qword ptr [{word}], {temporary}",
            "3:",
            on_abort!("mov {aborted:e}, 1", "jmp 3b"),
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            word = in(reg) word,
            unwanted = in(reg) unwanted,
            offset = in(reg) offset,
            head = out(reg) head,
            aborted = inout(reg) 0usize => aborted,
            temporary = out(reg) _
        );
    }
    if aborted != 0 {
        Popped::Aborted
    } else if head == unwanted {
        Popped::Mismatch
    } else {
        Popped::Committed(head)
    }
}

/// See [`crate::ops::add_at`].
///
/// # Safety
/// The requirements of [`crate::ops::add_at`].
#[inline(always)]
pub(crate) unsafe fn add_at(
    handle: Handle,
    index: u32,
    word: *mut usize,
    delta: usize,
    _: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            delay!(9),
            "add qword ptr [{word}], {delta}",
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            word = in(reg) word,
            delta = in(reg) delta,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::compare_two_store`].
///
/// # Safety
/// The requirements of [`crate::ops::compare_two_store`].
#[inline(always)]
pub(crate) unsafe fn compare_two_store(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (other, other_expected): (*const usize, usize),
    new: usize,
    _: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            "cmp qword ptr [{word}], {expected}",
            "jne {mismatch}",
            delay!(10),
            "cmp qword ptr [{other}], {other_expected}",
            "jne {mismatch}",
            delay!(11),
            "mov qword ptr [{word}], {new}",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            word = in(reg) word,
            expected = in(reg) expected,
            other = in(reg) other,
            other_expected = in(reg) other_expected,
            new = in(reg) new,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::compare_store_store`].
///
/// # Safety
/// The requirements of [`crate::ops::compare_store_store`].
#[inline(always)]
pub(crate) unsafe fn compare_store_store(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (first, first_new): (*mut usize, usize),
    new: usize,
    _: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words. The first store is not
    // the commit: an attempt that is aborted after it has only changed a word whose contents do not count
    // until `word` says so.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            "cmp qword ptr [{word}], {expected}",
            "jne {mismatch}",
            delay!(12),
            "mov qword ptr [{first}], {first_new}",
            delay!(13),
            "mov qword ptr [{word}], {new}",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            word = in(reg) word,
            expected = in(reg) expected,
            first = in(reg) first,
            first_new = in(reg) first_new,
            new = in(reg) new,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::compare_copy_store`].
///
/// # Safety
/// The requirements of [`crate::ops::compare_copy_store`].
#[inline(always)]
pub(crate) unsafe fn compare_copy_store(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (source, target, size): (*const u8, *mut u8, usize),
    new: usize,
    _: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words. The copied
    // bytes do not count until `word` says so. Whole words are copied first, and the rest byte by byte: a
    // string instruction would take longer to start than the usual copy takes as a whole.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            "cmp qword ptr [{word}], {expected}",
            "jne {mismatch}",
            delay!(14),
            "sub {size}, 8",
            "jb 6f",
            "5:",
            "mov {temporary}, qword ptr [{source}]",
            "mov qword ptr [{target}], {temporary}",
            "add {source}, 8",
            "add {target}, 8",
            "sub {size}, 8",
            "jae 5b",
            "6:",
            "add {size}, 8",
            "jz 8f",
            "7:",
            "movzx {temporary:e}, byte ptr [{source}]",
            "mov byte ptr [{target}], {temporary:l}",
            "inc {source}",
            "inc {target}",
            "dec {size}",
            "jnz 7b",
            "8:",
            delay!(15),
            "mov qword ptr [{word}], {new}",
            "3:",
            on_abort!("jmp {aborted}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            word = in(reg) word,
            expected = in(reg) expected,
            new = in(reg) new,
            source = inout(reg) source => _,
            target = inout(reg) target => _,
            size = inout(reg) size => _,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}

/// See [`crate::ops::add_through_offset`].
///
/// # Safety
/// The requirements of [`crate::ops::add_through_offset`].
#[inline(always)]
pub(crate) unsafe fn add_through_offset(
    handle: Handle,
    index: u32,
    source: *const usize,
    offset: usize,
    delta: usize,
    _: impl Commit,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words.
    unsafe {
        sequence!(
            descriptor!(),
            begin!(),
            "mov {temporary}, qword ptr [{source}]",
            delay!(16),
            "mov {temporary}, qword ptr [{temporary} + {offset}]",
            delay!(17),
            "add qword ptr [{temporary}], {delta}",
            "3:",
            on_abort!("jmp {aborted}"),
            aborted = label { return Outcome::Aborted },
            cs = in(reg) handle.cs,
            at = in(reg) handle.index_offset(),
            index = in(reg) index,
            source = in(reg) source,
            offset = in(reg) offset,
            delta = in(reg) delta,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}
