//! liburcu's `wfcqueue`, if it is installed. It is called as a shared library, which takes one more call for each
//! operation than in a C program that inlines it under liburcu's licence.

use std::ffi::{CStr, c_void};
use std::mem::transmute;
use std::ptr;

/// A node as liburcu documents it, which is one pointer, followed by the value.
#[repr(C)]
struct Node {
    next: *mut c_void,
    value: usize,
}

type Init = unsafe extern "C" fn(*mut c_void, *mut c_void);
type Enqueue = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut Node) -> bool;
type Dequeue = unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut Node;

/// Room for a node and a pthread mutex, in cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Room {
    _bytes: [u128; 8],
}

pub(crate) struct Wfcqueue {
    head: *mut c_void,
    tail: *mut c_void,
    enqueue: Enqueue,
    dequeue: Dequeue,
}

// SAFETY: liburcu's queue may be shared by threads; callers of `dequeue` exclude one another.
unsafe impl Sync for Wfcqueue {}

impl Wfcqueue {
    pub(crate) fn load() -> Option<Self> {
        // SAFETY: loading this library has no side effects, and its functions of these names have these types.
        unsafe {
            let library = libc::dlopen(c"liburcu-common.so.8".as_ptr(), libc::RTLD_NOW);
            if library.is_null() {
                return None;
            }
            let find = |name: &CStr| {
                let found = libc::dlsym(library, name.as_ptr());
                (!found.is_null()).then_some(found)
            };
            let init: Init = transmute(find(c"cds_wfcq_init")?);
            let room = || ptr::from_mut(Box::leak(Box::<Room>::default())).cast::<c_void>();
            let (head, tail) = (room(), room());
            init(head, tail);
            Some(Wfcqueue {
                head,
                tail,
                enqueue: transmute::<*mut c_void, Enqueue>(find(c"cds_wfcq_enqueue")?),
                dequeue: transmute::<*mut c_void, Dequeue>(find(c"__cds_wfcq_dequeue_blocking")?),
            })
        }
    }

    pub(crate) fn enqueue(&self, value: usize) -> bool {
        let node = Box::into_raw(Box::new(Node {
            next: ptr::null_mut(),
            value,
        }));
        // SAFETY: the queue is initialized, and the node is new.
        unsafe { (self.enqueue)(self.head, self.tail, node) }
    }

    /// Removes a value. In all measurements here one thread at a time calls this.
    pub(crate) fn dequeue(&self) -> Option<usize> {
        // SAFETY: the queue is initialized, and this is the only consumer. A node that comes out is from a box, and
        // may be freed.
        unsafe {
            let node = (self.dequeue)(self.head, self.tail);
            (!node.is_null()).then(|| Box::from_raw(node).value)
        }
    }
}
