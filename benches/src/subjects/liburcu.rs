//! liburcu's flavours, where they were found when this crate was built: their read sides are inlined
//! from their own headers (`c/flavour.c`).

#[cfg(any(have_liburcu_memb, have_c_face))]
use std::ffi::c_void;

use crate::subject::Kind;
#[cfg(have_liburcu_memb)]
use crate::subject::MEMB;

/// Returns the flavours that are there.
pub(super) fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    #[cfg(have_liburcu_memb)]
    kinds.push(Kind::of::<memb::Cell>(MEMB, "liburcu", REGISTERED));
    #[cfg(have_liburcu_flavours)]
    {
        kinds.push(Kind::of::<bp::Cell>(
            "liburcu-bp",
            "liburcu",
            "inlined C, registers threads by itself; `rcu_xchg_pointer`, `call_rcu`",
        ));
        kinds.push(Kind::of::<mb::Cell>("liburcu-mb", "liburcu", REGISTERED));
        kinds.push(Kind::of::<qsbr::Cell>(
            "liburcu-qsbr",
            "liburcu",
            "inlined C, a quiescent state every 64 reads; `rcu_xchg_pointer`, `call_rcu`",
        ));
    }
    kinds
}

#[cfg(have_liburcu_memb)]
const REGISTERED: &str =
    "inlined C, the thread registered around the loop; `rcu_xchg_pointer`, `call_rcu`";

/// Runs the `&mut dyn FnMut(u64)` that `body` is the address of.
#[cfg(any(have_liburcu_memb, have_c_face))]
pub(super) unsafe extern "C" fn run(body: *mut c_void, value: u64) {
    // SAFETY: the address that `held` passed on, whose owner waits for this call.
    let body = unsafe { &mut *body.cast::<&mut dyn FnMut(u64)>() };
    body(value);
}

/// The functions of one flavour, and its subject.
#[cfg(any(have_liburcu_memb, have_c_face))]
macro_rules! flavour {
    ($module:ident, $sum:ident, $store:ident, $held:ident, $registration:expr) => {
        mod $module {
            use std::ffi::c_void;
            use std::ptr;
            use std::sync::atomic::{AtomicPtr, Ordering};

            use crate::subject::Subject;
            use crate::subjects::liburcu::run;

            unsafe extern "C" {
                fn $sum(slot: *mut *mut c_void, count: u64) -> u64;
                fn $store(slot: *mut *mut c_void, value: u64) -> i32;
                fn $held(
                    slot: *mut *mut c_void,
                    body: unsafe extern "C" fn(*mut c_void, u64),
                    data: *mut c_void,
                );
            }

            /// The address of the current node.
            pub(super) struct Cell(AtomicPtr<c_void>);

            impl Subject for Cell {
                fn new(value: u64) -> Self {
                    let cell = Self(AtomicPtr::new(ptr::null_mut()));
                    cell.store(value);
                    cell
                }

                fn store(&self, value: u64) {
                    let _registration = $registration;
                    // SAFETY: the slot has the layout of a plain pointer, and holds null or a node
                    // of an earlier call; the thread is in no section.
                    let stored = unsafe { $store(self.0.as_ptr(), value) };
                    assert_eq!(stored, 1, "no memory");
                }

                fn held(&self, mut body: &mut dyn FnMut(u64)) {
                    let _registration = $registration;
                    // SAFETY: the slot is never null once the cell is made, and the thread is registered;
                    // `run` gets the address of `body`, which outlives the call.
                    unsafe { $held(self.0.as_ptr(), run, (&raw mut body).cast()) }
                }

                #[inline(never)]
                fn sum(&self, count: u64) -> u64 {
                    let _registration = $registration;
                    // SAFETY: the slot is never null once the cell is made, and what it holds is
                    // freed after a grace period, or with the cell.
                    unsafe { $sum(self.0.as_ptr(), count) }
                }
            }

            impl Drop for Cell {
                fn drop(&mut self) {
                    // SAFETY: the node came from `malloc`; `&mut self`: nobody reads it.
                    unsafe { libc::free(self.0.load(Ordering::Relaxed)) }
                }
            }
        }
    };
}

#[cfg(any(have_liburcu_memb, have_c_face))]
pub(super) use flavour;

#[cfg(have_liburcu_memb)]
flavour!(
    memb,
    urcu_benches_flavour_memb_sum,
    urcu_benches_flavour_memb_store,
    urcu_benches_flavour_memb_held,
    crate::memb::register()
);
#[cfg(have_liburcu_flavours)]
flavour!(
    bp,
    urcu_benches_flavour_bp_sum,
    urcu_benches_flavour_bp_store,
    urcu_benches_flavour_bp_held,
    ()
);
#[cfg(have_liburcu_flavours)]
flavour!(
    mb,
    urcu_benches_flavour_mb_sum,
    urcu_benches_flavour_mb_store,
    urcu_benches_flavour_mb_held,
    ()
);
#[cfg(have_liburcu_flavours)]
flavour!(
    qsbr,
    urcu_benches_flavour_qsbr_sum,
    urcu_benches_flavour_qsbr_store,
    urcu_benches_flavour_qsbr_held,
    ()
);
