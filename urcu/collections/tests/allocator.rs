//! An allocator is somebody else's code, which may use the map that allocates: so nothing is allocated under a lock.

#[macro_use]
extern crate test_deadline;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use urcu::Domain;
use urcu_collections::{BTreeMap, DefaultHashBuilder, HashMap};

type Map = HashMap<u64, u64, DefaultHashBuilder, &'static Domain>;
type Tree = BTreeMap<u64, u64, &'static Domain>;

static DOMAIN: Domain = Domain::named("asked for nothing");
static MAP: OnceLock<Map> = OnceLock::new();

static TREE: OnceLock<Tree> = OnceLock::new();

/// What is done when so many more allocations have been made.
type Due = (u64, fn());

thread_local! {
    static DUE: Cell<Option<Due>> = const { Cell::new(None) };
}

/// Changes a map when it is asked for memory, once if that is due.
struct Meddling;

#[global_allocator]
static MEDDLING: Meddling = Meddling;

// SAFETY: that of the system.
unsafe impl GlobalAlloc for Meddling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match DUE.take() {
            Some((0, meddle)) => meddle(),
            Some((more, meddle)) => DUE.set(Some((more - 1, meddle))),
            None => {}
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
    let meddle = || _ = MAP.get().expect("made before").pin().insert(5, 50);
    DUE.set(Some((0, meddle)));
    map.insert(1, 11);
    assert!(DUE.take().is_none(), "nothing was allocated");
    let mut all: Vec<_> = map.iter().map(|(&key, &value)| (key, value)).collect();
    all.sort_unstable();
    assert_eq!(all, [(1, 11), (2, 0), (3, 0), (4, 0), (5, 50)]);
}

/// The leaves of forty numbers from here on are changed.
static FROM: AtomicU64 = AtomicU64::new(0);

/// Changes a number of keys between those that the test changes.
fn meddle(change: fn(&Tree, u64)) {
    let (from, map) = (FROM.load(Relaxed), TREE.get().expect("made before"));
    let keys = (from..from + 40).skip(2).step_by(4);
    keys.for_each(|key| change(map, key));
}

/// Leaves are replaced, split and joined, and at each allocation others are.
#[test]
fn an_allocator_may_use_the_ordered_map_that_allocates() {
    static DOMAIN: Domain = Domain::named("an ordered map");
    let map = TREE.get_or_init(|| BTreeMap::new_in(&DOMAIN)).pin();
    (0..100).for_each(|n| _ = map.insert(4 * n, 0));
    let insert = || meddle(|map, key| _ = map.pin().insert(key, 2));
    let remove = || meddle(|map, key| _ = map.pin().remove(&key));
    for allocations in 0..8 {
        FROM.store(40 * allocations, Relaxed);
        let mut meddled = 0;
        let mut check = |meddle: fn(), change: &dyn Fn()| {
            DUE.set(Some((allocations, meddle)));
            change();
            meddled += u32::from(DUE.take().is_none());
        };
        let keys = || (FROM.load(Relaxed)..).take(40).skip(1).step_by(2);
        for key in keys() {
            check(insert, &|| _ = map.insert(key, 1));
            assert_eq!(map.get(&key), Some(&1));
        }
        for key in keys() {
            check(remove, &|| assert_eq!(map.remove(&key), Some(&1)));
            assert_eq!(map.get(&key), None);
        }
        // An entry and two leaves and their parent at least.
        assert!(meddled > 0 || allocations > 3, "{allocations}");
        remove();
    }
    let all = map.iter().map(|(key, value)| (*key, *value));
    assert!(all.eq((0..100).map(|n| (4 * n, 0))));
}
