//! What happens when the library is loaded, and when the process forks.

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::inline;
use crate::nesting::nesting;
use crate::uncancelled::uncancelled;
use crate::workers;

/// The number of forks between this process and the one that loaded the library, as far as libc's `fork`
/// was used.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Returns a number that differs in a child from its parent's.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// Sets up the readers, and has forks told of. Called by the loader.
pub(crate) extern "C" fn on_load(_: c_int, _: *const *const i8, _: *const *const i8) {
    // Here, where no thread can be cancelled in the middle of it.
    drop(urcu::read_lock());
    inline::set_up();
    // SAFETY: a function of this object, which is never unloaded. Without memory for it a child's open
    // sections protect nothing, which is what the header says of a child of `_Fork`.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// A section that was open when the thread forked is open in the child too, as in liburcu. What protects
/// there is another section: the parent's counters are not the child's.
unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Relaxed);
    workers::in_child();
    let nesting = nesting();
    if nesting.depth() != 0 {
        nesting.replace(urcu::read_lock().into_raw().into_words());
    }
}

/// The notifications that liburcu's hash tables with threads of their own want: `struct urcu_atfork`.
#[repr(C)]
pub(crate) struct AtFork {
    before: Option<unsafe extern "C" fn(*mut c_void)>,
    after_in_parent: Option<unsafe extern "C" fn(*mut c_void)>,
    after_in_child: Option<unsafe extern "C" fn(*mut c_void)>,
    data: *mut c_void,
}

/// The one that is registered, and how often.
struct Registered {
    handlers: *const AtFork,
    times: usize,
}

// SAFETY: whoever registers the handlers lets any thread call them.
unsafe impl Send for Registered {}

static REGISTERED: Mutex<Registered> = Mutex::new(Registered {
    handlers: ptr::null(),
    times: 0,
});

fn registered() -> MutexGuard<'static, Registered> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers what the calls around a fork call. There is one such set in a process, as in liburcu.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_register_rculfhash_atfork(handlers: *const AtFork) {
    uncancelled(|| {
        let mut registered = registered();
        if registered.times == 0 {
            registered.handlers = handlers;
        }
        registered.times += 1;
    });
}

/// Takes back one registration.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_unregister_rculfhash_atfork(_: *const AtFork) {
    uncancelled(|| {
        let mut registered = registered();
        registered.times = registered.times.saturating_sub(1);
        if registered.times == 0 {
            registered.handlers = ptr::null();
        }
    });
}

type Handler = Option<unsafe extern "C" fn(*mut c_void)>;

/// Calls one of the handlers, under no lock: it waits for the table's own thread.
fn tell(which: impl FnOnce(&AtFork) -> Handler) {
    uncancelled(|| {
        let handlers = registered().handlers;
        // SAFETY: null, or alive until it is unregistered, by the header.
        if let Some(handlers) = unsafe { handlers.as_ref() }
            && let Some(handler) = which(handlers)
        {
            // SAFETY: with the data it was registered with.
            unsafe { handler(handlers.data) };
        }
    });
}

/// Of the library itself this does nothing: it sees to forks by itself.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_call_rcu_before_fork() {
    tell(|handlers| handlers.before);
}

/// See [`urcu_percpu_call_rcu_before_fork`].
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_call_rcu_after_fork_parent() {
    tell(|handlers| handlers.after_in_parent);
}

/// See [`urcu_percpu_call_rcu_before_fork`].
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_call_rcu_after_fork_child() {
    tell(|handlers| handlers.after_in_child);
}
