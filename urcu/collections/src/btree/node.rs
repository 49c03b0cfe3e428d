//! Nodes.

use core::ptr::NonNull;

use urcu::Domain;

use super::order::digest;
use crate::reclaim;
use crate::sync::{Alive, NODE_ITEMS};

/// The greatest number of children or entries of a node.
pub(super) const MOST: usize = NODE_ITEMS;
/// A node that has fewer is joined with one beside it, if there is one.
pub(super) const LEAST: usize = MOST / 4;

/// An entry. Nothing of it changes while it is published.
#[derive(Debug)]
pub(super) struct Pair<K, V> {
    pub(super) key: K,
    pub(super) value: V,
}

/// A leaf, and the beginning of every other node. Nothing of it changes once it is published.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node<K, V> {
    /// 0: a leaf.
    pub(super) height: u32,
    pub(super) len: u32,
    alive: Alive,
    /// Digests of the keys, or zeroes; and then the greatest number, which no search goes past.
    pub(super) digests: [u64; MOST],
    /// The entries; or the least below each child.
    pub(super) pairs: [*mut Pair<K, V>; MOST],
}

/// A node that is not a leaf.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Inner<K, V> {
    pub(super) node: Node<K, V>,
    pub(super) children: [*mut Node<K, V>; MOST],
}

/// An entry, or a child with its least entry.
#[derive(Debug)]
pub(super) struct Item<K, V> {
    pub(super) digest: u64,
    pub(super) pair: NonNull<Pair<K, V>>,
    /// Null in leaves.
    pub(super) child: *mut Node<K, V>,
}

impl<K, V> Clone for Item<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Item<K, V> {}

impl<K, V> Item<K, V> {
    /// # Safety
    /// The entry is alive.
    pub(super) unsafe fn entry(pair: NonNull<Pair<K, V>>) -> Self {
        // SAFETY: alive.
        let key = unsafe { &pair.as_ref().key };
        Item {
            digest: digest(key).map_or(0, super::order::Digest::bits),
            pair,
            child: core::ptr::null_mut(),
        }
    }
}

impl<K, V> Node<K, V> {
    pub(super) fn len(&self) -> usize {
        self.alive.check();
        self.len as usize
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.height == 0
    }

    /// Returns an entry of a leaf, or the least below a child.
    pub(super) fn pair(&self, index: usize) -> NonNull<Pair<K, V>> {
        debug_assert!(index < self.len());
        NonNull::new(self.pairs[index]).expect("as many as there are")
    }

    /// Returns a child, or null of a leaf.
    ///
    /// # Safety
    /// `this` is alive.
    pub(super) unsafe fn child(this: NonNull<Self>, index: usize) -> *mut Node<K, V> {
        // SAFETY: alive; a node with a height is an `Inner`.
        unsafe {
            if this.as_ref().is_leaf() {
                core::ptr::null_mut()
            } else {
                this.cast::<Inner<K, V>>().as_ref().children[index]
            }
        }
    }

    /// Returns what is in a node.
    ///
    /// # Safety
    /// `this` is alive.
    pub(super) unsafe fn items(this: NonNull<Self>) -> impl Iterator<Item = Item<K, V>> {
        // SAFETY: alive.
        let len = unsafe { this.as_ref() }.len();
        (0..len).map(move |index| {
            // SAFETY: alive, and there are so many.
            unsafe {
                Item {
                    digest: this.as_ref().digests[index],
                    pair: this.as_ref().pair(index),
                    child: Node::child(this, index),
                }
            }
        })
    }

    /// Makes a node.
    pub(super) fn make(height: u32, items: &[Item<K, V>]) -> NonNull<Node<K, V>> {
        let mut node = Node {
            height,
            len: items.len() as u32,
            alive: Alive::new(),
            digests: [u64::MAX; MOST],
            pairs: [core::ptr::null_mut(); MOST],
        };
        for (index, item) in items.iter().enumerate() {
            node.digests[index] = item.digest;
            node.pairs[index] = item.pair.as_ptr();
        }
        if height == 0 {
            return NonNull::from(Box::leak(Box::new(node)));
        }
        let mut children = [core::ptr::null_mut(); MOST];
        for (place, item) in children.iter_mut().zip(items) {
            *place = item.child;
        }
        NonNull::from(Box::leak(Box::new(Inner { node, children }))).cast()
    }

    /// Frees a node, but nothing that it leads to.
    ///
    /// # Safety
    /// From `make`; nobody uses it any more.
    pub(super) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: a box of the type that the height tells.
        unsafe {
            if this.as_ref().is_leaf() {
                reclaim::free_memory(this);
            } else {
                reclaim::free_memory(this.cast::<Inner<K, V>>());
            }
        }
    }

    /// Frees a node after a grace period, but nothing that it leads to.
    ///
    /// # Safety
    /// From `make`; only those find it who have loaded a root that leads to it, in their sections.
    pub(super) unsafe fn retire(this: NonNull<Self>, domain: &Domain) {
        // SAFETY: a box of the type that the height tells, without a destructor.
        unsafe {
            if this.as_ref().is_leaf() {
                reclaim::retire_memory(domain, this);
            } else {
                reclaim::retire_memory(domain, this.cast::<Inner<K, V>>());
            }
        }
    }
}
