//! `BTreeMap` of `urcu-collections`: readers have a whole tree, no change is lost, and what is not in the tree
//! any more is freed once, after its readers.

use std::cell::Cell;
use std::sync::Arc;

use super::domains::{Owned, here, on_cpu};
use super::witness;
use crate::btree::BTreeMap;
use crate::collections::fork::fork;
use crate::domain::Domain;
use crate::kernel::{ALL_THREADS, Value, lost_after, run_on, step, values_left};

type Map = BTreeMap<u64, Value, &'static Domain>;

fn map(domain: &Owned, keys: impl IntoIterator<Item = u64>) -> Arc<Map> {
    let map = Map::new_in(domain.get());
    here(1, || keys.into_iter().for_each(|key| insert(&map, key, 0)));
    Arc::new(map)
}

/// Returns a map of so many even keys. A leaf has two to four entries, so the leaves of six keys are 0 and 2, and the
/// others.
fn even(domain: &Owned, keys: u64) -> Arc<Map> {
    map(domain, (0..keys).map(|number| 2 * number))
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
    let map = map(&domain, 0..24);
    let running = run_on(1);
    for key in (0..24).filter(|key| key % 8 != 0) {
        assert!(map.remove(&key, &map.guard()).is_some());
    }
    drop(running);
    assert_eq!(contents(&map), [(0, 0), (8, 0), (16, 0)]);
    end(domain, map);
}

/// Runs two programs at once. Returns what the map has then.
fn two(keys: u64, one: fn(&Map), other: fn(&Map), check: fn(&[(u64, u32)])) {
    let domain = Owned::new(ALL_THREADS);
    let map = even(&domain, keys);
    let theirs = Arc::clone(&map);
    let other = on_cpu(0, move || other(&theirs));
    let running = run_on(1);
    one(&map);
    drop(running);
    other.join().expect("the other one");
    check(&contents(&map));
    end(domain, map);
}

fn remove(map: &Map, key: u64) -> bool {
    map.remove(&key, &map.guard()).is_some()
}

fn update(map: &Map, key: u64) {
    map.update(key, |old| Value::new(old.read() + 1), &map.guard());
}

/// Checks the keys that are not zero, and the number of all.
fn expect(contents: &[(u64, u32)], keys: usize, numbers: &[(u64, u32)]) {
    let written = contents.iter().filter(|(_, number)| *number > 0);
    assert!(written.eq(numbers), "{contents:?}");
    assert!(
        contents.len() == keys && contents.is_sorted(),
        "{contents:?}"
    );
}

/// A leaf is replaced by one with another entry. A reader has the old leaf or the new one.
pub(super) fn a_reader_meets_a_new_leaf() {
    let domain = Owned::new(ALL_THREADS);
    let map = even(&domain, 5);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.guard();
        let found = theirs.get(&1, &guard).map(Value::read);
        step();
        let seen: Vec<u64> = theirs.iter(&guard).map(|(key, _)| *key).collect();
        let untouched = seen.iter().filter(|key| **key != 1);
        assert!(untouched.eq(&[0, 2, 4, 6, 8]), "{seen:?}");
        assert!(found.is_none() || seen.len() == 6, "it was there before");
        (found, seen.len())
    });
    let running = run_on(1);
    insert(&map, 1, 1);
    domain.get().barrier();
    drop(running);
    let (found, seen) = reader.join().expect("the reader");
    witness(0, found.is_none() && seen == 6);
    witness(1, found == Some(1));
    assert!(matches!(found, None | Some(1)));
    end(domain, map);
}

/// An entry is replaced in its leaf. A reader has the old entry or the new one.
pub(super) fn a_reader_meets_a_new_entry() {
    let domain = Owned::new(ALL_THREADS);
    let map = even(&domain, 5);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.guard();
        let look = || theirs.get(&2, &guard).expect("always there").read();
        let first = look();
        step();
        (first, look())
    });
    let running = run_on(1);
    insert(&map, 2, 1);
    domain.get().barrier();
    drop(running);
    let seen = reader.join().expect("the reader");
    witness(0, seen == (0, 1));
    witness(1, seen == (1, 1));
    assert!(seen.0 <= seen.1 && seen.1 <= 1);
    end(domain, map);
}

/// A leaf is split while a reader walks through the map.
pub(super) fn a_reader_walks_while_a_leaf_is_split() {
    let domain = Owned::new(ALL_THREADS);
    let map = even(&domain, 6);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.guard();
        let keys = theirs.iter(&guard).map(|(key, value)| (*key, value.read()));
        let seen: Vec<_> = keys.filter(|(key, _)| *key != 5).collect();
        assert_eq!(seen, [0, 2, 4, 6, 8, 10].map(|key| (key, 0)));
        theirs.get(&5, &guard).map(Value::read)
    });
    let running = run_on(1);
    insert(&map, 5, 1);
    domain.get().barrier();
    drop(running);
    let found = reader.join().expect("the reader");
    witness(0, found.is_none());
    witness(1, found == Some(1));
    end(domain, map);
}

/// A key of which nodes store nothing, so that searches read the keys of entries.
struct Read(Value);

impl PartialEq for Read {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Read {}

impl PartialOrd for Read {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Read {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.read().cmp(&other.0.read())
    }
}

/// An entry goes whose key separates two leaves, and by which a reader finds its way. So does another reader later.
pub(super) fn a_reader_meets_a_separator_that_goes() {
    let domain = Owned::new(ALL_THREADS);
    let key = |number| Read(Value::new(number));
    let map = Arc::new(BTreeMap::<Read, u32, _>::new_in(domain.get()));
    let running = run_on(1);
    for number in 0..6 {
        map.insert(key(number), number, &map.guard());
    }
    drop(running);
    let theirs = Arc::clone(&map);
    let look = move || theirs.get(&key(3), &theirs.guard()).copied();
    let again = look.clone();
    let reader = on_cpu(0, look);
    let running = run_on(1);
    // Of the leaves of 0 and 1, and of 2 to 5.
    assert!(map.remove(&key(2), &map.guard()).is_some());
    domain.get().barrier();
    assert_eq!(again(), Some(3));
    drop((running, again));
    assert_eq!(reader.join().expect("the reader"), Some(3));
    here(1, || {
        drop(Arc::into_inner(map).expect("no other thread has it"))
    });
    domain.get().barrier();
    drop(domain);
    assert_eq!(values_left(), 0, "what was never freed");
}

/// Two insert into the same leaf.
pub(super) fn two_change_a_leaf() {
    two(
        5,
        |map| insert(map, 1, 1),
        |map| insert(map, 3, 3),
        |seen| expect(seen, 7, &[(1, 1), (3, 3)]),
    );
}

/// An entry is replaced in a leaf that gets another entry.
pub(super) fn an_entry_is_replaced_while_its_leaf_is() {
    two(
        5,
        |map| insert(map, 1, 1),
        |map| insert(map, 2, 2),
        |seen| expect(seen, 6, &[(1, 1), (2, 2)]),
    );
}

/// Two update the same entry, in its leaf.
pub(super) fn two_update_an_entry() {
    two(
        5,
        |map| update(map, 2),
        |map| update(map, 2),
        |seen| expect(seen, 5, &[(2, 2)]),
    );
}

/// Two update an entry whose key separates two leaves.
pub(super) fn two_update_a_separator() {
    two(
        5,
        |map| update(map, 4),
        |map| update(map, 4),
        |seen| expect(seen, 5, &[(4, 2)]),
    );
}

/// A leaf is split while one of its entries is replaced.
pub(super) fn a_leaf_is_split_while_an_entry_is_replaced() {
    two(
        6,
        |map| insert(map, 5, 5),
        |map| insert(map, 8, 8),
        |seen| expect(seen, 7, &[(5, 5), (8, 8)]),
    );
}

/// A leaf is split while it loses an entry.
pub(super) fn a_leaf_is_split_while_it_is_replaced() {
    two(
        6,
        |map| assert!(remove(map, 8)),
        |map| insert(map, 5, 5),
        |seen| expect(seen, 6, &[(5, 5)]),
    );
}

/// A leaf is split while the one beside it gets an entry.
pub(super) fn a_leaf_is_split_beside_a_new_one() {
    two(
        6,
        |map| insert(map, 5, 5),
        |map| insert(map, 1, 1),
        |seen| expect(seen, 8, &[(1, 1), (5, 5)]),
    );
}

/// An entry is removed, with its leaf, while its value is updated.
pub(super) fn an_entry_is_removed_while_it_is_updated() {
    two(
        5,
        |map| update(map, 2),
        |map| assert!(remove(map, 2)),
        |seen| expect(seen, 4, &[]),
    );
}

/// Two parents of leaves are joined while a leaf of the second one changes.
pub(super) fn parents_are_joined_beside_a_new_leaf() {
    // Leaves of two entries, but the last one; of the parents, the first has two.
    two(
        11,
        |map| assert!(remove(map, 0)),
        |map| insert(map, 9, 9),
        |seen| expect(seen, 11, &[(9, 9)]),
    );
}

/// All is removed while another one inserts into a leaf.
pub(super) fn a_tree_of_leaves_is_cleared() {
    two(
        5,
        |map| map.clear(&map.guard()),
        |map| insert(map, 1, 1),
        |left| {
            witness(0, left.is_empty());
            witness(1, left == [(1, 1)]);
            assert!(left.is_empty() || left == [(1, 1)], "{left:?}");
        },
    );
}

/// The same in a tree of two parents, in a leaf of the second one.
pub(super) fn a_tree_of_parents_is_cleared() {
    two(
        11,
        |map| map.clear(&map.guard()),
        |map| insert(map, 17, 1),
        |left| {
            witness(0, left.is_empty());
            witness(1, left == [(17, 1)]);
            assert!(left.is_empty() || left == [(17, 1)], "{left:?}");
        },
    );
}

/// Each of two parents becomes too small, so each of two writers joins it with the other one. They take the same two
/// locks.
pub(super) fn two_parents_are_joined_from_both_sides() {
    let domain = Owned::new(ALL_THREADS);
    let map = even(&domain, 11);
    // Then the first parent has the leaves 0 and 2, and 4 and 6; the second one 10 to 14, and 18 and 20.
    here(1, || assert!(remove(&map, 8) && remove(&map, 16)));
    let theirs = Arc::clone(&map);
    let other = on_cpu(0, move || assert!(remove(&theirs, 18)));
    let running = run_on(1);
    assert!(remove(&map, 0));
    drop(running);
    other.join().expect("the other one");
    expect(&contents(&map), 7, &[]);
    end(domain, map);
}

/// A thread is lost after any of its stores up to the one that makes its change, as at a fork. Then it holds a lock.
/// The child finds the map as it was before the change or after it, and changes the same leaf.
fn lost(keys: u64, key: u64) {
    for stores in 0.. {
        let domain = Owned::new(ALL_THREADS);
        let map = even(&domain, keys);
        let running = run_on(1);
        let ended = lost_after(stores, || insert(&map, key, 1));
        fork();
        drop(running);
        let seen = contents(&map);
        let others = seen.iter().map(|(seen, _)| *seen);
        let expected = (0..keys).map(|number| 2 * number);
        assert!(
            others
                .filter(|other| *other != key)
                .eq(expected.filter(|other| *other != key)),
            "{seen:?}"
        );
        here(1, || (1..8).step_by(2).for_each(|odd| insert(&map, odd, 2)));
        let now = contents(&map);
        assert_eq!(now.iter().filter(|(_, number)| *number == 2).count(), 4);
        drop(domain);
        if seen.contains(&(key, 1)) {
            assert!(stores > 0 && !ended, "{stores}");
            return;
        }
    }
}

/// The same for one that joins two parents. After the exchange of the root it holds both locks, and then one.
pub(super) fn who_joins_parents_is_lost() {
    let mut joined = 0;
    for stores in 0.. {
        let domain = Owned::new(ALL_THREADS);
        let map = even(&domain, 11);
        let running = run_on(1);
        let ended = lost_after(stores, || assert!(remove(&map, 0)));
        fork();
        drop(running);
        let left = contents(&map).len();
        let odd = || (1..22).step_by(2);
        here(1, || odd().for_each(|odd| insert(&map, odd, 2)));
        assert_eq!(contents(&map).len(), left + 11);
        here(1, || assert!(odd().all(|odd| remove(&map, odd))));
        expect(&contents(&map), left, &[]);
        drop(domain);
        joined += usize::from(left == 10);
        if joined == 2 {
            assert!(!ended, "{stores}");
            return;
        }
    }
}

pub(super) fn who_replaces_a_leaf_is_lost() {
    lost(5, 3);
}

pub(super) fn who_replaces_an_entry_is_lost() {
    lost(5, 2);
}

pub(super) fn who_splits_a_leaf_is_lost() {
    lost(6, 5);
}

/// A thread that splits a leaf is lost while another one, which forks, has already found an entry of that leaf. In the
/// child the entry is updated, wherever it is.
pub(super) fn who_splits_a_leaf_is_lost_during_an_update() {
    for stores in 0.. {
        let domain = Owned::new(ALL_THREADS);
        let map = even(&domain, 6);
        let running = run_on(1);
        let is_first = Cell::new(true);
        let update = |old: &Value| {
            if is_first.replace(false) {
                lost_after(stores, || insert(&map, 5, 1));
                fork();
            }
            Value::new(old.read() + 1)
        };
        assert!(map.update(8, update, &map.guard()).is_some());
        drop(running);
        let seen = contents(&map);
        assert!(seen.contains(&(8, 1)), "{seen:?}");
        drop(domain);
        if seen.contains(&(5, 1)) {
            assert!(stores > 0 && seen.len() == 7);
            return;
        }
    }
}
