//! Nodes.

use core::ptr::NonNull;

use urcu::Domain;

use super::order::digest;
use crate::reclaim;
use crate::sync::{Alive, NODE_ITEMS};

/// The greatest number of children or entries of a node.
pub(super) const MOST: usize = NODE_ITEMS;
/// A node with fewer items is joined with a sibling, if it has one.
pub(super) const LEAST: usize = MOST / 4;

/// An entry. It does not change while it is published.
#[derive(Debug)]
pub(super) struct Pair<K, V> {
    pub(super) key: K,
    pub(super) value: V,
}

/// A leaf, and the beginning of every other node. A node does not change once it is published.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node<K, V> {
    /// The height above the leaves; 0 for a leaf.
    pub(super) height: u32,
    pub(super) len: u32,
    alive: Alive,
    /// Digests of the keys, or zeroes. Unused places hold the greatest number, where every search ends.
    pub(super) digests: [u64; MOST],
    /// The entries of a leaf, or the least entry below each child.
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
    /// Null for an entry of a leaf.
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
        // SAFETY: it is alive, as the caller promises.
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

    /// Returns an entry of a leaf, or the least entry below a child.
    pub(super) fn pair(&self, index: usize) -> NonNull<Pair<K, V>> {
        debug_assert!(index < self.len());
        NonNull::new(self.pairs[index]).expect("as many as there are")
    }

    /// Returns a child, or null if this is a leaf.
    ///
    /// # Safety
    /// `this` is alive.
    pub(super) unsafe fn child(this: NonNull<Self>, index: usize) -> *mut Node<K, V> {
        // SAFETY: the node is alive. A node whose height is not 0 is an `Inner`.
        unsafe {
            if this.as_ref().is_leaf() {
                core::ptr::null_mut()
            } else {
                this.cast::<Inner<K, V>>().as_ref().children[index]
            }
        }
    }

    /// Returns the items of a node.
    ///
    /// # Safety
    /// `this` is alive.
    pub(super) unsafe fn items(this: NonNull<Self>) -> impl Iterator<Item = Item<K, V>> {
        // SAFETY: it is alive, as the caller promises.
        let len = unsafe { this.as_ref() }.len();
        (0..len).map(move |index| {
            // SAFETY: the node is alive, and has `len` items.
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

    /// Frees a node, but neither its children nor its entries.
    ///
    /// # Safety
    /// The node is from `make`, and nobody uses it any more.
    pub(super) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: the node is from a box, of the type that its height tells.
        unsafe {
            if this.as_ref().is_leaf() {
                reclaim::free_memory(this);
            } else {
                reclaim::free_memory(this.cast::<Inner<K, V>>());
            }
        }
    }

    /// Frees a node after a grace period, but neither its children nor its entries.
    ///
    /// # Safety
    /// The node is from `make`. Only threads that have loaded a root above it, inside sections that are open, still
    /// find it.
    pub(super) unsafe fn retire(this: NonNull<Self>, domain: &Domain) {
        // SAFETY: the node is from a box, of the type that its height tells, and has no destructor.
        unsafe {
            if this.as_ref().is_leaf() {
                reclaim::retire_memory(domain, this);
            } else {
                reclaim::retire_memory(domain, this.cast::<Inner<K, V>>());
            }
        }
    }
}
