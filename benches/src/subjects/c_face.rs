//! The C face of this library: by calls of its functions, as from a shared object, and where a C compiler was
//! found inlined from its header (`c/flavour.c`).

use std::hint::black_box;
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

// For the functions below.
use urcu_percpu as _;

use crate::subject::{Kind, Subject};
use crate::subjects::ours::PACKAGE;

/// Returns the ways to use it that are there.
pub(super) fn kinds() -> Vec<Kind> {
    let calls = Kind::of::<Called>(
        "urcu C face, called",
        PACKAGE,
        "`urcu_percpu_read_lock`, a load, `urcu_percpu_read_unlock`; `urcu_percpu_call_rcu`",
    );
    #[allow(unused_mut, reason = "where there is no compiler")]
    let mut kinds = vec![calls];
    #[cfg(have_c_face)]
    kinds.push(Kind::of::<inlined::Cell>(
        "urcu C face, inlined",
        PACKAGE,
        "the same, inlined C; `rcu_xchg_pointer`, `call_rcu`",
    ));
    kinds
}

/// `struct rcu_head` of the header.
#[repr(C)]
struct Head {
    next: *mut Head,
    function: Option<unsafe extern "C" fn(*mut Head)>,
}

#[repr(C)]
struct Node {
    value: u64,
    head: Head,
}

unsafe extern "C" {
    safe fn urcu_percpu_read_lock();
    safe fn urcu_percpu_read_unlock();
    fn urcu_percpu_call_rcu(head: *mut Head, function: unsafe extern "C" fn(*mut Head));
}

impl Node {
    fn boxed(value: u64) -> *mut Self {
        let head = Head {
            next: ptr::null_mut(),
            function: None,
        };
        Box::into_raw(Box::new(Self { value, head }))
    }

    /// Frees a node by its head.
    unsafe extern "C" fn free(head: *mut Head) {
        // SAFETY: called once for each node that was retired, by the address of its head, which is that far
        // behind its beginning; nobody reads it any more.
        drop(unsafe { Box::from_raw(head.byte_sub(offset_of!(Node, head)).cast::<Node>()) });
    }
}

struct Called(AtomicPtr<Node>);

impl Called {
    /// Reads once, in a section of the caller's.
    #[inline(always)]
    fn value(&self) -> u64 {
        // SAFETY: never null, and not freed before the section ends.
        unsafe { (*self.0.load(Ordering::Acquire)).value }
    }
}

impl Subject for Called {
    fn new(value: u64) -> Self {
        Self(AtomicPtr::new(Node::boxed(value)))
    }

    fn store(&self, value: u64) {
        let old = self.0.swap(Node::boxed(value), Ordering::AcqRel);
        // SAFETY: the swap took the only pointer to the node, which nobody else retires, and which came from
        // a box, as `free` requires.
        unsafe { urcu_percpu_call_rcu(&raw mut (*old).head, Node::free) };
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        urcu_percpu_read_lock();
        body(self.value());
        urcu_percpu_read_unlock();
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            urcu_percpu_read_lock();
            sum = sum.wrapping_add(self.value());
            urcu_percpu_read_unlock();
        }
        black_box(sum)
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        // SAFETY: the node came from a box; `&mut self`: nobody reads it.
        drop(unsafe { Box::from_raw(*self.0.get_mut()) });
    }
}

#[cfg(have_c_face)]
super::liburcu::flavour!(
    inlined,
    urcu_benches_flavour_percpu_sum,
    urcu_benches_flavour_percpu_store,
    urcu_benches_flavour_percpu_held,
    ()
);
