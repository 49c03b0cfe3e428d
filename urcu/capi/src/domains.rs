//! Domains, and sections with tokens: what liburcu does not have.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering::Acquire};
use core::time::Duration;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::sync::{Mutex, PoisonError};

use rseq_ops::ops::{self, Outcome};
use urcu::raw::RcuHead;
use urcu::{Budget, Domain, RawGuard, ReadGuard, stall};

use crate::errno::set_errno;
use crate::grace::PollState;
use crate::heads::{self, HeadFunction, PointerFunction};
use crate::uncancelled::uncancelled;

/// `struct urcu_percpu_section`: the token of a section, in two words.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    words: [usize; 2],
}

/// Returns a copy of a name that lives for ever. Each distinct name is copied once, however many domains have it.
fn kept_name(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = names.get(name) {
        return kept;
    }
    let kept: &'static str = Box::leak(Box::from(name));
    names.insert(kept);
    kept
}

/// Creates a domain. Returns null with `EINVAL` if the name is not UTF-8.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_create(name: *const c_char) -> *mut Domain {
    let new = |name: Option<&str>| {
        uncancelled(|| {
            let domain = name.map_or_else(Domain::new, |name| Domain::named(kept_name(name)));
            Box::into_raw(Box::new(domain))
        })
    };
    if name.is_null() {
        return new(None);
    }
    // SAFETY: a string of C, by the header.
    match unsafe { CStr::from_ptr(name) }.to_str() {
        Ok(name) => new(Some(name)),
        Err(_) => {
            set_errno(libc::EINVAL);
            ptr::null_mut()
        }
    }
}

/// Waits until the domain's callbacks have run, and frees it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_destroy(domain: *mut Domain) {
    if !domain.is_null() {
        // SAFETY: by the header's contract, the domain comes from `urcu_percpu_domain_create`, and nobody uses it
        // any more.
        uncancelled(|| drop(unsafe { Box::from_raw(domain) }));
    }
}

/// Returns the domain of `urcu_percpu_read_lock`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_global_domain() -> *const Domain {
    urcu::global()
}

/// Begins a section.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_read_lock(domain: &Domain) -> Section {
    Section {
        words: domain.read_lock().into_raw().into_words(),
    }
}

/// Ends a section, on any thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_read_unlock(domain: &Domain, section: Section) {
    // SAFETY: by the header's contract, the token is that of a section of this domain that is still open.
    drop(unsafe { ReadGuard::from_raw(domain, RawGuard::from_words(section.words)) });
}

/// Waits for a grace period.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_synchronize(domain: &Domain) {
    uncancelled(|| domain.synchronize());
}

/// Has `function(head)` called by a background thread after a grace period.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_call(
    domain: &Domain,
    head: *mut RcuHead,
    function: HeadFunction,
) {
    // SAFETY: by the header's contract, the head lies in a node that nobody else uses any more after a grace
    // period of the domain, is queued only once, and `function` may be called with it on any thread.
    uncancelled(|| unsafe { heads::call(domain, head, function) });
}

/// Has `function(data)` called after a grace period, on any thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_defer(
    domain: &Domain,
    function: PointerFunction,
    data: *mut c_void,
) {
    // SAFETY: by the header's contract, `function` may be called with `data` once, on any thread.
    uncancelled(|| unsafe { heads::defer(domain, function, data) });
}

/// Waits until all callbacks queued before have run.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_barrier(domain: &Domain) {
    uncancelled(|| domain.barrier());
}

/// Asks for a grace period, and returns the state to poll for.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_start_poll(domain: &Domain) -> PollState {
    PollState::start(domain)
}

/// Returns whether a grace period is over.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_poll(domain: &Domain, state: PollState) -> bool {
    state.is_over(domain)
}

/// Sets how many callbacks may wait.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_set_budget(
    domain: &Domain,
    count: u64,
    bytes: usize,
    patience_ms: u64,
) {
    let budget = Budget::new(count, bytes).patience(Duration::from_millis(patience_ms));
    uncancelled(|| domain.set_budget(budget));
}

/// The number of attempts at a sequence before a section is used instead.
const ATTEMPTS: usize = 8;

/// Copies what `*source` points to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_snapshot(
    domain: &Domain,
    source: *const *const u8,
    target: *mut u8,
    size: usize,
) {
    if size <= ops::COPY_MAX
        && let Some(handle) = domain.read_sequences()
    {
        for _ in 0..ATTEMPTS {
            // SAFETY: the process's handle. By the header's contract, `source` and `target` are valid.
            let outcome = unsafe { ops::copy_through(handle, source, target, size) };
            if outcome == Outcome::Committed {
                return;
            }
        }
    }
    let guard = domain.read_lock();
    // SAFETY: by the header's contract, `source` is valid for reads.
    let source = unsafe { AtomicPtr::from_ptr(source.cast_mut().cast::<*mut u8>()) };
    // SAFETY: the source's target is alive as long as the section is open, and `target` has room.
    unsafe { ptr::copy_nonoverlapping(source.load(Acquire), target, size) };
    drop(guard);
}

/// `struct urcu_percpu_stats`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Numbers {
    grace_periods: u64,
    callers: u64,
    membarriers: u64,
    aborts: u64,
    fallback_reads: u64,
    callbacks_queued: u64,
    callbacks_run: u64,
    callbacks_pending: u64,
    callbacks_pending_bytes: u64,
    callbacks_peak: u64,
    callbacks_held_up: u64,
    callbacks_excess: u64,
    stalls: u64,
}

/// Fills in the first `size` bytes of what the domain has counted.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_stats(
    domain: &Domain,
    numbers: *mut Numbers,
    size: usize,
) -> c_int {
    if size < size_of::<Numbers>() {
        set_errno(libc::EINVAL);
        return -1;
    }
    let stats = uncancelled(|| domain.stats());
    let found = Numbers {
        grace_periods: stats.grace_periods,
        callers: stats.callers,
        membarriers: stats.membarriers,
        aborts: stats.aborts,
        fallback_reads: stats.fallback_reads,
        callbacks_queued: stats.callbacks_queued,
        callbacks_run: stats.callbacks_run,
        callbacks_pending: stats.callbacks_pending,
        callbacks_pending_bytes: stats.callbacks_pending_bytes,
        callbacks_peak: stats.callbacks_peak,
        callbacks_held_up: stats.callbacks_held_up,
        callbacks_excess: stats.callbacks_excess,
        stalls: stats.stalls,
    };
    // SAFETY: by the header's contract there is room for `size` bytes, which are enough. Fields that only a later
    // library knows become zero.
    unsafe {
        ptr::write_bytes(numbers.cast::<u8>(), 0, size);
        numbers.write(found);
    }
    0
}

/// The function that is called with the text of a stall report.
type StallHook = unsafe extern "C" fn(*const c_char, *mut c_void);

struct Hook {
    function: StallHook,
    data: *mut c_void,
}

// SAFETY: by the header's contract, any thread may call the hook with the data.
unsafe impl Send for Hook {}
// SAFETY: by the header's contract, any thread may call the hook with the data.
unsafe impl Sync for Hook {}

impl Hook {
    fn tell(&self, report: &stall::Report) {
        let text = report.to_string().replace('\0', " ");
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the report is a C string, and the data is what the function was set with.
        unsafe { (self.function)(text.as_ptr(), self.data) };
    }
}

/// Sets the hook that is told of stalled grace periods. Null stands for lines on standard error.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_set_stall_hook(function: Option<StallHook>, data: *mut c_void) {
    uncancelled(|| match function {
        Some(function) => {
            let hook = Hook { function, data };
            stall::set_hook(move |report| hook.tell(report));
        }
        None => stall::remove_hook(),
    });
}

/// Sets after how many milliseconds a grace period is reported. 2^64 - 1 means never.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_set_stall_timeout(milliseconds: u64) {
    stall::set_timeout(match milliseconds {
        u64::MAX => Duration::MAX,
        milliseconds => Duration::from_millis(milliseconds),
    });
}
