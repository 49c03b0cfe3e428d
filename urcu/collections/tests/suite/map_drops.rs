//! Every key and value is dropped exactly once, whatever panics.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use urcu_collections::{HashMap, Operation};

use crate::support::{AllSame, Census, Citizen, Random, ignore};

thread_local! {
    /// After so many calls of a key's functions, or of a closure, there is a panic.
    static FUSE: Cell<u64> = const { Cell::new(u64::MAX) };
}

fn tick() {
    let left = FUSE.get();
    if left == 0 {
        FUSE.set(u64::MAX);
        // Not through the panic hook, which writes.
        resume_unwind(Box::new("fuse"));
    }
    FUSE.set(left - 1);
}

struct Key(Citizen);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        tick();
        self.0.get().hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        tick();
        self.0.get() == other.0.get()
    }
}

impl Eq for Key {}

fn any_step<S: std::hash::BuildHasher>(
    map: &HashMap<Key, Citizen, S>,
    census: &Census,
    random: &mut Random,
) {
    let number = random.below(60);
    let (key, value) = (Key(census.citizen(number)), census.citizen(number));
    let pinned = map.pin();
    match random.below(9) {
        0 | 1 => ignore(pinned.insert(key, value).map(Citizen::get)),
        2 => ignore(pinned.remove(&key).map(Citizen::get)),
        3 => ignore(pinned.try_insert(key, value).map(Citizen::get)),
        4 => ignore(pinned.get_or_insert_with(key, || {
            tick();
            value
        })),
        5 => ignore(pinned.update(key, |old| {
            tick();
            old.clone()
        })),
        6 => ignore(pinned.compute(key, |entry| {
            tick();
            match entry {
                Some(_) if number.is_multiple_of(2) => Operation::Remove,
                Some(_) => Operation::Abort(()),
                None => Operation::Insert(census.citizen(number)),
            }
        })),
        7 if random.below(20) == 0 => pinned.retain(|key, value| {
            tick();
            key.0.get() == value.get() && value.get() % 7 != 0
        }),
        _ => ignore(pinned.update_or_insert_with(
            key,
            |old| {
                tick();
                old.clone()
            },
            || {
                tick();
                value
            },
        )),
    }
}

fn panics_anywhere<S: std::hash::BuildHasher>(map: HashMap<Key, Citizen, S>, steps: usize) {
    let census = Census::default();
    let mut random = Random::new(3);
    let mut panics = 0;
    for _ in 0..steps {
        FUSE.set(random.below(12));
        let step = AssertUnwindSafe(|| any_step(&map, &census, &mut random));
        panics += usize::from(catch_unwind(step).is_err());
    }
    FUSE.set(u64::MAX);
    assert!(panics > steps / 20, "{panics}");
    let left = map.pin().iter().count();
    assert_eq!((map.len(), census.settled()), (left, 2 * left));
    let mut random = Random::new(4);
    (0..200).for_each(|_| any_step(&map, &census, &mut random));
    drop(map);
    assert_eq!(census.settled(), 0);
}

#[test]
fn hashers_comparisons_and_closures_may_panic() {
    panics_anywhere(HashMap::new(), 6000);
    panics_anywhere(HashMap::with_hasher(AllSame::default()), 3000);
}

/// Panics when it is dropped, every third time.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.fetch_add(1, Relaxed).is_multiple_of(3) && !std::thread::panicking() {
            resume_unwind(Box::new("bomb"));
        }
    }
}

#[test]
fn a_destructor_that_panics_keeps_no_other_from_running() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let fill = || {
        let map = HashMap::new();
        (0..100).for_each(|key| ignore(map.pin().insert(key, Bomb(dropped.clone()))));
        map
    };
    let map = fill();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(map))).is_err());
    assert_eq!(dropped.swap(0, Relaxed), 100);

    let mut left = fill().into_iter();
    std::mem::forget(left.next());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(left))).is_err());
    assert_eq!(dropped.swap(0, Relaxed), 99);
}

#[test]
fn what_is_removed_replaced_cleared_or_left_is_dropped_once() {
    let census = Census::default();
    let map = HashMap::new();
    for round in 0..3 {
        for key in 0..300 {
            map.pin().insert(key, census.citizen(round));
        }
    }
    assert_eq!(census.settled(), 300);
    map.pin().retain(|key, _| *key < 200);
    assert_eq!(census.settled(), 200);
    let copy = map.clone();
    assert_eq!(census.settled(), 400);
    copy.pin().clear();
    assert_eq!(census.settled(), 200);
    let mut taken = map.into_iter();
    assert_eq!(taken.by_ref().take(50).count(), 50);
    assert_eq!(taken.len(), 150);
    drop(taken);
    drop(copy);
    assert_eq!(census.settled(), 0);
}
