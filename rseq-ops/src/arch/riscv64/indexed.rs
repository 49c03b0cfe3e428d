//! The sequences whose caller has prepared for an index. They compare it with the thread's index first, and
//! abort if the thread has another one by now.

use core::arch::asm;

use crate::handle::Handle;
use crate::outcome::{Commit, Outcome, Popped};

/// Arms, and compares the index, which is passed as the sign-extended word that `lw` loads.
macro_rules! begin {
    () => {
        concat!(
            arm!(),
            "
             2:
             add {at}, {at}, {own}
             lw {scratch}, 0({at})
             beq {scratch}, {index}, 5f
             jump 4f, {scratch}
             5:"
        )
    };
}

/// Loads `$register` from the address in `$address`, an acquire.
macro_rules! load {
    ($register:literal, $address:literal) => {
        concat!("ld {", $register, "}, 0({", $address, "})\nfence r, rw")
    };
}

/// Leaves with a mismatch if `$address` does not hold `$expected`; changes `{temporary}`.
macro_rules! compare {
    ($address:literal, $expected:literal) => {
        concat!(
            load!("temporary", $address),
            "
             beq {temporary}, {",
            $expected,
            "}, 5f
             j {mismatch}
             5:"
        )
    };
}

/// The last instruction stores `$register`, as a release if the caller wants one.
macro_rules! commit {
    ($register:literal, $address:literal) => {
        concat!(
            ".if {release}
             fence rw, w
             .endif
             sd {",
            $register,
            "}, 0({",
            $address,
            "})
             3:"
        )
    };
}

/// See [`crate::ops::compare_store`].
///
/// # Safety
/// The requirements of [`crate::ops::compare_store`].
#[inline(always)]
pub(crate) unsafe fn compare_store<C: Commit>(
    handle: Handle,
    index: u32,
    word: *mut usize,
    expected: usize,
    new: usize,
    _: C,
) -> Outcome {
    // SAFETY: `handle` is this thread's, and the pointers are valid if `index` is its index, as the
    // caller promises; the first instruction of the sequence compares that. Here and below the
    // block writes `rseq_cs` and what its description says, and its last instruction commits.
    unsafe {
        sequence!(
            handle,
            begin!(),
            delay!(5),
            compare!("word", "expected"),
            delay!(6),
            commit!("new", "word"),
            on_abort!("jump {aborted}, {scratch}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
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
pub(crate) unsafe fn pop<C: Commit>(
    handle: Handle,
    index: u32,
    word: *mut usize,
    unwanted: usize,
    offset: usize,
    _: C,
) -> Popped {
    let head: usize;
    let aborted: usize;
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words. The head is
    // dereferenced only where it is not `unwanted`.
    unsafe {
        sequence!(
            handle,
            begin!(),
            load!("head", "word"),
            "beq {head}, {unwanted}, 3f",
            delay!(7),
            "add {temporary}, {head}, {offset}",
            "ld {temporary}, 0({temporary})",
            delay!(8),
            commit!("temporary", "word"),
            on_abort!("li {aborted}, 1", "jump 3b, {scratch}"),
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
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
pub(crate) unsafe fn add_at<C: Commit>(
    handle: Handle,
    index: u32,
    word: *mut usize,
    delta: usize,
    _: C,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words.
    unsafe {
        sequence!(
            handle,
            begin!(),
            "ld {temporary}, 0({word})",
            "add {temporary}, {temporary}, {delta}",
            delay!(9),
            commit!("temporary", "word"),
            on_abort!("jump {aborted}, {scratch}"),
            aborted = label { return Outcome::Aborted },
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
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
pub(crate) unsafe fn compare_two_store<C: Commit>(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (other, other_expected): (*const usize, usize),
    new: usize,
    _: C,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words.
    unsafe {
        sequence!(
            handle,
            begin!(),
            compare!("word", "expected"),
            delay!(10),
            compare!("other", "other_expected"),
            delay!(11),
            commit!("new", "word"),
            on_abort!("jump {aborted}, {scratch}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
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
pub(crate) unsafe fn compare_store_store<C: Commit>(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (first, first_new): (*mut usize, usize),
    new: usize,
    _: C,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words. The first store is not
    // the commit: an attempt that is aborted after it has only changed a word whose contents do not count
    // until `word` says so.
    unsafe {
        sequence!(
            handle,
            begin!(),
            compare!("word", "expected"),
            delay!(12),
            "sd {first_new}, 0({first})",
            delay!(13),
            commit!("new", "word"),
            on_abort!("jump {aborted}, {scratch}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
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
pub(crate) unsafe fn compare_copy_store<C: Commit>(
    handle: Handle,
    index: u32,
    (word, expected): (*mut usize, usize),
    (source, target, size): (*const u8, *mut u8, usize),
    new: usize,
    _: C,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words. The copied
    // bytes do not count until `word` says so. Whole words are copied first, and the rest byte by byte.
    unsafe {
        sequence!(
            handle,
            begin!(),
            compare!("word", "expected"),
            delay!(14),
            "6: sltiu {scratch}, {size}, 8",
            "bnez {scratch}, 7f",
            "ld {temporary}, 0({source})",
            "sd {temporary}, 0({target})",
            "addi {source}, {source}, 8",
            "addi {target}, {target}, 8",
            "addi {size}, {size}, -8",
            "j 6b",
            "7: beqz {size}, 8f",
            "lbu {temporary}, 0({source})",
            "sb {temporary}, 0({target})",
            "addi {source}, {source}, 1",
            "addi {target}, {target}, 1",
            "addi {size}, {size}, -1",
            "j 7b",
            "8:",
            delay!(15),
            commit!("new", "word"),
            on_abort!("jump {aborted}, {scratch}"),
            mismatch = label { return Outcome::Mismatch },
            aborted = label { return Outcome::Aborted },
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
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
pub(crate) unsafe fn add_through_offset<C: Commit>(
    handle: Handle,
    index: u32,
    source: *const usize,
    offset: usize,
    delta: usize,
    _: C,
) -> Outcome {
    // SAFETY: the caller promises what `compare_store` asks for, for each of the words.
    unsafe {
        sequence!(
            handle,
            begin!(),
            load!("temporary", "source"),
            delay!(16),
            "add {temporary}, {temporary}, {offset}",
            load!("word", "temporary"),
            "ld {temporary}, 0({word})",
            "add {temporary}, {temporary}, {delta}",
            delay!(17),
            commit!("temporary", "word"),
            on_abort!("jump {aborted}, {scratch}"),
            aborted = label { return Outcome::Aborted },
            own = in(reg) handle.index as isize,
            release = const C::RELEASE as u32,
            index = in(reg) index as i32 as isize,
            source = in(reg) source,
            offset = in(reg) offset,
            delta = in(reg) delta,
            word = out(reg) _,
            temporary = out(reg) _
        );
    }
    Outcome::Committed
}
