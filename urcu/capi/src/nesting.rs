//! The thread's nesting word: the section that is open, and how deep it is nested.
//!
//! `rcu_read_unlock` is given no token, so the token of the outermost section is kept in thread-local data. The
//! token is an address of 47 bits (48 on AArch64). The 16 bits above it say how many sections are open inside that
//! section. An outermost section stores words that do not depend on a load: the token at its begin, and 0 at its end.
//! Its end compares the word with the current phase anyway. That comparison also tells an outermost section from
//! nested ones, and from none.
//!
//! The word is set after a section has begun: a signal handler in between has a section of its own, and leaves the
//! word as it was. The word is cleared before the section ends: a handler after that begins a section of its own.
//!
//! The data is of the *initial-exec* kind: it lies at a constant distance from the thread pointer and exists from
//! the start of each thread, so signal handlers may use it. Rust has no stable way to ask for that, so this is
//! written in assembly.

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// What each nested section adds to the word.
pub(crate) const LEVEL: usize = 1 << 48;

/// The bits of the word that hold the token.
const TOKEN: usize = LEVEL - 1;

/// A thread's record of its sections in the global domain.
#[repr(C)]
pub(crate) struct Nesting {
    /// 0, or the token of the outermost section plus [`LEVEL`] for each section inside it.
    pub(crate) word: AtomicUsize,
    /// The second word of the token, in builds that record where sections begin. It is 0 while no section is open, and
    /// in a section that the header's own sequence began.
    pub(crate) trace: AtomicUsize,
    /// The worker that the thread was given, or null: see [`workers`](crate::workers).
    pub(crate) worker: AtomicPtr<()>,
    /// Keeps other thread-local data out of the half cache line that this structure fills.
    unused: usize,
}

// The data stands together with the entry of `.init_array`, so that a linker that takes one of the two out of the
// static library also takes the other.
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

/// Returns the calling thread's record. The reference is valid on this thread as long as the thread lives, and so for
/// the duration of the caller.
#[inline(always)]
pub(crate) fn nesting<'a>() -> &'a Nesting {
    let address: *const Nesting;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: loads the thread pointer, and the distance that the loader has put into the GOT, or the linker into the
    // instruction. Neither changes while the thread lives.
    unsafe {
        asm!(
            "mov {address}, qword ptr fs:[0]",
            "add {address}, qword ptr [rip + urcu_percpu_nesting@GOTTPOFF]",
            address = out(reg) address,
            options(pure, nomem, nostack)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: loads the thread pointer, and the distance that the loader has put into the GOT. Neither changes while
    // the thread lives.
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
    // SAFETY: 32 bytes of this thread's data, aligned as the section says. Zeroed bytes are a valid record.
    unsafe { &*address }
}

impl Nesting {
    /// Returns whether sections are nested: the word is neither 0 nor the token of a section with none inside it.
    #[inline(always)]
    pub(crate) fn is_deeper_or_none(word: usize) -> bool {
        // 0 wraps around.
        word.wrapping_sub(1) >= TOKEN
    }

    /// Records that an outermost section is open. The word is stored first: a signal handler that begins a section
    /// after that nests, and leaves the trace alone. A handler that comes earlier has ended its section by then.
    #[inline(always)]
    pub(crate) fn open(&self, [token, trace]: [usize; 2]) {
        self.word.store(token, Relaxed);
        if TRACED {
            core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
            self.trace.store(trace, Relaxed);
        }
    }

    /// Records that no section is open, and returns the token of the section that was open, which is in `word`. This is
    /// called before that section ends, because a signal handler after its end must begin a section of its own.
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

    /// Replaces the token, and keeps the depth.
    pub(crate) fn replace(&self, [token, trace]: [usize; 2]) {
        let word = self.word.load(Relaxed);
        self.trace.store(trace, Relaxed);
        self.word.store(word & !TOKEN | token, Relaxed);
    }
}

/// True if the second word of a token is used.
pub(crate) const TRACED: bool = size_of::<urcu::RawGuard>() != size_of::<usize>();
