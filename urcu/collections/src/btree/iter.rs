//! Ranges.

use core::borrow::Borrow;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::Bound;
use core::ptr::NonNull;

use super::node::{HIGHEST, Inner, Kind, Leaf, Node, Pair};
use super::search::{Locate, Wanted};

/// A place in a tree: the nodes from the root to a leaf, and an index into each.
struct Cursor<K, V> {
    way: [(*mut Node<K, V>, usize); HIGHEST + 1],
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
            way: [(core::ptr::null_mut(), 0); HIGHEST + 1],
            depth: 0,
        }
    }

    #[inline(always)]
    fn leaf(&self) -> (*mut Node<K, V>, usize) {
        self.way[self.depth - 1]
    }

    fn push(&mut self, node: NonNull<Node<K, V>>, index: usize) {
        self.way[self.depth] = (node.as_ptr(), index);
        self.depth += 1;
    }

    /// Returns the child at the index of the last node. If another cursor is in the same leaf, this returns the
    /// leaf as the other cursor has it, so that the two can meet. Writers may have replaced the leaf meanwhile.
    ///
    /// # Safety
    /// The tree is alive, and the last node is this one.
    unsafe fn child(&self, inner: &Inner<K, V>, index: usize, other: &Self) -> NonNull<Node<K, V>> {
        if let Some(above) = other.depth.checked_sub(2)
            && inner.node.height == 1
            && other.way[above] == self.leaf()
        {
            return NonNull::new(other.leaf().0).expect("a leaf");
        }
        NonNull::new(inner.child(index)).expect("as many as there are")
    }

    /// Descends to the first or the last entry below a node.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn descend(&mut self, mut node: NonNull<Node<K, V>>, end: End, other: &Self) {
        loop {
            // SAFETY: the tree is alive, as `# Safety` says.
            unsafe {
                let index = match end {
                    End::First => 0,
                    End::Last => node.as_ref().len() - 1,
                };
                self.push(node, index);
                match Node::kind(node) {
                    Kind::Leaf(_) => return,
                    Kind::Inner(inner) => node = self.child(inner, index, other),
                }
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
        unsafe { (*node.cast::<Leaf<K, V>>()).pair(index) }
    }

    /// Moves to the next or the previous entry. Returns false if there is none.
    ///
    /// # Safety
    /// The tree is alive.
    #[inline]
    unsafe fn step(&mut self, to: End, other: &Self) -> bool {
        let (node, index) = self.leaf();
        // SAFETY: the tree is alive, as `# Safety` says.
        unsafe {
            match following(index, (*node).len(), to) {
                Some(next) => {
                    self.way[self.depth - 1].1 = next;
                    true
                }
                None => self.leave(to, other),
            }
        }
    }

    /// Moves to the next or the previous leaf. Returns false if there is none.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn leave(&mut self, to: End, other: &Self) -> bool {
        // The end at which a walk in that direction enters the next node.
        let from = if to == End::Last {
            End::First
        } else {
            End::Last
        };
        self.depth -= 1;
        while self.depth > 0 {
            let (node, index) = self.leaf();
            // SAFETY: the tree is alive, as `# Safety` says, and a node above another one is not a leaf.
            unsafe {
                let inner = &*node.cast::<Inner<K, V>>();
                if let Some(next) = following(index, inner.node.len(), to) {
                    self.way[self.depth - 1].1 = next;
                    self.descend(self.child(inner, next, other), from, other);
                    return true;
                }
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
    unsafe fn seek<Q>(
        &mut self,
        root: *mut Node<K, V>,
        bound: Bound<&Q>,
        end: End,
        other: &Self,
    ) -> bool
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let Some(mut node) = NonNull::new(root) else {
            return false;
        };
        let (key, is_included) = match bound {
            Bound::Included(key) => (key, true),
            Bound::Excluded(key) => (key, false),
            Bound::Unbounded => {
                // SAFETY: the tree is alive, as `# Safety` says.
                unsafe { self.descend(node, end, other) };
                return true;
            }
        };
        let wanted = Wanted::<K, Q>::new(key);
        loop {
            // SAFETY: the tree is alive, as `# Safety` says.
            unsafe {
                match Node::kind(node) {
                    Kind::Leaf(leaf) => {
                        let (less, is_equal) = wanted.entry(leaf);
                        self.push(node, less);
                        let len = leaf.node.len();
                        return self.settle(len, is_equal, is_included, end, other);
                    }
                    Kind::Inner(inner) => {
                        let index = wanted.child(inner);
                        self.push(node, index);
                        node = self.child(inner, index, other);
                    }
                }
            }
        }
    }

    /// Moves to the entry that `seek` looks for, from the leaf's first entry that is not less than the key, or from
    /// behind its last one.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn settle(
        &mut self,
        len: usize,
        is_equal: bool,
        is_included: bool,
        end: End,
        other: &Self,
    ) -> bool {
        let index = self.leaf().1;
        // SAFETY: the tree is alive, as `# Safety` says.
        unsafe {
            match end {
                End::First if is_equal && !is_included => self.step(End::Last, other),
                End::First if index == len => self.leave(End::Last, other),
                End::First => true,
                End::Last if is_equal && is_included => true,
                End::Last => self.step(End::First, other),
            }
        }
    }
}

/// Returns the next index in a direction, if a node has one.
#[inline(always)]
fn following(index: usize, len: usize, to: End) -> Option<usize> {
    if to == End::Last {
        Some(index + 1).filter(|&next| next < len)
    } else {
        index.checked_sub(1)
    }
}

/// An iterator over some entries of a [`BTreeMap`](crate::BTreeMap), in order, from both ends.
///
/// It meets each key that is there all the time exactly once: see [`BTreeMap::range`](crate::BTreeMap::range). It can be sent to
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
            !front.seek(root, lower, End::First, &back)
                || !back.seek(root, upper, End::Last, &front)
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
            let (cursor, to, other) = match end {
                End::First => (&mut self.front, End::Last, &self.back),
                End::Last => (&mut self.back, End::First, &self.front),
            };
            let pair = cursor.pair().as_ref();
            self.is_over = is_last || !cursor.step(to, other);
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
