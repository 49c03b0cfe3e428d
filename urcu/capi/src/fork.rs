//! What happens when the library is loaded, and when the process forks.

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::inline;
use crate::nesting::nesting;
use crate::uncancelled::uncancelled;
use crate::workers;

/// The number of forks between this process and the one that loaded the library. Only calls of libc's `fork` are
/// counted.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Returns a number that is different in a child than in its parent.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Relaxed)
}

/// Sets up the readers and the handler of forks. The loader calls this.
pub(crate) extern "C" fn on_load(_: c_int, _: *const *const i8, _: *const *const i8) {
    // This is done here, because no thread can be cancelled in the middle of it.
    drop(urcu::read_lock());
    inline::set_up();
    // SAFETY: a function of this object, which is never unloaded. If libc has no memory for the handler, open
    // sections protect nothing in a child, as in a child of `_Fork`.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// Keeps a section that was open when the thread forked open in the child too, as in liburcu. The child begins
/// another section for that, because the parent's counters are not the child's.
unsafe extern "C" fn in_child() {
    GENERATION.fetch_add(1, Relaxed);
    workers::in_child();
    let nesting = nesting();
    if nesting.depth() != 0 {
        nesting.replace(urcu::read_lock().into_raw().into_words());
    }
}

/// The handlers of liburcu's hash tables that have threads of their own: `struct urcu_atfork`.
#[repr(C)]
pub(crate) struct AtFork {
    before: Option<unsafe extern "C" fn(*mut c_void)>,
    after_in_parent: Option<unsafe extern "C" fn(*mut c_void)>,
    after_in_child: Option<unsafe extern "C" fn(*mut c_void)>,
    data: *mut c_void,
}

/// The registered handlers, and the number of registrations.
struct Registered {
    handlers: *const AtFork,
    times: usize,
}

// SAFETY: by the header's contract, any thread may call the handlers.
unsafe impl Send for Registered {}

static REGISTERED: Mutex<Registered> = Mutex::new(Registered {
    handlers: ptr::null(),
    times: 0,
});

fn registered() -> MutexGuard<'static, Registered> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers the handlers for the calls around a fork. A process has one set of handlers, as in liburcu.
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

/// Calls one of the handlers. Holds no lock meanwhile, because the handler waits for the table's own thread.
fn tell(which: impl FnOnce(&AtFork) -> Handler) {
    uncancelled(|| {
        let handlers = registered().handlers;
        // SAFETY: the pointer is null or, by the header's contract, valid until it is unregistered.
        if let Some(handlers) = unsafe { handlers.as_ref() }
            && let Some(handler) = which(handlers)
        {
            // SAFETY: the handler is called with the data that it was registered with.
            unsafe { handler(handlers.data) };
        }
    });
}

/// Calls the registered handler. The library itself needs no call before a fork.
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
