//! The thread pointer, and the words that lie relative to it.

use core::arch::asm;

/// Returns the address from which the offsets of areas count.
#[inline(always)]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the thread pointer from its own slot, where the x86-64 TLS ABI keeps it.
    unsafe {
        asm!(
            "mov {pointer}, qword ptr fs:[0]",
            pointer = out(reg) pointer,
            options(pure, readonly, nostack, preserves_flags)
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
            "mov {word:e}, dword ptr fs:[{offset}]",
            offset = in(reg) offset,
            word = out(reg) word,
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
            "mov {offset}, qword ptr [rip + __rseq_offset@GOTPCREL]",
            "mov {size}, qword ptr [rip + __rseq_size@GOTPCREL]",
            offset = out(reg) offset,
            size = out(reg) size,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    (offset, size)
}
