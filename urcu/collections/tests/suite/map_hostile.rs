//! Programs that do what they should not: nothing of it is undefined, and nothing hangs.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use urcu_collections::{Compute, HashMap, Operation};

use crate::support::{AllSame, AsIs, Random, ignore};

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(1) };
}

/// A key whose equality and hash are drawn by lot.
#[derive(Clone)]
struct Liar(u64);

fn lot(bound: u64) -> u64 {
    let mut random = Random::new(STATE.get());
    STATE.set(random.next());
    random.below(bound)
}

impl Hash for Liar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 % 8 + lot(2)).hash(state);
    }
}

impl PartialEq for Liar {
    fn eq(&self, _: &Self) -> bool {
        lot(2) == 0
    }
}

impl Eq for Liar {}

#[test]
fn keys_whose_eq_and_hash_lie_do_no_harm() {
    let map = HashMap::new();
    let mut random = Random::new(5);
    for number in 0..20_000u64 {
        let key = Liar(random.next());
        let pinned = map.pin();
        match random.below(6) {
            0..=2 => ignore(pinned.insert(key, Arc::new(number)).cloned()),
            3 => ignore(pinned.remove(&key).cloned()),
            4 => ignore(pinned.update(key, |old| Arc::new(**old + 1)).cloned()),
            _ if number % 64 == 0 => pinned.retain(|_, value| **value % 2 == 0),
            _ => ignore(pinned.get(&key).cloned()),
        }
    }
    assert_eq!(map.len(), map.pin().iter().count());
    assert_eq!(map.len(), map.into_iter().count());
}

type Nested = HashMap<u32, u32, AllSame>;

#[test]
fn closures_may_use_the_same_key_of_the_same_map() {
    let map = Nested::default();
    let pinned = map.pin();
    let value = pinned.get_or_insert_with(1, || *pinned.get_or_insert_with(1, || 7));
    assert_eq!(*value, 7);
    // Each call changes the entry under its own feet, until it has had enough.
    let mut calls = 0;
    let computed = pinned.compute(1, |entry| {
        calls += 1;
        if calls < 4 {
            map.pin().insert(1, calls * 100);
        }
        Operation::<_, ()>::Insert(*entry.unwrap().1 + 1)
    });
    assert!(
        matches!(computed, Compute::Updated { new: (_, 301), .. }),
        "{computed:?}"
    );
    let removed = pinned.remove_if(&1, |_, _| map.pin().remove(&1).is_some());
    assert_eq!((removed, map.len()), (Ok(None), 0));
    (0..50).for_each(|key| ignore(pinned.insert(key, key)));
    pinned.retain(|_, _| {
        map.pin().clear();
        map.pin().shrink_to_fit();
        false
    });
    assert!(map.is_empty());
}

/// A key whose comparison changes the map in which it is.
#[derive(Clone)]
struct Meddler(u32, Arc<OnceLock<HashMap<Meddler, u32, AllSame>>>);

impl Hash for Meddler {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Meddler {
    fn eq(&self, other: &Self) -> bool {
        thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
        DEPTH.set(DEPTH.get() + 1);
        if DEPTH.get() == 1
            && let Some(map) = self.1.get()
        {
            let key = Meddler(lot(20) as u32, self.1.clone());
            if lot(2) == 0 {
                map.pin().insert(key, 0);
            } else {
                map.pin().remove(&key);
            }
        }
        DEPTH.set(DEPTH.get() - 1);
        self.0 == other.0
    }
}

impl Eq for Meddler {}

#[test]
fn comparisons_may_change_the_map() {
    let shared = Arc::new(OnceLock::new());
    let map = shared.get_or_init(|| HashMap::with_hasher(AllSame::default()));
    for number in 0..2000 {
        let key = Meddler(number % 20, shared.clone());
        match number % 3 {
            0 => ignore(map.pin().remove(&key)),
            _ => ignore(map.pin().insert(key, number)),
        }
        assert!(map.pin().iter().count() <= 20, "a key is there twice");
    }
    // The keys own the map: a circle, which has to be broken by hand.
    map.pin().clear();
}

/// A value whose end changes the map in which it was.
struct Last(Arc<HashMap<u32, Last, AsIs>>, u32);

impl Drop for Last {
    fn drop(&mut self) {
        if self.1 > 0 {
            self.0.pin().insert(0, Last(self.0.clone(), self.1 - 1));
            self.0.pin().remove(&0);
        }
    }
}

#[test]
fn destructors_may_change_the_map() {
    let map = Arc::new(HashMap::with_hasher(AsIs::default()));
    for key in 1..20 {
        map.pin().insert(key, Last(map.clone(), 3));
    }
    map.pin().clear();
    for _ in 0..5 {
        urcu::barrier();
    }
    assert_eq!((map.len(), Arc::strong_count(&map)), (0, 1));
}

#[test]
fn forgotten_handles_and_iterators_cost_memory_alone() {
    let domain = Box::leak(Box::new(urcu::Domain::new()));
    let map = HashMap::new_in(&*domain);
    map.pin().insert(1, String::from("one"));
    std::mem::forget(map.pin());
    map.pin().remove(&1);
    map.pin().insert(1, String::from("two"));
    let mut map = map;
    std::mem::forget(map.iter_mut());
    assert_eq!(map.pin().get(&1).map(String::as_str), Some("two"));
    std::mem::forget(map.into_iter());
}
