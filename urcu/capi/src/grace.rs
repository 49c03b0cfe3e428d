//! Grace periods of the global domain.

use core::ffi::{c_int, c_ulong, c_void};

use urcu::raw::RcuHead;
use urcu::Domain;

use crate::callbacks;
use crate::fast;
use crate::fork::{self, AtFork};
use crate::heads::{HeadFunction, PointerFunction};
use crate::reading;
use crate::uncancelled::uncancelled;

/// Waits for a grace period.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_synchronize_rcu() {
    uncancelled(urcu::synchronize);
}

/// A grace period to poll for: `struct urcu_gp_poll_state`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PollState {
    grace_period_id: c_ulong,
}

/// The number of bits of a grace period's number that tell in which process it was begun, because a child's numbers
/// start anew.
const PROCESS_BITS: u32 = 16;

fn process() -> u64 {
    fork::generation() % (1 << PROCESS_BITS)
}

impl PollState {
    pub(crate) fn start(domain: &Domain) -> Self {
        let number = uncancelled(|| domain.start_poll()).number();
        PollState {
            grace_period_id: number << PROCESS_BITS | process(),
        }
    }

    pub(crate) fn is_over(self, domain: &Domain) -> bool {
        let id = self.grace_period_id;
        let number = if id % (1 << PROCESS_BITS) == process() {
            id >> PROCESS_BITS
        } else {
            // This is a grace period of a parent. Of its readers, only the thread that forked may be here. The
            // first grace period that begins in this process waits for that thread's section.
            1
        };
        uncancelled(|| domain.grace_period(number).is_over())
    }
}

/// Asks for a grace period, unless one that has not begun yet was asked for already. Returns the state to poll for.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_start_poll_synchronize_rcu() -> PollState {
    PollState::start(urcu::global())
}

/// Returns whether a grace period is over.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn urcu_percpu_poll_state_synchronize_rcu(state: PollState) -> bool {
    state.is_over(urcu::global())
}

/// `struct rcu_flavor_struct`.
#[repr(C)]
#[allow(missing_debug_implementations, reason = "C's")]
pub(crate) struct Flavor {
    read_lock: extern "C" fn(),
    read_unlock: extern "C" fn(),
    read_ongoing: extern "C" fn() -> c_int,
    read_quiescent_state: extern "C" fn(),
    update_call_rcu: unsafe extern "C" fn(*mut RcuHead, HeadFunction),
    update_synchronize_rcu: extern "C" fn(),
    update_defer_rcu: unsafe extern "C" fn(PointerFunction, *mut c_void),
    thread_offline: extern "C" fn(),
    thread_online: extern "C" fn(),
    register_thread: extern "C" fn(),
    unregister_thread: extern "C" fn(),
    barrier: extern "C" fn(),
    register_rculfhash_atfork: extern "C" fn(*const AtFork),
    unregister_rculfhash_atfork: extern "C" fn(*const AtFork),
    update_start_poll_synchronize_rcu: extern "C" fn() -> PollState,
    update_poll_state_synchronize_rcu: extern "C" fn(PollState) -> bool,
}

/// The flavour as a table of functions, for liburcu's own containers.
#[unsafe(no_mangle)]
pub(crate) static urcu_percpu_flavor: Flavor = Flavor {
    read_lock: fast::urcu_percpu_read_lock,
    read_unlock: fast::urcu_percpu_read_unlock,
    read_ongoing: reading::urcu_percpu_read_ongoing,
    read_quiescent_state: reading::urcu_percpu_quiescent_state,
    update_call_rcu: callbacks::urcu_percpu_call_rcu,
    update_synchronize_rcu: urcu_percpu_synchronize_rcu,
    update_defer_rcu: callbacks::urcu_percpu_defer_rcu,
    thread_offline: reading::urcu_percpu_thread_offline,
    thread_online: reading::urcu_percpu_thread_online,
    register_thread: reading::urcu_percpu_register_thread,
    unregister_thread: reading::urcu_percpu_unregister_thread,
    barrier: callbacks::urcu_percpu_barrier,
    register_rculfhash_atfork: fork::urcu_percpu_register_rculfhash_atfork,
    unregister_rculfhash_atfork: fork::urcu_percpu_unregister_rculfhash_atfork,
    update_start_poll_synchronize_rcu: urcu_percpu_start_poll_synchronize_rcu,
    update_poll_state_synchronize_rcu: urcu_percpu_poll_state_synchronize_rcu,
};
