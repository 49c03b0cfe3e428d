//! The domain that a process has anyway.

use crate::domain::{Domain, ReadGuard, State};
use crate::machine::PROCESS;

const _: () = assert!(size_of::<State>() == 128);

/// The state of [`global`].
#[inline(always)]
pub(crate) fn global_state() -> &'static State {
    &PROCESS.global
}

/// Whether this is the state of [`global`].
pub(crate) fn is_global(state: &State) -> bool {
    core::ptr::eq(state, global_state())
}

static GLOBAL: Domain = Domain::of_process(&raw const PROCESS.global);

/// The domain that the free functions and [`Rcu::new`](crate::Rcu::new) use.
///
/// Its read-side sections are a little cheaper than those of other domains, because its state is
/// at an address that the compiler knows.
pub fn global() -> &'static Domain {
    &GLOBAL
}

/// Begins a read-side section of the [`global`] domain; see [`Domain::read_lock`].
///
/// ```
/// let config = urcu::Rcu::new(String::from("old"));
/// let guard = urcu::read_lock();
/// assert_eq!(config.load(&guard), "old");
/// ```
#[inline(always)]
#[track_caller]
pub fn read_lock() -> ReadGuard<'static> {
    global_state().read_lock()
}

/// Waits for a grace period of the [`global`] domain; see [`Domain::synchronize`].
#[track_caller]
pub fn synchronize() {
    GLOBAL.synchronize();
}

/// Runs `f` after a grace period of the [`global`] domain; see [`Domain::call`].
///
/// ```
/// urcu::call(|| println!("a grace period has passed"));
/// urcu::barrier();
/// ```
pub fn call(f: impl FnOnce() + Send + 'static) {
    GLOBAL.call(f);
}

/// Drops `value` after a grace period of the [`global`] domain; see [`Domain::defer_drop`].
///
/// ```
/// urcu::defer_drop(vec![1, 2, 3]);
/// ```
pub fn defer_drop<T: Send + 'static>(value: T) {
    GLOBAL.defer_drop(value);
}

/// Waits until all callbacks queued on the [`global`] domain have run; see [`Domain::barrier`].
#[track_caller]
pub fn barrier() {
    GLOBAL.barrier();
}
