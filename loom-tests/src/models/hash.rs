//! The hash map of `urcu-collections`, without its types: buckets and their locks, and the way from one
//! table to the next.

use std::ptr::NonNull;
use std::sync::Arc;

use loom::thread;

use super::domains::{Owned, here, on_cpu};
use super::witness;
use crate::collections;
use crate::domain::Domain;
use crate::hash::bucket::{Node, SLOTS};
use crate::hash::kind::Kind;
use crate::hash::raw::{Hashes, Place, RawMap};
use crate::hash::raw_iter::RawIter;
use crate::kernel::{
    ALL_THREADS, AtomicUsize, Ordering, Value, lost_after, run_on, step, values_left,
};

/// An entry, as the map with types has them.
#[repr(C)]
struct Entry {
    node: Node,
    value: Value,
}

/// A map, each of whose hashes stands for one key.
struct Map {
    raw: RawMap,
    domain: &'static Domain,
}

// SAFETY: what loom's threads do with it at once is what the model is about.
unsafe impl Sync for Map {}
// SAFETY: what loom's threads do with it at once is what the model is about.
unsafe impl Send for Map {}

fn entry(hash: u64, number: u32) -> NonNull<Node> {
    let entry = Entry {
        node: Node { hash },
        value: Value::new(number),
    };
    NonNull::from(Box::leak(Box::new(entry))).cast()
}

/// # Safety
/// An entry that is alive.
unsafe fn read(node: NonNull<Node>) -> u32 {
    // SAFETY: the node is alive, as the caller promises, and all nodes here are entries.
    unsafe { node.cast::<Entry>().as_ref() }.value.read()
}

impl Hashes for Map {
    fn hash_of(&self, node: NonNull<Node>) -> u64 {
        // SAFETY: asked of an entry that was found in a section, or under a lock.
        unsafe { node.as_ref() }.hash
    }
}

impl Map {
    /// Returns a map with a table of some buckets, of which each change moves one group.
    fn new(domain: &Owned, buckets: usize) -> Self {
        Map {
            raw: RawMap::new(4 * buckets, 1, Kind::APART),
            domain: domain.get(),
        }
    }

    fn of(domain: &Owned, buckets: usize, hashes: &[u64]) -> Arc<Self> {
        let map = Map::new(domain, buckets);
        for &hash in hashes {
            assert!(map.insert(hash, 0));
        }
        Arc::new(map)
    }

    fn find(&self, hash: u64) -> Option<u32> {
        // SAFETY: what is found is alive: the models hold a section, or nothing is freed.
        let is = |node: NonNull<Node>| unsafe { node.as_ref() }.hash == hash;
        // SAFETY: what is found is alive: the models hold a section, or nothing is freed.
        self.raw.find(hash, is).map(|node| unsafe { read(node) })
    }

    /// Returns the numbers of all entries with a hash, as an iteration meets them.
    fn met(&self, hash: u64) -> Vec<u32> {
        RawIter::new(self.raw.root(), self)
            // SAFETY: alive: the models hold a section, or nothing is freed.
            .filter(|node| unsafe { node.as_ref() }.hash == hash)
            // SAFETY: alive: the models hold a section, or nothing is freed.
            .map(|node| unsafe { read(node) })
            .collect()
    }

    /// Returns whether the key was not there.
    fn insert(&self, hash: u64, number: u32) -> bool {
        let node = entry(hash, number);
        loop {
            match self.raw.locate(hash, |_| true) {
                Place::Nowhere(seen) if self.raw.insert(node, &seen, self, self.domain) => {
                    return true;
                }
                Place::Nowhere(_) => {}
                Place::At(there) => {
                    // SAFETY: alive, as in `find`; and the new one was never published.
                    unsafe {
                        read(there);
                        collections::reclaim::end(node.cast::<Entry>().as_ptr());
                    }
                    return false;
                }
            }
        }
    }

    fn node(&self, hash: u64) -> Option<NonNull<Node>> {
        // SAFETY: alive: the models hold a section, or nothing is freed.
        self.raw
            .find(hash, |node| unsafe { node.as_ref() }.hash == hash)
    }

    /// Returns what is to be retired.
    fn replace(&self, hash: u64, number: u32) -> NonNull<Node> {
        let new = entry(hash, number);
        loop {
            let old = self.node(hash).expect("a key that is there");
            if self.raw.replace(old, new, self, self.domain) {
                return old;
            }
        }
    }

    fn remove(&self, hash: u64) -> NonNull<Node> {
        loop {
            let old = self.node(hash).expect("a key that is there");
            if self.raw.remove(old, self, self.domain) {
                return old;
            }
        }
    }

    fn retire(&self, node: NonNull<Node>) {
        // SAFETY: unlinked by the caller.
        unsafe { collections::reclaim::retire(self.domain, node.cast::<Entry>()) };
    }
}

/// Frees an entry that nobody looks at any more.
fn free(node: NonNull<Node>) {
    // SAFETY: all threads that used it have ended.
    unsafe { collections::reclaim::end(node.cast::<Entry>().as_ptr()) };
}

/// Drops the map when nobody has it any more, after what waits for grace periods. Nothing may be left.
fn end(domain: Owned, map: Arc<Map>) {
    let mut map = Arc::into_inner(map).expect("no other thread has it");
    map.raw.exclusive().nodes().for_each(free);
    // SAFETY: it is not used any more.
    unsafe { map.raw.exclusive().free_tables() };
    here(1, || domain.get().barrier());
    drop(domain);
    assert_eq!(values_left(), 0, "what was never freed");
}

/// Whoever finds an entry finds it whole, by a lookup and by an iteration; and after the one, by the other.
pub(super) fn a_bucket_gets_an_entry() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[]);
    let theirs = Arc::clone(&map);
    let reader = thread::spawn(move || looks(&theirs, 1));
    assert!(map.insert(1, 1));
    let (met, found) = reader.join().expect("the reader");
    witness(0, !met && found);
    witness(1, met);
    witness(2, !found);
    end(domain, map);
}

/// Looks for an entry that comes: whether it was met at first, and was found then.
fn looks(map: &Map, hash: u64) -> (bool, bool) {
    let met = !map.met(hash).is_empty();
    let found = map.find(hash).is_some();
    assert!(found || !met, "met, and not found afterwards");
    assert!(
        !found || map.met(hash) == [1],
        "found, and not met afterwards"
    );
    (met, found)
}

/// Whoever does not find an entry any more does not meet it later either, and sees what was done before it was
/// removed.
pub(super) fn a_bucket_loses_an_entry() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[1]);
    let done = Arc::new(AtomicUsize::new(0));
    let (theirs, before) = (Arc::clone(&map), Arc::clone(&done));
    let reader = thread::spawn(move || {
        let found = theirs.find(1).is_some();
        assert!(
            found || before.load(Ordering::Relaxed) == 1,
            "what was done before the removal"
        );
        let met = !theirs.met(1).is_empty();
        assert!(found || !met, "not found, and met afterwards");
        (found, met)
    });
    done.store(1, Ordering::Relaxed);
    let removed = map.remove(1);
    let (found, met) = reader.join().expect("the reader");
    witness(0, !found);
    witness(1, found && !met);
    free(removed);
    end(domain, map);
}

/// The same of an overflow bucket.
pub(super) fn an_overflow_bucket_loses_an_entry() {
    let domain = Owned::new(ALL_THREADS);
    let full: Vec<u64> = (0..=SLOTS as u64).map(|hash| 4 * hash).collect();
    let map = Map::of(&domain, 4, &full);
    let last = full[SLOTS];
    let theirs = Arc::clone(&map);
    let reader = thread::spawn(move || {
        let found = theirs.find(last).is_some();
        let met = !theirs.met(last).is_empty();
        assert!(found || !met, "not found, and met afterwards");
        found
    });
    let removed = map.remove(last);
    let found = reader.join().expect("the reader");
    witness(0, found);
    witness(1, !found);
    free(removed);
    end(domain, map);
}

/// The same of a bucket of the next table, which the root does not lead to yet.
pub(super) fn an_entry_goes_after_it_was_moved() {
    let domain = Owned::new(ALL_THREADS);
    // The last one has no room in its bucket, so that the map begins to grow: one group is moved.
    let even: Vec<u64> = (0..=SLOTS as u64).map(|hash| 2 * hash).collect();
    let map = here(1, || Map::of(&domain, 2, &even));
    assert_eq!(map.raw.root().buckets(), 2);
    assert!(map.raw.root().bucket_at(0).is_moved());
    let done = Arc::new(AtomicUsize::new(0));
    let (theirs, before) = (Arc::clone(&map), Arc::clone(&done));
    let reader = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        let found = theirs.find(0).is_some();
        assert!(
            found || before.load(Ordering::Relaxed) == 1,
            "what was done before the removal"
        );
        drop(guard);
        found
    });
    let removed = here(1, || {
        done.store(1, Ordering::Relaxed);
        map.remove(0)
    });
    let found = reader.join().expect("the reader");
    witness(0, found);
    witness(1, !found);
    free(removed);
    end(domain, map);
}

/// Of two who replace a key each takes another one's place.
pub(super) fn two_replace_a_key() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[1]);
    let theirs = Arc::clone(&map);
    let other = thread::spawn(move || theirs.replace(1, 1));
    let mine = map.replace(1, 2);
    let other = other.join().expect("the other one");
    // SAFETY: both were unlinked and are not freed yet.
    let replaced = unsafe { (read(mine), read(other)) };
    witness(0, replaced == (0, 2));
    witness(1, replaced == (1, 0));
    free(mine);
    free(other);
    end(domain, map);
}

/// Of two who insert a key one does, and the other one sees what that one has inserted, whole.
pub(super) fn two_insert_a_key() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[]);
    let theirs = Arc::clone(&map);
    let other = thread::spawn(move || theirs.insert(1, 1));
    let mine = map.insert(1, 2);
    let other = other.join().expect("the other one");
    assert!(
        mine != other,
        "inserted {}",
        if mine { "twice" } else { "never" }
    );
    witness(0, mine);
    witness(1, other);
    assert_eq!(map.met(1).len(), 1);
    end(domain, map);
}

/// Two change different keys of a bucket: nothing is lost.
pub(super) fn two_change_a_bucket() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[1]);
    let theirs = Arc::clone(&map);
    let other = thread::spawn(move || {
        let removed = theirs.remove(1);
        // Whoever takes the slot does not see the entry.
        assert_eq!(theirs.find(1), None);
        removed
    });
    assert!(map.insert(1 << 56 | 2, 2));
    assert_eq!(map.find(1 << 56 | 2), Some(2));
    free(other.join().expect("the other one"));
    assert_eq!((map.find(1), map.find(1 << 56 | 2)), (None, Some(2)));
    end(domain, map);
}

/// An entry for which there is no room in its bucket is found in another one, which is whole.
pub(super) fn a_bucket_overflows() {
    let domain = Owned::new(ALL_THREADS);
    let full: Vec<u64> = (0..SLOTS as u64).map(|hash| 2 * hash).collect();
    let map = Map::of(&domain, 2, &full);
    let theirs = Arc::clone(&map);
    let reader = thread::spawn(move || looks(&theirs, 100));
    assert!(map.insert(100, 1));
    let (met, found) = reader.join().expect("the reader");
    witness(0, !met && found);
    witness(1, met);
    witness(2, !found);
    end(domain, map);
}

/// The map moves to a larger table while a key that nobody touches is looked for: it is always found, and met
/// once; and the table that was left is freed after its readers.
pub(super) fn an_untouched_key_is_always_found() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[1]);
    let theirs = Arc::clone(&map);
    let reader = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        assert_eq!(theirs.find(1), Some(0));
        let moved = theirs.raw.root().buckets() == 2;
        let met = theirs.met(1);
        assert_eq!(met, [0], "an untouched entry");
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
    assert_eq!(map.raw.root().buckets(), 2);
    end(domain, map);
}

/// A key is replaced in the new table: whoever has heard of the new value does not find the old one.
pub(super) fn a_key_is_replaced_after_it_was_moved() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[1]);
    let told = Arc::new(AtomicUsize::new(0));
    let (theirs, hears) = (Arc::clone(&map), Arc::clone(&told));
    let reader = on_cpu(0, move || {
        let guard = theirs.domain.read_lock();
        let told = hears.load(Ordering::Acquire) as u32;
        let first = theirs.find(1).expect("a key that is always there");
        assert!(told <= first, "an old value after the news of a new one");
        step();
        let second = theirs.find(1).expect("a key that is always there");
        assert!(first <= second, "an old value after a new one");
        drop(guard);
        (first, second)
    });
    let running = run_on(1);
    map.raw.reserve(5, &*map, map.domain);
    let old = map.replace(1, 1);
    told.store(1, Ordering::Release);
    map.retire(old);
    drop(running);
    let seen = reader.join().expect("the reader");
    witness(0, seen == (0, 1));
    witness(1, seen == (1, 1));
    end(domain, map);
}

/// Two move one group each of a table with two: whoever is led to the new table finds what either has moved.
pub(super) fn two_move_a_table() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 2, &[0, 1]);
    let theirs = Arc::clone(&map);
    let mover = on_cpu(0, move || theirs.raw.reserve(9, &*theirs, theirs.domain));
    let theirs = Arc::clone(&map);
    let reader = thread::spawn(move || {
        let moved = theirs.raw.root().buckets() == 4;
        assert_eq!((theirs.find(0), theirs.find(1)), (Some(0), Some(0)));
        moved
    });
    here(1, || map.raw.reserve(9, &*map, map.domain));
    assert_eq!((map.find(0), map.find(1)), (Some(0), Some(0)));
    mover.join().expect("the mover");
    let moved = reader.join().expect("the reader");
    witness(0, moved);
    witness(1, !moved);
    assert_eq!(map.raw.root().buckets(), 4);
    end(domain, map);
}

/// A key is inserted while its bucket is moved: it is in the table that counts.
pub(super) fn a_key_is_inserted_while_its_bucket_is_moved() {
    let domain = Owned::new(ALL_THREADS);
    let map = Map::of(&domain, 1, &[0]);
    let theirs = Arc::clone(&map);
    let other = on_cpu(0, move || {
        assert!(theirs.insert(1, 1));
        assert_eq!((theirs.find(0), theirs.find(1)), (Some(0), Some(1)));
    });
    here(1, || map.raw.reserve(5, &*map, map.domain));
    other.join().expect("the other one");
    assert_eq!((map.find(0), map.find(1)), (Some(0), Some(1)));
    end(domain, map);
}

/// A thread is lost after any of its stores, as at a fork, in the middle of something: the child finds
/// everything, changes everything, and moves on.
fn lost_in_the_middle(buckets: usize, program: fn(&Map)) {
    lost_after_some(buckets, (0, 1), program);
}

/// The same with a first number of stores, and a step: loom's executions must not be too long.
fn lost_after_some(buckets: usize, (first, step): (usize, usize), program: fn(&Map)) {
    for stores in (first..).step_by(step) {
        let domain = Owned::new(ALL_THREADS);
        let map = Map::of(&domain, buckets, &[0, 1, 3]);
        let running = run_on(1);
        let ended = lost_after(stores, || program(&map));
        collections::fork::fork();
        child_goes_on(&map);
        drop(running);
        drop(domain);
        if ended {
            assert!(stores > 1, "nothing was stored");
            return;
        }
    }
}

pub(super) fn who_moves_to_a_larger_table_is_lost() {
    lost_in_the_middle(1, |map| map.raw.reserve(5, map, map.domain));
}

/// To four buckets, each of which was four.
fn lost_on_the_way_to_a_smaller_table(first: usize) {
    lost_after_some(16, (first, 3), |map| map.raw.shrink_to(1, map, map.domain));
}

pub(super) fn who_moves_to_a_smaller_table_is_lost() {
    lost_on_the_way_to_a_smaller_table(0);
}

pub(super) fn who_moves_to_a_smaller_table_is_lost_a_store_later() {
    lost_on_the_way_to_a_smaller_table(1);
}

pub(super) fn who_moves_to_a_smaller_table_is_lost_two_stores_later() {
    lost_on_the_way_to_a_smaller_table(2);
}

pub(super) fn who_changes_a_key_is_lost() {
    lost_in_the_middle(1, |map| assert!(map.insert(5, 1)));
    lost_in_the_middle(1, |map| _ = map.remove(3));
    lost_in_the_middle(1, |map| _ = map.replace(3, 1));
}

/// What a child does with a map that was left in the middle of something.
fn child_goes_on(map: &Map) {
    let found = |hashes: [u64; 2], number| {
        for hash in hashes {
            assert_eq!(map.find(hash), Some(number), "{hash}");
        }
    };
    found([0, 1], 0);
    for hash in [4, 8] {
        assert!(map.insert(hash, 1));
        assert_eq!(map.find(hash), Some(1));
    }
    found([0, 1], 0);
    map.raw.reserve(9, map, map.domain);
    found([0, 1], 0);
    found([4, 8], 1);
    for hash in [0, 1, 4, 8] {
        assert_eq!(map.met(hash).len(), 1, "{hash}");
    }
    assert!(map.met(3).len() <= 1 && map.met(5).len() <= 1);
    assert_eq!(map.find(5).is_some(), !map.met(5).is_empty());
    map.remove(4);
    map.replace(0, 2);
    assert_eq!((map.find(4), map.met(4)), (None, vec![]));
    assert_eq!((map.find(0), map.met(0)), (Some(2), vec![2]));
}
