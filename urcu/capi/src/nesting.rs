//! The thread's nesting word: the section that is open, and how deep it is nested.
//!
//! `rcu_read_unlock` is given no token, so that of the outermost section is kept in thread-local data. The
//! token is an address of 47 bits (48 on AArch64); the 16 bits above it say how many sections are open
//! inside that one. The outermost section stores words that do not depend on what was loaded: the token, and 0;
//! and the comparison with the current phase, which its end makes anyway, tells it from nested ones and from none.
//!
//! The word is set after a section has begun: a signal handler in between has a section of its own, and leaves
//! the word as it was. It is cleared before the section ends: a handler that comes after that begins one of its own.
//!
//! The data is of the *initial-exec* kind: at a constant distance from the thread pointer, there from the
//! start of each thread, so that signal handlers may use it. Rust has no stable way to ask for that, hence
//! assembly.

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// One more section is open.
pub(crate) const LEVEL: usize = 1 << 48;

/// The bits of a token.
const TOKEN: usize = LEVEL - 1;

/// A thread's record of its sections in the global domain.
#[repr(C)]
pub(crate) struct Nesting {
    /// 0, or the token of the outermost section, and the number of those inside it times [`LEVEL`].
    pub(crate) word: AtomicUsize,
    /// The second word of the token, of builds that note where sections begin; 0 while no section is open, and
    /// for one that was begun by the header's own sequence.
    pub(crate) trace: AtomicUsize,
    /// The worker that calls the thread's callbacks, if it was given one: see [`workers`](crate::workers).
    pub(crate) worker: AtomicPtr<()>,
    /// So that no other thread-local data lies in a line half of which this is.
    unused: usize,
}

// With the entry for `.init_array`, so that whoever takes the one out of the static library takes the
// other too.
global_asm!(
    ".pushsection .tbss.urcu_percpu_nesting, \"awT\", @nobits",
    ".hidden urcu_percpu_nesting",
    ".globl urcu_percpu_nesting",
    ".type urcu_percpu_nesting, @object",
    ".size urcu_percpu_nesting, 32",
    ".balign 32",
    "urcu_percpu_nesting:",
    ".zero 32",
    ".popsection",
    ".pushsection .init_array, \"aw\"",
    ".balign 8",
    ".8byte {on_load}",
    ".popsection",
    on_load = sym crate::fork::on_load,
);

/// Returns the calling thread's. The reference is good on this thread, as long as it lives: so for the
/// duration of the caller.
#[inline(always)]
pub(crate) fn nesting<'a>() -> &'a Nesting {
    let address: *const Nesting;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: loads the thread pointer, and the distance that the loader has put into the GOT (or the
    // linker into the instruction); a thread's does not change.
    unsafe {
        asm!(
            "mov {address}, qword ptr fs:[0]",
            "add {address}, qword ptr [rip + urcu_percpu_nesting@GOTTPOFF]",
            address = out(reg) address,
            options(pure, nomem, nostack)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: loads the thread pointer and the distance that the loader has put into the GOT; a thread's
    // does not change.
    unsafe {
        asm!(
            "adrp {offset}, :gottprel:urcu_percpu_nesting",
            "ldr {offset}, [{offset}, :gottprel_lo12:urcu_percpu_nesting]",
            "mrs {address}, tpidr_el0",
            "add {address}, {address}, {offset}",
            address = out(reg) address,
            offset = out(reg) _,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    // SAFETY: 32 bytes of this thread's, of which zero is a value, aligned as the section says.
    unsafe { &*address }
}

impl Nesting {
    /// Returns whether the word is neither 0 nor that of an outermost section without others inside.
    #[inline(always)]
    pub(crate) fn is_deeper_or_none(word: usize) -> bool {
        // 0 wraps.
        word.wrapping_sub(1) >= TOKEN
    }

    /// Notes an outermost section. The word comes first: a signal handler that reads after it nests, and
    /// leaves the trace alone; one that reads before it has come and gone.
    #[inline(always)]
    pub(crate) fn open(&self, [token, trace]: [usize; 2]) {
        self.word.store(token, Relaxed);
        if TRACED {
            core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
            self.trace.store(trace, Relaxed);
        }
    }

    /// Notes that no section is open, and returns the token of the one that was, which is in `word`.
    /// Before that one ends: a signal handler that reads after it must begin one of its own.
    #[inline(always)]
    pub(crate) fn close(&self, word: usize) -> [usize; 2] {
        let mut trace = 0;
        if TRACED {
            trace = self.trace.load(Relaxed);
            self.trace.store(0, Relaxed);
        }
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.word.store(0, Relaxed);
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        [word & TOKEN, trace]
    }

    /// Returns how many sections are open, one inside the other.
    pub(crate) fn depth(&self) -> usize {
        match self.word.load(Relaxed) {
            0 => 0,
            word => word / LEVEL + 1,
        }
    }

    /// Puts another token in the place of the one that is there, as deep as that.
    pub(crate) fn replace(&self, [token, trace]: [usize; 2]) {
        let word = self.word.load(Relaxed);
        self.trace.store(trace, Relaxed);
        self.word.store(word & !TOKEN | token, Relaxed);
    }
}

/// True if the second word of a token says anything.
pub(crate) const TRACED: bool = size_of::<urcu::RawGuard>() != size_of::<usize>();
