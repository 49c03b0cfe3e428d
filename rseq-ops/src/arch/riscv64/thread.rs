//! The thread pointer, and the words that lie relative to it.

use core::arch::asm;

/// Returns the address from which the offsets of areas count.
#[inline(always)]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe {
        asm!(
            "mv {pointer}, tp",
            pointer = out(reg) pointer,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    pointer
}

/// Loads the word `offset` bytes from the thread pointer.
///
/// # Safety
/// This thread has a word there.
#[inline(always)]
pub(crate) unsafe fn thread_word(offset: isize) -> u32 {
    let word;
    // SAFETY: the caller promises that this thread has a word there. The block only reads it. It is not
    // `pure`, because the kernel may change the word at any time.
    unsafe {
        asm!(
            "add {at}, tp, {offset}",
            "lw {word}, 0({at})",
            at = out(reg) _,
            offset = in(reg) offset,
            word = lateout(reg) word,
            options(readonly, nostack, preserves_flags)
        );
    }
    word
}

/// Returns the addresses of libc's `__rseq_offset` and `__rseq_size` in a program that contains its libc;
/// null if that has none. See [`crate::loader`].
#[cfg(target_feature = "crt-static")]
pub(crate) fn linked_symbols() -> (*const isize, *const u32) {
    let offset: *const isize;
    let size: *const u32;
    // SAFETY: loads two entries of the GOT: the symbols are weak, so they are addresses or null.
    unsafe {
        asm!(
            // The directive is here so that the symbols are weak in every object that refers to them.
            ".weak __rseq_offset",
            ".weak __rseq_size",
            "lga {offset}, __rseq_offset",
            "lga {size}, __rseq_size",
            offset = out(reg) offset,
            size = out(reg) size,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    (offset, size)
}
