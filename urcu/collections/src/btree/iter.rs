//! Ranges.

use core::borrow::Borrow;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::Bound;
use core::ptr::NonNull;

use super::node::{Node, Pair};
use super::search::{Locate, Wanted};

/// The greatest height of a tree: all nodes but the root have at least eight entries.
const HIGHEST: usize = 24;

/// A place in a tree: the nodes from the root to a leaf, and an index into each.
struct Cursor<K, V> {
    way: [(*mut Node<K, V>, usize); HIGHEST],
    depth: usize,
}

impl<K, V> Clone for Cursor<K, V> {
    fn clone(&self) -> Self {
        Cursor { ..*self }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

impl<K, V> Cursor<K, V> {
    fn new() -> Self {
        Cursor {
            way: [(core::ptr::null_mut(), 0); HIGHEST],
            depth: 0,
        }
    }

    fn leaf(&self) -> (*mut Node<K, V>, usize) {
        self.way[self.depth - 1]
    }

    fn push(&mut self, node: *mut Node<K, V>, index: usize) {
        self.way[self.depth] = (node, index);
        self.depth += 1;
    }

    /// Descends to the first or the last entry below a node.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn descend(&mut self, mut node: *mut Node<K, V>, end: End) {
        while let Some(here) = NonNull::new(node) {
            // SAFETY: the tree is alive, as `# Safety` says.
            unsafe {
                let index = match end {
                    End::First => 0,
                    End::Last => here.as_ref().len() - 1,
                };
                self.push(node, index);
                node = Node::child(here, index);
            }
        }
    }

    /// Returns the entry.
    ///
    /// # Safety
    /// The tree is alive, and the cursor is on an entry of a leaf.
    #[inline]
    unsafe fn pair(&self) -> NonNull<Pair<K, V>> {
        let (node, index) = self.leaf();
        // SAFETY: the tree is alive, as `# Safety` says.
        unsafe { (*node).pair(index) }
    }

    /// Moves to the next or the previous entry. Returns false if there is none.
    ///
    /// # Safety
    /// The tree is alive.
    #[inline]
    unsafe fn step(&mut self, to: End) -> bool {
        // The end at which a walk in that direction enters the next node.
        let from = if to == End::Last {
            End::First
        } else {
            End::Last
        };
        while self.depth > 0 {
            let (node, index) = self.way[self.depth - 1];
            // SAFETY: the tree is alive, as `# Safety` says.
            let len = unsafe { (*node).len() };
            let next = if to == End::Last {
                Some(index + 1).filter(|&next| next < len)
            } else {
                index.checked_sub(1)
            };
            if let Some(next) = next {
                self.way[self.depth - 1].1 = next;
                // SAFETY: the tree is alive, as `# Safety` says.
                unsafe {
                    let child = Node::child(NonNull::new_unchecked(node), next);
                    self.descend(child, from);
                }
                return true;
            }
            self.depth -= 1;
        }
        false
    }

    /// Moves to the first entry that is not before a bound, or to the last one that is not behind it. Returns false
    /// if there is none.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn seek<Q>(&mut self, root: *mut Node<K, V>, bound: Bound<&Q>, end: End) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let (key, is_included) = match bound {
            Bound::Included(key) => (key, true),
            Bound::Excluded(key) => (key, false),
            Bound::Unbounded => {
                // SAFETY: the tree is alive, as `# Safety` says.
                unsafe { self.descend(root, end) };
                return self.depth > 0;
            }
        };
        let wanted = Wanted::<K, Q>::new(key);
        let mut node = root;
        while let Some(here) = NonNull::new(node) {
            // SAFETY: the tree is alive, as `# Safety` says.
            unsafe {
                if here.as_ref().is_leaf() {
                    let (less, is_equal) = wanted.position(here.as_ref());
                    self.push(node, less);
                    return self.settle(here.as_ref().len(), is_equal, is_included, end);
                }
                let index = wanted.child(here.as_ref());
                self.push(node, index);
                node = Node::child(here, index);
            }
        }
        false
    }

    /// Moves to the entry that `seek` looks for, from the leaf's first entry that is not less than the key, or from
    /// behind its last one.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn settle(&mut self, len: usize, is_equal: bool, is_included: bool, end: End) -> bool {
        let index = self.leaf().1;
        // SAFETY: the tree is alive, as `# Safety` says.
        unsafe {
            match end {
                End::First if is_equal && !is_included => self.step(End::Last),
                End::First if index == len => {
                    self.way[self.depth - 1].1 = len - 1;
                    self.step(End::Last)
                }
                End::First => true,
                End::Last if is_equal && is_included => true,
                End::Last => self.step(End::First),
            }
        }
    }
}

/// An iterator over some entries of a [`BTreeMap`](crate::BTreeMap), in order, from both ends.
///
/// It sees the map as it was when the iterator was made, whatever other threads do meanwhile. It can be sent to
/// other threads if keys and values are `Sync`. Forgetting it leaks nothing.
pub struct Range<'g, K, V> {
    front: Cursor<K, V>,
    back: Cursor<K, V>,
    is_over: bool,
    pairs: PhantomData<&'g Pair<K, V>>,
}

// SAFETY: the iterator only gives shared references to keys and values.
unsafe impl<K: Sync, V: Sync> Send for Range<'_, K, V> {}
// SAFETY: the iterator only gives shared references to keys and values.
unsafe impl<K: Sync, V: Sync> Sync for Range<'_, K, V> {}

impl<'g, K, V> Range<'g, K, V> {
    /// # Safety
    /// The tree lives as long as `'g`.
    ///
    /// # Panics
    /// Panics if the bounds are not in order.
    #[track_caller]
    pub(super) unsafe fn new<Q>(root: *mut Node<K, V>, lower: Bound<&Q>, upper: Bound<&Q>) -> Self
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        use Bound::{Excluded, Included};
        match (lower, upper) {
            (Excluded(lower), Excluded(upper)) if lower == upper => {
                panic!("the range of a BTreeMap begins and ends at the same excluded bound")
            }
            (Included(lower) | Excluded(lower), Included(upper) | Excluded(upper))
                if lower > upper =>
            {
                panic!("the range of a BTreeMap ends before it begins")
            }
            _ => {}
        }
        let (mut front, mut back) = (Cursor::new(), Cursor::new());
        // SAFETY: the tree is alive, as `# Safety` says.
        let is_over = unsafe {
            !front.seek(root, lower, End::First)
                || !back.seek(root, upper, End::Last)
                || front.leaf() != back.leaf() && is_past(&front, upper)
        };
        Range {
            front,
            back,
            is_over,
            pairs: PhantomData,
        }
    }

    #[inline]
    fn take(&mut self, end: End) -> Option<(&'g K, &'g V)> {
        if self.is_over {
            return None;
        }
        // SAFETY: the tree is alive, as `new` requires.
        let pair = unsafe {
            let is_last = self.front.leaf() == self.back.leaf();
            let (cursor, to) = match end {
                End::First => (&mut self.front, End::Last),
                End::Last => (&mut self.back, End::First),
            };
            let pair = cursor.pair().as_ref();
            self.is_over = is_last || !cursor.step(to);
            pair
        };
        Some((&pair.key, &pair.value))
    }
}

/// Returns whether a place is behind the end of a range.
///
/// # Safety
/// The tree is alive.
unsafe fn is_past<K: Borrow<Q>, V, Q: Ord + ?Sized>(
    place: &Cursor<K, V>,
    upper: Bound<&Q>,
) -> bool {
    // SAFETY: the tree is alive, as `# Safety` says.
    let key = unsafe { &place.pair().as_ref().key }.borrow();
    match upper {
        Bound::Included(upper) => key > upper,
        Bound::Excluded(upper) => key >= upper,
        Bound::Unbounded => false,
    }
}

impl<K, V> Clone for Range<'_, K, V> {
    fn clone(&self) -> Self {
        Range {
            front: self.front.clone(),
            back: self.back.clone(),
            ..*self
        }
    }
}

impl<'g, K, V> Iterator for Range<'g, K, V> {
    type Item = (&'g K, &'g V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.take(End::First)
    }
}

impl<K, V> DoubleEndedIterator for Range<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(End::Last)
    }
}

impl<K, V> FusedIterator for Range<'_, K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Range<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
