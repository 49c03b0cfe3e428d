//! Finding a key in a node, and the path to it through the tree.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::node::{MOST, Node, Pair};
use super::order::{Digest, digest};

/// A key that is looked for.
pub(super) struct Wanted<'q, K, Q: ?Sized> {
    key: &'q Q,
    /// The key's digest, if nodes have digests of keys of this type.
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

    /// Returns what `position` does, by comparing some of a node's keys. The keys before them are known to be less,
    /// and those behind them to be greater.
    ///
    /// # Safety
    /// The node's entries are alive.
    unsafe fn compare<V>(
        &self,
        node: &Node<K, V>,
        mut from: usize,
        mut to: usize,
    ) -> (usize, bool) {
        let mut is_equal = false;
        while from < to {
            let middle = from + (to - from) / 2;
            // SAFETY: the node and its entries are alive, as the caller promises.
            let pair: &Pair<K, V> = unsafe { node.pair(middle).as_ref() };
            match pair.key.borrow().cmp(self.key) {
                Ordering::Less => from = middle + 1,
                order => {
                    to = middle;
                    is_equal |= order.is_eq();
                }
            }
        }
        // If `Ord` is consistent, a key that was found equal is at `from`.
        (from, is_equal && from < node.len())
    }
}

/// A key or a place for which a search descends the tree.
pub(super) trait Locate<K> {
    /// Returns how many keys of a node come before this one, and whether the next key is equal to it.
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
        // SAFETY: the node and its entries are alive, as the caller promises.
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
        // SAFETY: the tree is alive, and so are its nodes.
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
        let len = node.len();
        match self.digest {
            Some(Digest::Exact(digest)) => {
                let less = count_less(&node.digests, digest).min(len);
                (less, less < len && node.digests[less] == digest)
            }
            Some(Digest::Prefix(digest)) => {
                let less = count_less(&node.digests, digest).min(len);
                let same = node.digests[less..len].iter();
                let same = same.take_while(|other| **other == digest).count();
                // SAFETY: the node and its entries are alive, as the caller promises.
                unsafe { self.compare(node, less, less + same) }
            }
            // SAFETY: the node and its entries are alive, as the caller promises.
            None => unsafe { self.compare(node, 0, len) },
        }
    }
}

/// Returns how many of some sorted numbers are less than another. Has no branches, because the processor could not
/// predict them.
#[inline(always)]
fn count_less(numbers: &[u64; MOST], than: u64) -> usize {
    let mut less = 0;
    let mut half = MOST / 2;
    while half > 0 {
        less += half * usize::from(numbers[less + half - 1] < than);
        half /= 2;
    }
    less + usize::from(numbers[less] < than)
}

/// Returns whether keys of both types have digests that can be compared.
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
