//! Whether the user wants an end. The program ends in order then: with its closing line, and without
//! the directory that it made.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn ask(_: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

/// Interrupts are only noted, from now on.
pub(crate) fn catch() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let handler = ask as extern "C" fn(libc::c_int);
        // SAFETY: the handler stores to an atomic, which any handler may.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

/// Whether there was one.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
