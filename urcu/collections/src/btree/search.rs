//! Finding a key in a node, and its way through the tree.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::node::{Node, Pair};
use super::order::{Digest, digest};

/// A key that is looked for.
pub(super) struct Wanted<'q, K, Q: ?Sized> {
    key: &'q Q,
    /// If the nodes have digests of such keys.
    digest: Option<Digest>,
    keys: PhantomData<fn(&K)>,
}

impl<'q, K: Borrow<Q>, Q: Ord + ?Sized> Wanted<'q, K, Q> {
    #[inline(always)]
    pub(super) fn new(key: &'q Q) -> Self {
        Wanted {
            key,
            digest: if has_same_digests::<K, Q>() {
                digest(key)
            } else {
                None
            },
            keys: PhantomData,
        }
    }

    /// Compares a key of a node with this one.
    ///
    /// # Safety
    /// The node and its entries are alive.
    #[inline(always)]
    unsafe fn compare<V>(&self, node: &Node<K, V>, index: usize) -> Ordering {
        if let Some(digest) = self.digest {
            let order = node.digests[index].cmp(&digest.bits());
            if order.is_ne() || matches!(digest, Digest::Exact(_)) {
                return order;
            }
        }
        // SAFETY: alive.
        let pair: &Pair<K, V> = unsafe { node.pair(index).as_ref() };
        pair.key.borrow().cmp(self.key)
    }
}

/// The way to an entry.
pub(super) trait Locate<K> {
    /// Returns the number of keys of a node that come before; and whether the next one is the one.
    ///
    /// # Safety
    /// The node and its entries are alive.
    unsafe fn position<V>(&self, node: &Node<K, V>) -> (usize, bool);

    /// Returns the child in which the key belongs.
    ///
    /// # Safety
    /// The node and its entries are alive.
    #[inline]
    unsafe fn child<V>(&self, node: &Node<K, V>) -> usize {
        // SAFETY: alive.
        let (less, is_equal) = unsafe { self.position(node) };
        if is_equal {
            less
        } else {
            less.saturating_sub(1)
        }
    }

    /// Returns the entry.
    ///
    /// # Safety
    /// The tree is alive.
    #[inline]
    unsafe fn find<V>(&self, root: *mut Node<K, V>) -> Option<NonNull<Pair<K, V>>> {
        let mut node = NonNull::new(root)?;
        // SAFETY: alive, and so are the children.
        unsafe {
            while !node.as_ref().is_leaf() {
                let child = Node::child(node, self.child(node.as_ref()));
                node = NonNull::new(child)?;
            }
            let (index, is_equal) = self.position(node.as_ref());
            is_equal.then(|| node.as_ref().pair(index))
        }
    }
}

/// The least entry.
pub(super) struct First;

impl<K> Locate<K> for First {
    unsafe fn position<V>(&self, node: &Node<K, V>) -> (usize, bool) {
        (0, node.len() > 0)
    }
}

/// The greatest entry.
pub(super) struct Last;

impl<K> Locate<K> for Last {
    unsafe fn position<V>(&self, node: &Node<K, V>) -> (usize, bool) {
        (node.len().saturating_sub(1), node.len() > 0)
    }
}

impl<K: Borrow<Q>, Q: Ord + ?Sized> Locate<K> for Wanted<'_, K, Q> {
    #[inline]
    unsafe fn position<V>(&self, node: &Node<K, V>) -> (usize, bool) {
        let (mut from, mut to) = (0, node.len());
        let mut is_equal = false;
        while from < to {
            let middle = from + (to - from) / 2;
            // SAFETY: alive.
            match unsafe { self.compare(node, middle) } {
                Ordering::Less => from = middle + 1,
                order => {
                    to = middle;
                    is_equal |= order.is_eq();
                }
            }
        }
        // A key that was found equal is the last one that was compared and not less, if the order is one.
        (from, is_equal && from < node.len())
    }
}

/// Whether keys of both types have digests of one kind.
#[inline(always)]
fn has_same_digests<K, Q: ?Sized>() -> bool {
    let (k, q) = (typeid::of::<K>(), typeid::of::<Q>());
    let texts = [
        typeid::of::<String>(),
        typeid::of::<Box<str>>(),
        typeid::of::<&str>(),
    ];
    let bytes = [typeid::of::<Vec<u8>>(), typeid::of::<Box<[u8]>>()];
    k == q
        || texts.contains(&k) && q == typeid::of::<str>()
        || bytes.contains(&k) && q == typeid::of::<[u8]>()
}
