//! A shared object that has sequences in it stays loaded.
//!
//! The kernel clears a thread's `rseq_cs` lazily: for some time after a sequence has ended, the word
//! points to the sequence's descriptor. If that is unmapped by then, the thread dies of SIGSEGV at its
//! next preemption, somewhere else. No system call and no barrier makes all threads let go, those that
//! sleep included. So an object that contains this crate, a plugin say, must not be unloaded once
//! one of its sequences has run.
//!
//! `dlopen` with `RTLD_NODELETE` says so to the loader. It takes locks and allocates, and sequences may
//! run first in a signal handler; so it is called where no handler is: when the object is loaded, by a
//! constructor. What is loaded is kept, then, whether or not a sequence will run.
//!
//! musl never unloads anything. Elsewhere this is not known to matter.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

/// Runs once the loader has loaded the object, before anybody can call what is in it.
#[used]
#[unsafe(link_section = ".init_array")]
static ON_LOAD: extern "C" fn(c_int, *const *const i8, *const *const i8) = keep;

/// Makes the linker take [`ON_LOAD`] whenever it takes whatever calls this.
#[inline]
pub(crate) fn is_kept() {
    // SAFETY: reads a static.
    unsafe { (&raw const ON_LOAD).read_volatile() };
}

unsafe extern "C" {
    /// The start of the object that this is linked into: the linker's.
    #[link_name = "__ehdr_start"]
    safe static START: u8;
}

extern "C" fn keep(_: c_int, _: *const *const i8, _: *const *const i8) {
    let here: *const c_void = (&raw const START).cast();
    // SAFETY: reads the auxiliary vector. A program's own segments are described in its first page.
    let program = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    if program.wrapping_sub(here.addr()) < 4096 {
        return; // A program is never unloaded.
    }
    let mut found = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `found` is filled if the answer is not 0. The name is the loader's own for the object that
    // it is loading, so nothing is looked for; a constructor may call both functions.
    unsafe {
        if libc::dladdr(here, found.as_mut_ptr()) != 0 {
            let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
            libc::dlopen(found.assume_init().dli_fname, flags);
        }
    }
}
