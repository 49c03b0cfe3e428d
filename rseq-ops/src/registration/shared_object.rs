//! Keeps a shared object that contains sequences loaded.
//!
//! The kernel clears a thread's `rseq_cs` lazily: for some time after a sequence has ended, the word still
//! points to the sequence's descriptor. If the descriptor is unmapped by then, the thread dies of SIGSEGV at
//! its next preemption, in unrelated code. No system call and no barrier makes all threads, sleeping ones
//! included, forget the descriptor. So an object that contains this crate, such as a plugin, must not be
//! unloaded once one of its sequences has run.
//!
//! `dlopen` with `RTLD_NODELETE` asks the loader for that. But it takes locks and allocates, and the first
//! sequence may run in a signal handler. So a constructor calls it when the object is loaded. An object is
//! therefore kept whether or not a sequence ever runs.
//!
//! musl never unloads anything. On other systems this is not known to matter.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;

/// Runs once the loader has loaded the object, before anybody can call functions in it.
#[used]
#[unsafe(link_section = ".init_array")]
static ON_LOAD: extern "C" fn(c_int, *const *const i8, *const *const i8) = keep;

/// Makes the linker include [`ON_LOAD`] whenever it includes a caller of this function.
#[inline]
pub(crate) fn is_kept() {
    // SAFETY: reads a static.
    unsafe { (&raw const ON_LOAD).read_volatile() };
}

unsafe extern "C" {
    /// The start of the object that this is linked into. The linker defines this symbol.
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
    // SAFETY: `found` is filled if the answer is not 0. The name is the loader's own name of the object that it
    // is loading, so the loader does not search for a file. A constructor may call both functions.
    unsafe {
        if libc::dladdr(here, found.as_mut_ptr()) != 0 {
            let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
            libc::dlopen(found.assume_init().dli_fname, flags);
        }
    }
}
