//! An allocator is somebody else's code, which may use the map that allocates: so nothing is allocated under a
//! bucket's lock.

#[macro_use]
extern crate test_deadline;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;

use urcu::Domain;
use urcu_collections::{DefaultHashBuilder, HashMap};

type Map = HashMap<u64, u64, DefaultHashBuilder, &'static Domain>;

static DOMAIN: Domain = Domain::named("asked for nothing");
static MAP: OnceLock<Map> = OnceLock::new();

thread_local! {
    static IS_DUE: Cell<bool> = const { Cell::new(false) };
}

/// Changes the map when it is asked for memory, once if it is due.
struct Meddling;

#[global_allocator]
static MEDDLING: Meddling = Meddling;

// SAFETY: that of the system.
unsafe impl GlobalAlloc for Meddling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_DUE.replace(false) {
            let map = MAP.get().expect("made before");
            map.pin().insert(5, 50);
        }
        // SAFETY: the layout is passed on as the caller promises it to be.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: from `alloc`, with the caller's layout.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Replaces a value of a bucket in which another slot is vacant, in a domain that nobody has asked for a grace
/// period before.
#[test]
fn an_allocator_may_use_the_map_that_allocates() {
    let hasher = DefaultHashBuilder::default();
    // One bucket.
    let map = Map::with_capacity_and_hasher_in(1, hasher, &DOMAIN);
    let map = MAP.get_or_init(|| map).pin();
    for key in 0..6 {
        map.insert(key, 0);
    }
    map.remove(&0);
    IS_DUE.set(true);
    map.insert(1, 11);
    assert!(!IS_DUE.get(), "nothing was allocated");
    let mut all: Vec<_> = map.iter().map(|(&key, &value)| (key, value)).collect();
    all.sort_unstable();
    assert_eq!(all, [(1, 11), (2, 0), (3, 0), (4, 0), (5, 50)]);
}
