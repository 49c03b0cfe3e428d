use crossbeam_epoch::{self as epoch, Atomic, Guard, Owned, Shared};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Harris's and Michael's sorted list: a node whose `next` has the tag `REMOVED` is not in it any more.
pub struct List<K, V> {
    head: Atomic<Node<K, V>>,
}

struct Node<K, V> {
    key: K,
    value: V,
    next: Atomic<Node<K, V>>,
}

const REMOVED: usize = 1;

/// A link, and the node that it leads to.
type Place<'g, K, V> = (&'g Atomic<Node<K, V>>, Shared<'g, Node<K, V>>);

impl<K: Ord + Send + Sync + 'static, V: Send + Sync + 'static> List<K, V> {
    pub const fn new() -> Self {
        List {
            head: Atomic::null(),
        }
    }

    /// The place of the first node whose key is `key` or greater. Unlinks what was removed on the way.
    fn find<'g>(&'g self, key: &K, guard: &'g Guard) -> Place<'g, K, V> {
        'anew: loop {
            let mut link = &self.head;
            let mut seen = link.load(Acquire, guard);
            // SAFETY: reachable while the guard's thread is pinned.
            while let Some(node) = unsafe { seen.as_ref() } {
                let next = node.next.load(Acquire, guard);
                if next.tag() == REMOVED {
                    let next = next.with_tag(0);
                    if link
                        .compare_exchange(seen, next, AcqRel, Relaxed, guard)
                        .is_err()
                    {
                        continue 'anew;
                    }
                    // SAFETY: unlinked by us alone.
                    unsafe { guard.defer_destroy(seen) };
                    seen = next;
                } else if node.key >= *key {
                    break;
                } else {
                    (link, seen) = (&node.next, next);
                }
            }
            return (link, seen);
        }
    }

    /// The value of a key, as long as the guard lives.
    pub fn get<'g>(&'g self, key: &K, guard: &'g Guard) -> Option<&'g V> {
        // SAFETY: reachable while the guard's thread is pinned.
        let node = unsafe { self.find(key, guard).1.as_ref() }?;
        (node.key == *key).then_some(&node.value)
    }

    /// Inserts the value, and returns true, if the key was not there.
    pub fn insert(&self, key: K, value: V) -> bool {
        let guard = epoch::pin();
        let mut new = Owned::new(Node {
            key,
            value,
            next: Atomic::null(),
        });
        loop {
            let (link, seen) = self.find(&new.key, &guard);
            // SAFETY: null, or reachable while the guard's thread is pinned.
            if unsafe { seen.as_ref() }.is_some_and(|node| node.key == new.key) {
                return false;
            }
            new.next = Atomic::from(seen);
            match link.compare_exchange(seen, new, Release, Relaxed, &guard) {
                Ok(_) => return true,
                Err(error) => new = error.new,
            }
        }
    }

    /// Removes the key. Returns whether it was there.
    pub fn remove(&self, key: &K) -> bool {
        let guard = epoch::pin();
        loop {
            let (link, seen) = self.find(key, &guard);
            // SAFETY: null, or reachable while the guard's thread is pinned.
            let Some(node) = unsafe { seen.as_ref() }.filter(|node| node.key == *key) else {
                return false;
            };
            let next = node.next.fetch_or(REMOVED, AcqRel, &guard);
            if next.tag() == REMOVED {
                continue; // By another one.
            }
            if link
                .compare_exchange(seen, next, AcqRel, Relaxed, &guard)
                .is_ok()
            {
                // SAFETY: unlinked by us alone.
                unsafe { guard.defer_destroy(seen) };
            }
            return true;
        }
    }
}

impl<K, V> Drop for List<K, V> {
    fn drop(&mut self) {
        let mut link = std::mem::take(&mut self.head);
        // SAFETY: nobody else has the nodes, and each is reached by one link.
        while let Some(node) = unsafe { link.try_into_owned() } {
            link = node.into_box().next;
        }
    }
}

/// A hash map of a fixed number of lists.
pub struct Map<K, V> {
    buckets: Box<[List<K, V>]>,
    hasher: RandomState,
}

impl<K: Hash + Ord + Send + Sync + 'static, V: Send + Sync + 'static> Map<K, V> {
    pub fn new(buckets: usize) -> Self {
        let buckets = (0..buckets).map(|_| List::new()).collect();
        Map {
            buckets,
            hasher: RandomState::new(),
        }
    }

    fn bucket(&self, key: &K) -> &List<K, V> {
        &self.buckets[self.hasher.hash_one(key) as usize % self.buckets.len()]
    }

    /// The value of a key, as long as the guard lives.
    pub fn get<'g>(&'g self, key: &K, guard: &'g Guard) -> Option<&'g V> {
        self.bucket(key).get(key, guard)
    }

    /// Inserts the value, and returns true, if the key was not there.
    pub fn insert(&self, key: K, value: V) -> bool {
        self.bucket(&key).insert(key, value)
    }

    /// Removes the key. Returns whether it was there.
    pub fn remove(&self, key: &K) -> bool {
        self.bucket(key).remove(key)
    }
}
