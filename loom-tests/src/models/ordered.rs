//! `BTreeMap` of `urcu-collections`: readers have a whole tree, no change is lost, and what is not in the tree
//! any more is freed once, after its readers.

use std::sync::Arc;

use super::domains::{Owned, here, on_cpu};
use super::witness;
use crate::btree::BTreeMap;
use crate::domain::Domain;
use crate::kernel::{ALL_THREADS, NODE_ITEMS, Value, run_on, step, values_left};

type Map = BTreeMap<u64, Value, &'static Domain>;

fn map(domain: &Owned, keys: std::ops::Range<u64>) -> Arc<Map> {
    let map = Map::new_in(domain.get());
    here(1, || keys.for_each(|key| insert(&map, key, 0)));
    Arc::new(map)
}

fn insert(map: &Map, key: u64, number: u32) {
    map.insert(key, Value::new(number), &map.guard());
}

fn contents(map: &Map) -> Vec<(u64, u32)> {
    here(1, || {
        let guard = map.guard();
        let entries = map.iter(&guard).map(|(key, value)| (*key, value.read()));
        entries.collect()
    })
}

/// Drops the map when nobody has it any more, after what waits for grace periods. Nothing may be left.
fn end(domain: Owned, map: Arc<Map>) {
    here(1, || {
        drop(Arc::into_inner(map).expect("no other thread has it"));
        domain.get().barrier();
    });
    drop(domain);
    assert_eq!(values_left(), 0, "what was never freed");
}

/// A reader meets a change: it has the tree as it was, or as it is, and goes on to have it.
pub(super) fn a_reader_of_a_tree_meets_a_change() {
    let domain = Owned::new(ALL_THREADS);
    let map = map(&domain, 0..2);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.guard();
        let range = theirs.iter(&guard);
        step();
        let seen: Vec<u32> = range.map(|(_, value)| value.read()).collect();
        let now = theirs.get(&0, &guard).expect("a key that is always there");
        assert!(seen[0] <= now.read(), "an older value after a newer one");
        (seen, now.read())
    });
    let running = run_on(1);
    insert(&map, 0, 1);
    domain.get().barrier();
    drop(running);
    let (seen, now) = reader.join().expect("the reader");
    witness(0, seen == [0, 0] && now == 1);
    witness(1, seen == [1, 0]);
    assert!(matches!(seen[..], [0 | 1, 0]));
    end(domain, map);
}

/// Two change the tree at once: none of their changes is lost, and what was made in vain is freed.
pub(super) fn two_change_a_tree() {
    let domain = Owned::new(ALL_THREADS);
    let map = map(&domain, 1..2);
    let theirs = Arc::clone(&map);
    let other = on_cpu(0, move || insert(&theirs, 0, 1));
    let running = run_on(1);
    insert(&map, 2, 2);
    drop(running);
    other.join().expect("the other one");
    assert_eq!(contents(&map), [(0, 1), (1, 0), (2, 2)]);
    end(domain, map);
}

/// All is removed while another one inserts.
pub(super) fn a_tree_is_cleared() {
    let domain = Owned::new(ALL_THREADS);
    let map = map(&domain, 0..1);
    let theirs = Arc::clone(&map);
    let other = on_cpu(0, move || insert(&theirs, 1, 1));
    let running = run_on(1);
    map.clear(&map.guard());
    drop(running);
    other.join().expect("the other one");
    let left = contents(&map);
    witness(0, left.is_empty());
    witness(1, left == [(1, 1)]);
    assert!(left.is_empty() || left == [(1, 1)], "{left:?}");
    end(domain, map);
}

/// Nodes that become too small are joined with those beside them, and all that are replaced are freed.
pub(super) fn nodes_are_joined_and_freed() {
    let domain = Owned::new(ALL_THREADS);
    let keys = 3 * NODE_ITEMS as u64;
    let map = map(&domain, 0..keys);
    let running = run_on(1);
    for key in (0..keys).filter(|key| key % 8 != 0) {
        assert!(map.remove(&key, &map.guard()).is_some());
    }
    drop(running);
    assert_eq!(contents(&map), [(0, 0), (8, 0), (16, 0)]);
    end(domain, map);
}
