//! Our own registrations, thread by thread, where libc makes none.
//!
//! # Where the areas are
//! The areas are not in thread-local data. The kernel needs an area that does not move, and sequences reach it
//! from any code of ours, so such data would need the model `initial-exec`. But a single word of that model
//! makes a shared object take *all* its thread-local data from libc's small reserve, in every program that
//! loads the object, even where libc registers threads and nobody needs our area. The other models may
//! allocate at a thread's first access, which may be in a signal handler.
//!
//! So the areas are in memory of our own, mapped when the first thread is registered. A `pthread` key leads to
//! them: in glibc and musl, reading its value takes two loads and no lock.
//!
//! # The end of a thread
//! The key's destructor ends the registration. It keeps the area until libc calls it for the last time, so
//! that destructors of the thread that run later find an area that says "not registered". After that another
//! thread may have the area. In a forked child, the areas of the parent's other threads stay in use for ever:
//! some hundred bytes for each thread.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

mod slots;

use crate::abi;
use crate::registration::call::lengths;
use slots::{GONE, KEPT, OVER, REGISTERED, Slot, give, take};

/// The number of times that libc calls a key's destructor for a thread if the key has a value each time:
/// `PTHREAD_DESTRUCTOR_ITERATIONS` of glibc and musl.
const PASSES: u32 = 4;

/// The key plus 1, or 0 if there is no key yet.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Returns the process's key, which the first call makes. Returns `None` if no key can be made now.
fn key() -> Option<libc::pthread_key_t> {
    /// glibc keeps the values of this many keys in the thread itself. Setting the value of a later key
    /// allocates, which a signal handler must not do.
    const WITHOUT_ALLOCATION: u32 = if cfg!(target_env = "gnu") {
        32
    } else {
        u32::MAX
    };
    // Acquire: pairs with the release below, so that the key exists for a thread that finds it here.
    let known = KEY.load(Ordering::Acquire);
    if known != 0 {
        return Some(known - 1);
    }
    let mut key: libc::pthread_key_t = 0;
    // SAFETY: `key` is valid for the write, `at_exit` is of the right type.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(at_exit)) } != 0 {
        return None;
    }
    let published = if key < WITHOUT_ALLOCATION {
        KEY.compare_exchange(0, key + 1, Ordering::AcqRel, Ordering::Acquire)
    } else {
        Err(0)
    };
    match published {
        Ok(_) => Some(key),
        Err(other) => {
            // SAFETY: the key is ours and no thread has a value for it.
            unsafe { libc::pthread_key_delete(key) };
            other.checked_sub(1)
        }
    }
}

/// Returns the calling thread's slot.
#[inline]
fn mine() -> Option<&'static Slot> {
    let key = KEY.load(Ordering::Acquire).checked_sub(1)?;
    // SAFETY: the key is never deleted. Its values are null or slots, which are never unmapped.
    unsafe { libc::pthread_getspecific(key).cast::<Slot>().as_ref() }
}

fn set_mine(key: libc::pthread_key_t, slot: &'static Slot) -> bool {
    // SAFETY: the key exists.
    unsafe { libc::pthread_setspecific(key, ptr::from_ref(slot).cast()) == 0 }
}

/// Returns the offset of the calling thread's area from its thread pointer, if the thread is registered. A
/// thread's first call registers it.
#[inline]
pub(super) fn current_thread() -> Option<isize> {
    match mine() {
        Some(slot) => slot.registered(),
        None => register(),
    }
}

/// Returns `cpu_id` of a thread that is not registered.
pub(super) fn cpu_id() -> i32 {
    mine().map_or(abi::CPU_ID_UNINITIALIZED, |slot| {
        let word = slot.area.get().cast::<u8>().wrapping_offset(abi::CPU_ID);
        // SAFETY: an aligned word of the area; the kernel may write it.
        unsafe { word.cast::<i32>().read_volatile() }
    })
}

#[cold]
fn register() -> Option<isize> {
    let mut registered = None;
    // Signals are blocked: a handler must not find the thread registered while the state does not say so yet.
    with_signals_blocked(|| registered = register_with_signals_blocked());
    registered
}

fn register_with_signals_blocked() -> Option<isize> {
    if let Some(slot) = mine() {
        return slot.registered(); // A handler was here before the signals were blocked.
    }
    let key = key()?;
    let slot = take()?;
    // The value is set first, so that no registered thread ends without `at_exit`.
    if !set_mine(key, slot) {
        give(slot);
        return None;
    }
    let registers = |length: &usize| slot.rseq(*length, 0).is_ok();
    match lengths().iter().position(registers) {
        Some(n) => {
            slot.state.store(REGISTERED + n as u32, Ordering::Relaxed);
            Some(slot.offset())
        }
        None => {
            // By the early adopters' convention, `cpu_id` says that the registration was refused.
            slot.write(abi::CPU_ID, abi::CPU_ID_REGISTRATION_FAILED);
            slot.state.store(OVER, Ordering::Relaxed);
            None
        }
    }
}

fn end(slot: &Slot) {
    let state = slot.state.swap(OVER, Ordering::Relaxed);
    let length = state
        .checked_sub(REGISTERED)
        .and_then(|n| lengths().get(n as usize).copied());
    let Some(length) = length else {
        return;
    };
    if slot.rseq(length, abi::FLAG_UNREGISTER).is_ok() {
        // The kernel leaves `cpu_id` at -1 and `mm_cid` at 0. Now that the area is ours, both words are made to
        // say that the thread is not registered.
        slot.write(abi::MM_CID, -1);
    } else {
        // Perhaps a filter forbids the call. The kernel then goes on writing to this area as long as the thread
        // lives. So the area must not become another thread's: the kernel would disarm that thread's sequences.
        slot.state.store(KEPT, Ordering::Relaxed);
    }
}

/// The key's destructor. Destructors that run later find that the thread is not registered any more, and use
/// their fallback.
extern "C" fn at_exit(value: *mut c_void) {
    // SAFETY: the key's values are slots, which are never unmapped.
    let slot: &'static Slot = unsafe { &*value.cast::<Slot>() };
    let Some(key) = KEY.load(Ordering::Acquire).checked_sub(1) else {
        return;
    };
    if ptr::eq(slot, &GONE) {
        set_mine(key, &GONE);
        return;
    }
    let passes = slot.passes.fetch_add(1, Ordering::Relaxed) + 1;
    if passes == 1 {
        with_signals_blocked(|| end(slot));
    }
    // libc has cleared the value. It calls this destructor again as long as the value is set again.
    if passes < PASSES {
        set_mine(key, slot);
    } else if set_mine(key, &GONE) && slot.state.load(Ordering::Relaxed) != KEPT {
        give(slot);
    }
}

fn with_signals_blocked(f: impl FnOnce()) {
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are valid for writes, and `all` is filled before it is read. If the
    // first call fails, `before` is not used.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        let blocked =
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0;
        f();
        if blocked {
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests;
