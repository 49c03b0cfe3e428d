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

/// `struct urcu_percpu_section`: a guard of a section, in two words.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    words: [usize; 2],
}

/// Returns a name that lives for ever: each one once, however many domains bear it.
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

/// Creates a domain; null and EINVAL if the name is not UTF-8.
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
        // SAFETY: of `urcu_percpu_domain_create`, and nobody uses it any more, by the header.
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
    // SAFETY: of a section of this domain that is still open, by the header.
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
    // SAFETY: by the header, the head is in a node that nobody else has any more after a grace period of
    // the domain, is queued this once, and `function` may be called with it on any thread.
    uncancelled(|| unsafe { heads::call(domain, head, function) });
}

/// Has `function(data)` called after a grace period, by whichever thread.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn urcu_percpu_domain_defer(
    domain: &Domain,
    function: PointerFunction,
    data: *mut c_void,
) {
    // SAFETY: by the header, `function` may be called with `data` once, on any thread.
    uncancelled(|| unsafe { heads::defer(domain, function, data) });
}

/// Waits until all callbacks queued before have run.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_barrier(domain: &Domain) {
    uncancelled(|| domain.barrier());
}

/// Begins a grace period.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_start_poll(domain: &Domain) -> PollState {
    PollState::start(domain)
}

/// Returns whether it is over.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_domain_poll(domain: &Domain, state: PollState) -> bool {
    state.is_over(domain)
}

/// Sets how much may wait.
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

/// The number of sequences that are tried before a section is begun.
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
            // SAFETY: the process's handle; the rest is the caller's promise, by the header.
            let outcome = unsafe { ops::copy_through(handle, source, target, size) };
            if outcome == Outcome::Committed {
                return;
            }
        }
    }
    let guard = domain.read_lock();
    // SAFETY: valid for reads, by the header.
    let source = unsafe { AtomicPtr::from_ptr(source.cast_mut().cast::<*mut u8>()) };
    // SAFETY: what it points to is alive as long as the section is open; the target has room.
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

/// Fills in what the domain has counted: the first `size` bytes of it.
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
    // SAFETY: room for `size` bytes, by the header, which are enough. What a later library knows besides
    // is zero.
    unsafe {
        ptr::write_bytes(numbers.cast::<u8>(), 0, size);
        numbers.write(found);
    }
    0
}

/// The function that is called with the text of a report.
type StallHook = unsafe extern "C" fn(*const c_char, *mut c_void);

struct Hook {
    function: StallHook,
    data: *mut c_void,
}

// SAFETY: whoever sets the hook lets any thread call it with the data, by the header.
unsafe impl Send for Hook {}
// SAFETY: whoever sets the hook lets any thread call it with the data, by the header.
unsafe impl Sync for Hook {}

impl Hook {
    fn tell(&self, report: &stall::Report) {
        let text = report.to_string().replace('\0', " ");
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: a string of C, and the data that belongs to the function.
        unsafe { (self.function)(text.as_ptr(), self.data) };
    }
}

/// Sets what is told of stalled grace periods; null for lines on standard error.
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

/// Sets after how many milliseconds a grace period is reported; 2^64 - 1 for never.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_set_stall_timeout(milliseconds: u64) {
    stall::set_timeout(match milliseconds {
        u64::MAX => Duration::MAX,
        milliseconds => Duration::from_millis(milliseconds),
    });
}
