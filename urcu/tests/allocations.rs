//! What callbacks cost in allocations: a box or a replaced value needs none of its own.

#[macro_use]
extern crate test_deadline;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};

use urcu::{Domain, Rcu, Runner};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local!(static ALLOCATIONS: Cell<usize> = const { Cell::new(0) });
// The number of blocks that this thread has given back.
thread_local!(static GIVEN_BACK: Cell<usize> = const { Cell::new(0) });

/// Chunks of callbacks that there are in the process: nothing else is aligned so.
static CHUNKS: AtomicIsize = AtomicIsize::new(0);
const CHUNK: usize = 4096;

/// Held by tests that have callbacks.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every block is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        if layout.align() == CHUNK {
            CHUNKS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the caller gives a layout that is not empty, as `System` demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        GIVEN_BACK.set(GIVEN_BACK.get() + 1);
        if layout.align() == CHUNK {
            CHUNKS.fetch_sub(1, Ordering::Relaxed);
        }
        // SAFETY: the block is from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns how often this thread allocates in `f`.
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
    let _alone = ALONE.lock();
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
    let _alone = ALONE.lock();
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

#[test]
fn a_value_without_a_size_allocates_once_more_and_gives_all_back() {
    let _alone = ALONE.lock();
    let domain = Domain::new().run_by(Runner::Caller);
    let cell = Rcu::<[u64], _>::new_boxed_in(Box::new([0; 3]), &domain);
    let store = || {
        (0..CALLBACKS as u64).for_each(|n| cell.store_boxed(Box::new([n; 3])));
        domain.barrier();
    };
    store();
    let before = GIVEN_BACK.get();
    let count = allocations(store);
    let two = 2 * CALLBACKS;
    assert!((two..=two + 20).contains(&count), "{count}");
    let given_back = GIVEN_BACK.get() - before;
    assert!(given_back >= two, "{given_back} of {count}");
    // The pointer's own memory, where the box comes back.
    let before = GIVEN_BACK.get();
    let count = allocations(|| drop(cell.replace_boxed(Box::new([1; 3]))));
    assert!(GIVEN_BACK.get() - before >= 2, "of {count}");
    let before = GIVEN_BACK.get();
    drop(cell);
    assert_eq!(GIVEN_BACK.get() - before, 2);
}

/// Has a domain hold many callbacks at a time, which then run.
fn flood(domain: &Domain) {
    let guard = domain.read_lock();
    (0..126 * 1000).for_each(|_| domain.defer_drop(1u8));
    drop(guard);
    domain.barrier();
}

#[test]
fn empty_chunks_are_kept_for_the_next_callbacks_but_not_all_and_not_for_long() {
    let _alone = ALONE.lock();
    let before = CHUNKS.load(Ordering::Relaxed);
    let more = || CHUNKS.load(Ordering::Relaxed) - before;
    let stripes = rseq_ops::percpu::possible_cpus().clamp(1, 16) as isize;
    // 48 for each stripe; and one in each slot, or under each stripe's lock.
    let most = 49 * stripes + rseq_ops::percpu::possible_cpus() as isize;
    let caller = Domain::new().run_by(Runner::Caller);
    flood(&caller);
    assert!(
        (1..=most).contains(&more()),
        "{} of {most} are kept",
        more()
    );
    drop(caller);
    assert_eq!(more(), 0, "are left of a domain that has ended");
    // The worker gives them back when nothing is left to do.
    let shared = Domain::new();
    flood(&shared);
    while more() > stripes {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
