//! What the untyped map needs to know of its entries: how to hash them again, and how to free them.

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::bucket::Node;
use super::map::HashMap;
use super::pair::Pair;
use super::plain::{kind, rehash};
use super::raw::{Exclusive, Hashes, RawMap};

impl<K, V, S, D> Hashes for HashMap<K, V, S, D> {
    fn hash_of(&self, node: NonNull<Node>) -> u64 {
        if kind::<K, V, S>().is_inline() {
            // SAFETY: the node is a pair of these types, found in a section or under a lock.
            rehash(&self.hasher, unsafe { Pair::<K, V>::of(node) }.key)
        } else {
            // SAFETY: the node is an entry, which begins with its hash.
            unsafe { node.as_ref() }.hash
        }
    }
}

impl<K, V, S, D> Drop for HashMap<K, V, S, D> {
    fn drop(&mut self) {
        /// Drops the rest even if a destructor panics. A second panic aborts, as everywhere.
        struct Rest<'a, K, V, I: Iterator<Item = NonNull<Node>>>(&'a mut I, PhantomData<(K, V)>);
        impl<K, V, I: Iterator<Item = NonNull<Node>>> Drop for Rest<'_, K, V, I> {
            fn drop(&mut self) {
                for node in self.0.by_ref() {
                    // SAFETY: each node is an entry of these types and is met once; nobody else uses the map.
                    unsafe { Pair::<K, V>::free(node.cast()) };
                }
            }
        }
        /// Frees the tables, even if a destructor panics.
        struct Tables<'a>(&'a mut RawMap);
        impl Drop for Tables<'_> {
            fn drop(&mut self) {
                // SAFETY: the map is being dropped.
                unsafe { Exclusive::new(self.0).free_tables() };
            }
        }
        let tables = Tables(&mut self.raw);
        if kind::<K, V, S>().is_inline() {
            // Pairs in buckets have no destructors, and are freed with the tables.
            return;
        }
        let mut nodes = Exclusive::new(tables.0).nodes();
        let rest = Rest::<K, V, _>(&mut nodes, PhantomData);
        for node in rest.0.by_ref() {
            // SAFETY: each node is an entry of these types and is met once; nobody else uses the map.
            unsafe { Pair::<K, V>::free(node.cast()) };
        }
    }
}
