//! liburcu's `wfcqueue`, where it is installed: called as a shared library, so a call more for each operation
//! than a C program has that is under its licence.

use std::ffi::{CStr, c_void};
use std::mem::transmute;
use std::ptr;

/// A node, as it is described: one pointer; and the value behind it.
#[repr(C)]
struct Node {
    next: *mut c_void,
    value: usize,
}

type Init = unsafe extern "C" fn(*mut c_void, *mut c_void);
type Enqueue = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut Node) -> bool;
type Dequeue = unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut Node;

/// More than a node and a pthread mutex need; on lines of their own.
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

// SAFETY: made to be shared by threads: `dequeue` asks for one at a time.
unsafe impl Sync for Wfcqueue {}

impl Wfcqueue {
    pub(crate) fn load() -> Option<Self> {
        // SAFETY: a library without surprises at its loading; the names are its functions, of these types.
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
        // SAFETY: initialised; a new node.
        unsafe { (self.enqueue)(self.head, self.tail, node) }
    }

    /// One thread at a time does this, in all that is measured here.
    pub(crate) fn dequeue(&self) -> Option<usize> {
        // SAFETY: initialised, and alone: just so. A node that comes out may be freed, and is from a box.
        unsafe {
            let node = (self.dequeue)(self.head, self.tail);
            (!node.is_null()).then(|| Box::from_raw(node).value)
        }
    }
}
