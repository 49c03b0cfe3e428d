//! The hash map of `urcu-collections`, where pairs lie in their buckets, without its types.

use std::ptr::NonNull;
use std::sync::Arc;

use loom::thread;

use super::domains::{Owned, here, on_cpu};
use super::witness;
use crate::collections;
use crate::domain::Domain;
use crate::hash::bucket::Node;
use crate::hash::kind::Kind;
use crate::hash::pairs::{ROOM, words_of};
use crate::hash::raw::{Hashes, Image, RawMap};
use crate::hash::raw_iter::RawIter;
use crate::kernel::{ALL_THREADS, AtomicUsize, Ordering, lost_after, run_on, step};

/// A map of keys, each of which is its hash, to numbers.
struct Map {
    raw: RawMap,
    domain: &'static Domain,
}

// SAFETY: what loom's threads do with it at once is what the model is about.
unsafe impl Sync for Map {}
// SAFETY: it is a table of atomics, and a domain that any thread may use.
unsafe impl Send for Map {}

impl Hashes for Map {
    fn hash_of(&self, node: NonNull<Node>) -> u64 {
        key(node)
    }
}

fn key(node: NonNull<Node>) -> u64 {
    // SAFETY: the models hold a section, or nothing is freed.
    let [key, _] = unsafe { words_of(node) };
    key
}

fn number(node: NonNull<Node>) -> u64 {
    // SAFETY: the models hold a section, or nothing is freed.
    let [_, number] = unsafe { words_of(node) };
    number
}

fn image(key: u64, number: u64) -> Image {
    Image {
        hash: key,
        words: [key, number],
    }
}

impl Map {
    /// Returns a map, in one bucket of which there are some keys: from 0 on, by [`STEP`].
    fn of(domain: &Owned, keys: u64) -> Arc<Self> {
        Map::with(domain, STEP as usize, nth(0..keys))
    }

    fn with(domain: &Owned, buckets: usize, keys: impl Iterator<Item = u64>) -> Arc<Self> {
        let map = Map {
            raw: RawMap::new(4 * buckets, 1, Kind::inline(u64::MAX)),
            domain: domain.get(),
        };
        for key in keys {
            assert!(map.insert(key, 0));
        }
        Arc::new(map)
    }

    fn node(&self, wanted: u64) -> Option<NonNull<Node>> {
        self.raw.find_inline(wanted, |node| key(node) == wanted)
    }

    fn find(&self, key: u64) -> Option<u64> {
        self.node(key).map(number)
    }

    /// Returns the numbers of a key, as an iteration meets them.
    fn met(&self, wanted: u64) -> Vec<u64> {
        let all = RawIter::new(self.raw.root(), self);
        all.filter(|&node| key(node) == wanted)
            .map(number)
            .collect()
    }

    fn insert(&self, key: u64, number: u64) -> bool {
        let image = image(key, number);
        let inserted = self.raw.insert_inline(image, self, self.domain);
        inserted.is_some()
    }

    /// Returns the number that was replaced.
    fn put(&self, key: u64, to: u64) -> Option<u64> {
        let image = image(key, to);
        let (new, old) = self.raw.upsert_inline(image, self, self.domain);
        assert_eq!((self::key(new), number(new)), (key, to));
        old.map(number)
    }

    fn replace(&self, key: u64, number: u64) {
        let image = image(key, number);
        loop {
            let old = self.node(key).expect("a key that is there");
            let replaced = self.raw.replace_inline(old, image, self, self.domain);
            if replaced.is_some() {
                return;
            }
        }
    }

    fn remove(&self, key: u64) {
        while let Some(old) = self.node(key) {
            if self.raw.remove_inline(old, key, self, self.domain) {
                return;
            }
        }
    }
}

/// Drops the map when nobody has it any more, after what waits for grace periods.
fn end(domain: Owned, map: Arc<Map>) {
    let mut map = Arc::into_inner(map).expect("no other thread has it");
    // SAFETY: it is not used any more.
    unsafe { map.raw.exclusive().free_tables() };
    here(1, || domain.get().barrier());
    drop(domain);
}

const ROOMY: u64 = ROOM as u64;
/// How many buckets there are: of keys that are so far apart all lie in one. It has no room for them long
/// before the map grows.
const STEP: u64 = 4;

fn nth(keys: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
    keys.map(|number| number * STEP)
}

/// Whoever finds a pair finds it whole, in the bucket or in the list; by a lookup and by an iteration.
fn a_pair_comes(before: u64) {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, before);
    let theirs = Arc::clone(&map);
    let new = before * STEP;
    let reader = thread::spawn(move || {
        let met = theirs.met(new);
        let found = theirs.find(new);
        assert!(found.is_none_or(|number| number == 1), "half a pair");
        assert!(met.iter().all(|&number| number == 1), "half a pair, met");
        assert!(found.is_some() || met.is_empty(), "met, and not found");
        (found.is_some(), !met.is_empty())
    });
    assert!(map.insert(new, 1));
    let (found, met) = reader.join().expect("the reader");
    witness(0, found && !met);
    witness(1, met);
    witness(2, !found);
    end(domain, map);
}

pub(super) fn a_pair_is_put_into_a_bucket() {
    a_pair_comes(1);
}

pub(super) fn a_pair_is_put_into_a_list() {
    a_pair_comes(ROOMY);
}

/// A reader that looks for a key that is always there, and keeps what it has found for the rest of its section;
/// meanwhile the key is replaced, and its place used again as soon as that may be.
fn a_reader_keeps(keys: u64, change: impl Fn(&Map)) {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, keys);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        let first = theirs.node(0).expect("a key that is always there");
        let was = number(first);
        step();
        let second = theirs.find(0).expect("a key that is always there");
        assert!(was <= second, "an old number after a new one");
        assert_eq!(
            (key(first), number(first)),
            (0, was),
            "a pair that was found"
        );
        drop(guard);
        (was, second)
    });
    let running = run_on(1);
    change(&map);
    drop(running);
    let seen = reader.join().expect("the reader");
    witness(0, seen == (0, 0));
    witness(1, seen == (0, 1));
    witness(2, seen.0 == 1);
    end(domain, map);
}

/// The pair goes to another slot; its own is filled again after a grace period.
pub(super) fn a_slot_waits_for_its_readers() {
    a_reader_keeps(ROOMY - 1, |map| {
        map.replace(0, 1);
        // There is no room but where the key was: this goes to the list, and is told how long to wait.
        assert!(map.insert(100 * STEP, 7));
        map.domain.synchronize();
        assert!(map.insert(101 * STEP, 7));
    });
}

/// The same without waiting: the slot is left alone.
pub(super) fn a_slot_is_left_alone() {
    a_reader_keeps(ROOMY - 1, |map| {
        map.replace(0, 1);
        assert!(map.insert(100 * STEP, 7));
        assert!(map.insert(101 * STEP, 7));
    });
}

/// The pair goes to the list, where readers look last, and is replaced there.
pub(super) fn a_pair_goes_to_the_list() {
    a_reader_keeps(ROOMY, |map| map.replace(0, 1));
}

/// A pair of the list is replaced, and freed after its readers.
pub(super) fn a_pair_of_the_list_is_replaced() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, ROOMY + 2);
    let wanted = ROOMY * STEP;
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        let first = theirs.node(wanted).expect("a key that is always there");
        let was = number(first);
        step();
        assert_eq!((key(first), number(first)), (wanted, was));
        drop(guard);
        was
    });
    let running = run_on(1);
    map.replace(wanted, 1);
    map.remove(wanted + STEP);
    domain.get().barrier();
    drop(running);
    let was = reader.join().expect("the reader");
    witness(0, was == 0);
    witness(1, was == 1);
    end(domain, map);
}

/// Two insert a key: one does. Two replace one: neither is lost.
pub(super) fn two_insert_a_pair() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1);
    let theirs = Arc::clone(&map);
    let other = thread::spawn(move || theirs.insert(STEP, 1));
    let mine = map.insert(STEP, 2);
    let other = other.join().expect("the other one");
    assert!(mine != other, "inserted twice, or never");
    assert_eq!(map.met(STEP).len(), 1);
    witness(0, mine);
    witness(1, other);
    end(domain, map);
}

/// Two put a pair of one key, which is missing or there: each replaces what it says it has replaced.
fn two_put(before: u64) {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, before);
    let theirs = Arc::clone(&map);
    let other = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        let replaced = theirs.put(STEP, 1);
        drop(guard);
        replaced
    });
    let running = run_on(1);
    let guard = map.domain.read_lock();
    let mine = map.put(STEP, 2);
    drop(guard);
    drop(running);
    let other = other.join().expect("the other one");
    let first = (before > 1).then_some(0);
    let last = map.find(STEP).expect("a key that was put");
    let expected = match last {
        1 => (first, Some(2)),
        _ => (Some(1), first),
    };
    assert_eq!((mine, other), expected, "lost, or replaced twice");
    assert_eq!(map.met(STEP), [last]);
    witness(0, last == 1);
    witness(1, last == 2);
    end(domain, map);
}

pub(super) fn two_put_a_pair_that_is_missing() {
    two_put(1);
}

/// One of the pairs goes to the list.
pub(super) fn two_put_a_pair_that_is_there() {
    two_put(ROOMY - 1);
}

/// The map moves to a larger table, while a pair that nobody touches is looked for.
pub(super) fn an_untouched_pair_is_always_found() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::with(&domain, 1, 1..2);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        assert_eq!(theirs.find(1), Some(0));
        let moved = theirs.raw.root().buckets() == 2;
        assert_eq!(theirs.met(1), [0], "an untouched pair");
        drop(guard);
        moved
    });
    let running = run_on(1);
    map.raw.reserve(5, &*map, map.domain);
    domain.get().barrier();
    drop(running);
    let moved = reader.join().expect("the reader");
    witness(0, moved);
    witness(1, !moved);
    end(domain, map);
}

/// A thread is lost after any of its stores, as at a fork, while it changes a pair: the child finds it once, in
/// one of its states, and changes it.
fn lost_in_the_middle(keys: u64, key: u64, program: fn(&Map)) {
    for stores in 0.. {
        let domain = Owned::new(ALL_THREADS);
        let map = Map::of(&domain, keys);
        let running = run_on(1);
        let ended = lost_after(stores, || program(&map));
        collections::fork::fork();
        let found = map.find(key);
        assert!(found.is_none_or(|number| number <= 1));
        assert_eq!(map.met(key).len(), usize::from(found.is_some()));
        map.remove(key);
        assert_eq!((map.find(key), map.met(key)), (None, vec![]));
        assert!(map.insert(key, 3));
        assert_eq!((map.find(key), map.met(key)), (Some(3), vec![3]));
        drop(running);
        drop(domain);
        if ended {
            return;
        }
    }
}

pub(super) fn who_moves_a_pair_to_the_list_is_lost() {
    lost_in_the_middle(ROOMY, 0, |map| map.replace(0, 1));
}

pub(super) fn who_moves_a_pair_to_another_slot_is_lost() {
    lost_in_the_middle(ROOMY - 1, 0, |map| map.replace(0, 1));
}

pub(super) fn who_removes_a_pair_is_lost() {
    lost_in_the_middle(ROOMY, 0, |map| map.remove(0));
}
