//! What callbacks cost in allocations: a box or a replaced value needs none of its own.

#[macro_use]
extern crate test_deadline;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use urcu::{Domain, Rcu, Runner};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local!(static ALLOCATIONS: Cell<usize> = const { Cell::new(0) });

// SAFETY: every block is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often this thread allocates in `f`.
fn allocations(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

const CALLBACKS: usize = 2000;

/// Chunks, and what remembers them.
const SHARED: usize = CALLBACKS / 126 * 3 + 20;

#[test]
fn callbacks_of_24_bytes_allocate_nothing_of_their_own() {
    // Nobody else's work on this thread.
    let domain = Domain::new().run_by(Runner::Caller);
    domain.barrier();
    let mut boxes: Vec<_> = (0..CALLBACKS).map(|n| Some(Box::new([n; 3]))).collect();
    let count = allocations(|| {
        for value in &mut boxes {
            domain.defer_drop(value.take());
        }
    });
    assert!(count <= SHARED, "{count} for `defer_drop` of boxes");
    let count = allocations(|| {
        for number in 0..CALLBACKS {
            let captured = [number as u64; 3];
            domain.call(move || assert!(captured[0] == captured[2]));
        }
    });
    assert!(count <= SHARED, "{count} for `call`");
    let count = allocations(|| {
        for number in 0..CALLBACKS {
            let captured = [number as u64; 4];
            domain.call(move || assert_eq!(captured[0], captured[3]));
        }
    });
    assert!(
        (CALLBACKS..=CALLBACKS + SHARED).contains(&count),
        "{count} for large ones"
    );
    domain.barrier();
}

#[test]
fn a_store_allocates_the_new_value_alone() {
    let domain = Domain::new().run_by(Runner::Caller);
    let cell = Rcu::new_in([0u64; 3], &domain);
    let store = || (0..CALLBACKS as u64).for_each(|n| cell.store([n; 3]));
    let count = allocations(store);
    assert!((CALLBACKS..=CALLBACKS + SHARED).contains(&count), "{count}");
    domain.barrier();
    // With what earlier callbacks left, nothing else at all, or nearly.
    let count = allocations(store);
    assert!((CALLBACKS..=CALLBACKS + 20).contains(&count), "{count}");
}
