//! Finding a key in a node, and the path to it through the tree.

use core::borrow::Borrow;
use core::cmp::Ordering;
use core::marker::PhantomData;
use core::ptr::NonNull;

use arrayvec::ArrayVec;

use super::node::{HIGHEST, Inner, Kind, Leaf, Node, Pair};
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

    /// Returns how many of some keys are less than this one, and whether the next one is equal, by comparing some of
    /// them. The keys before `from` are known to be less, and those from `to` on to be greater. The result lies
    /// between the two, however the user's comparisons answer.
    ///
    /// # Safety
    /// The entries are alive.
    unsafe fn compare<V>(
        &self,
        pair: impl Fn(usize) -> NonNull<Pair<K, V>>,
        mut from: usize,
        mut to: usize,
    ) -> (usize, bool) {
        // The keys on both sides of the result were compared last, or not at all.
        let mut is_equal = false;
        while from < to {
            let middle = from + (to - from) / 2;
            // SAFETY: the entries are alive, as the caller promises.
            match unsafe { &pair(middle).as_ref().key }.borrow().cmp(self.key) {
                Ordering::Less => from = middle + 1,
                order => {
                    to = middle;
                    is_equal = order.is_eq();
                }
            }
        }
        (from, is_equal)
    }
}

/// A key or a place for which a search descends the tree.
pub(super) trait Locate<K> {
    /// Returns how many keys of a leaf come before this one, and whether the next key is equal to it.
    ///
    /// # Safety
    /// The leaf's entries are alive.
    unsafe fn entry<V>(&self, leaf: &Leaf<K, V>) -> (usize, bool);

    /// Returns the child in which the key belongs.
    ///
    /// # Safety
    /// The entries of the node's separators are alive.
    unsafe fn child<V>(&self, inner: &Inner<K, V>) -> usize;

    /// Returns the entry.
    ///
    /// # Safety
    /// The tree is alive.
    #[inline]
    unsafe fn find<V>(&self, root: *mut Node<K, V>) -> Option<NonNull<Pair<K, V>>> {
        let mut node = NonNull::new(root)?;
        loop {
            // SAFETY: the tree is alive, and so are its nodes and entries.
            unsafe {
                match Node::kind(node) {
                    Kind::Inner(inner) => node = NonNull::new(inner.child(self.child(inner)))?,
                    Kind::Leaf(leaf) => {
                        let (index, is_equal) = self.entry(leaf);
                        return is_equal.then(|| leaf.pair(index));
                    }
                }
            }
        }
    }
}

/// The least entry.
pub(super) struct First;

impl<K> Locate<K> for First {
    unsafe fn entry<V>(&self, leaf: &Leaf<K, V>) -> (usize, bool) {
        (0, leaf.node.len() > 0)
    }

    unsafe fn child<V>(&self, _: &Inner<K, V>) -> usize {
        0
    }
}

/// The greatest entry.
pub(super) struct Last;

impl<K> Locate<K> for Last {
    unsafe fn entry<V>(&self, leaf: &Leaf<K, V>) -> (usize, bool) {
        (leaf.node.len().saturating_sub(1), leaf.node.len() > 0)
    }

    unsafe fn child<V>(&self, inner: &Inner<K, V>) -> usize {
        inner.node.len() - 1
    }
}

impl<K: Borrow<Q>, Q: Ord + ?Sized> Locate<K> for Wanted<'_, K, Q> {
    #[inline]
    unsafe fn entry<V>(&self, leaf: &Leaf<K, V>) -> (usize, bool) {
        let len = leaf.node.len();
        let pair = |index| leaf.pair(index);
        match self.digest {
            Some(Digest::Exact(digest)) => {
                let less = count_less(&leaf.digests, digest).min(len);
                (less, less < len && leaf.digests[less] == digest)
            }
            Some(Digest::Prefix(digest)) => {
                let less = count_less(&leaf.digests, digest).min(len);
                let to = less + count_equal(&leaf.digests[less..len], digest);
                // SAFETY: the entries are alive, as the caller promises.
                unsafe { self.compare(pair, less, to) }
            }
            // SAFETY: the entries are alive, as the caller promises.
            None => unsafe { self.compare(pair, 0, len) },
        }
    }

    #[inline]
    unsafe fn child<V>(&self, inner: &Inner<K, V>) -> usize {
        let len = inner.node.len();
        let separator = |index| inner.separator(index);
        // The first separator is less than all keys.
        let (less, is_equal) = match self.digest {
            Some(Digest::Exact(digest)) => {
                let less = count_less(&inner.digests, digest).clamp(1, len);
                (less, less < len && inner.digests[less] == digest)
            }
            Some(Digest::Prefix(digest)) => {
                let less = count_less(&inner.digests, digest).clamp(1, len);
                let to = less + count_equal(&inner.digests[less..len], digest);
                // SAFETY: the entries are alive, as the caller promises.
                unsafe { self.compare(separator, less, to) }
            }
            // SAFETY: the entries are alive, as the caller promises.
            None => unsafe { self.compare(separator, 1, len) },
        };
        if is_equal { less } else { less - 1 }
    }
}

/// The way from the root to a leaf, and the place in it. Exists only as long as the tree does.
pub(super) struct Path<K, V> {
    /// The inner nodes, and the index of the child in each.
    above: ArrayVec<(NonNull<Inner<K, V>>, usize), HIGHEST>,
    /// The leaf. `None`: the tree is empty.
    pub(super) leaf: Option<NonNull<Leaf<K, V>>>,
    /// The number of entries of the leaf that come before the one looked for.
    pub(super) index: usize,
    /// The entry, if it is there.
    pub(super) found: Option<NonNull<Pair<K, V>>>,
}

impl<K, V> Path<K, V> {
    /// Returns the path in an empty tree.
    pub(super) fn new() -> Self {
        Path {
            above: ArrayVec::new(),
            leaf: None,
            index: 0,
            found: None,
        }
    }

    /// Searches a tree. Returns the entry, if it is there.
    ///
    /// # Safety
    /// The tree lives as long as this has the path in it.
    #[inline]
    pub(super) unsafe fn find(
        &mut self,
        root: *mut Node<K, V>,
        place: &impl Locate<K>,
    ) -> Option<NonNull<Pair<K, V>>> {
        self.above.clear();
        (self.leaf, self.index, self.found) = (None, 0, None);
        let mut node = NonNull::new(root)?;
        loop {
            // SAFETY: the tree is alive, and so are its nodes and entries.
            unsafe {
                match Node::kind(node) {
                    Kind::Inner(inner) => {
                        let index = place.child(inner);
                        self.above.push((node.cast(), index));
                        node = NonNull::new(inner.child(index)).expect("as many as there are");
                    }
                    Kind::Leaf(leaf) => {
                        let (index, is_equal) = place.entry(leaf);
                        (self.leaf, self.index) = (Some(node.cast()), index);
                        self.found = is_equal.then(|| leaf.pair(index));
                        return self.found;
                    }
                }
            }
        }
    }

    /// Returns the inner nodes, from the leaf's parent to the root, and the index of the child in each.
    pub(super) fn above(&self) -> impl Iterator<Item = (NonNull<Inner<K, V>>, usize)> {
        self.above.iter().rev().copied()
    }

    /// Returns the leaf's parent, and the leaf's index in it.
    pub(super) fn parent(&self) -> Option<(&Inner<K, V>, usize)> {
        // SAFETY: the tree is alive, as `find` requires.
        let inner = |node: &NonNull<Inner<K, V>>| unsafe { node.as_ref() };
        self.above.last().map(|(node, index)| (inner(node), *index))
    }

    /// Returns the entry whose key is the separator before the leaf, if there is one.
    pub(super) fn separator(&self) -> Option<NonNull<Pair<K, V>>> {
        let (node, index) = self.above().find(|(_, index)| *index > 0)?;
        // SAFETY: the tree is alive, as `find` requires.
        Some(unsafe { node.as_ref() }.separator(index))
    }
}

/// Returns how many of some sorted numbers are less than another. Has no branches, because the processor could not
/// predict them.
#[inline(always)]
fn count_less<const N: usize>(numbers: &[u64; N], than: u64) -> usize {
    const { assert!(N.is_power_of_two()) };
    let mut less = 0;
    let mut half = N / 2;
    while half > 0 {
        less += half * usize::from(numbers[less + half - 1] < than);
        half /= 2;
    }
    less + usize::from(numbers[less] < than)
}

/// Returns how many of some numbers, from the first on, are equal to another.
fn count_equal(numbers: &[u64], to: u64) -> usize {
    let same = numbers.iter().take_while(|number| **number == to);
    same.count()
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
