//! Changing one leaf, under the lock of its parent.

use core::ptr::NonNull;

use super::node::{Inner, Item, Items, LEAF_MOST, Leaf, Node, Pair};
use super::search::Path;
use super::tree::least;
use crate::sync::{AtomicPtr, Ordering};

/// The change to be made to an entry.
pub(super) enum Edit<K, V> {
    /// Inserts the entry, or replaces the one with the same key.
    Put(Item<K, V>),
    Remove,
}

impl<K, V> Edit<K, V> {
    /// Changes the items of a leaf.
    pub(super) fn apply(&self, items: &mut Items<K, V>, index: usize, is_there: bool) {
        match *self {
            Edit::Put(entry) if is_there => items[index] = entry,
            Edit::Put(entry) => items.insert(index, entry),
            Edit::Remove => drop(items.remove(index)),
        }
    }
}

/// The change of one leaf, in a tree whose inner nodes stay as they are.
pub(super) struct InLeaf<'a, K, V> {
    root: &'a AtomicPtr<Node<K, V>>,
    /// The root of the tree in which the path was found.
    from: *mut Node<K, V>,
    path: &'a Path<K, V>,
    parent: &'a Inner<K, V>,
    /// The leaf's index in the parent.
    slot: usize,
}

/// A node to be retired, if there is one.
pub(super) type Replaced<K, V> = Option<NonNull<Node<K, V>>>;

impl<'a, K, V> InLeaf<'a, K, V> {
    /// Returns `None` if the change needs a new path: in a leaf without a parent, of an entry that is a separator,
    /// or if the leaf would become too large or too small.
    pub(super) fn new(
        root: &'a AtomicPtr<Node<K, V>>,
        from: *mut Node<K, V>,
        path: &'a Path<K, V>,
        edit: &Edit<K, V>,
    ) -> Option<Self> {
        let (parent, slot) = path.parent()?;
        let len = path.leaf().node.len();
        let fits = match (edit, path.found) {
            (Edit::Put(_), None) => len < LEAF_MOST,
            (Edit::Put(_), Some(_)) => true,
            (Edit::Remove, _) => len > least(0),
        };
        let is_separator = path.found.is_some() && path.found == path.separator();
        (fits && !is_separator).then_some(InLeaf {
            root,
            from,
            path,
            parent,
            slot,
        })
    }

    /// Makes the change. Returns the leaf that was replaced, if one was. Returns an error if the tree is not as it
    /// was found any more.
    pub(super) fn make(&self, edit: &Edit<K, V>) -> Result<Replaced<K, V>, ()> {
        match edit {
            Edit::Put(entry) if self.path.found.is_some() => self.replace(entry).map(|()| None),
            _ => self.copy(edit).map(Some),
        }
    }

    /// Calls a function under the lock of the leaf's parent, if the leaf is still in the tree, with the same entry.
    fn locked(&self, change: impl FnOnce()) -> Result<(), ()> {
        self.parent.node.lock.lock();
        // Relaxed: the lock has ordered this. Whoever replaces the parent holds its lock and then stores another
        // root, so a tree with the same root has the parent.
        let is_current = self.root.load(Ordering::Relaxed) == self.from
            && self.parent.children[self.slot].load(Ordering::Relaxed) == self.leaf().as_ptr()
            && self.path.found.is_none_or(|found| {
                let now = &self.path.leaf().pairs[self.path.index];
                now.load(Ordering::Relaxed) == found.as_ptr()
            });
        if is_current {
            change();
        }
        self.parent.node.lock.unlock();
        if is_current { Ok(()) } else { Err(()) }
    }

    fn leaf(&self) -> NonNull<Node<K, V>> {
        self.path.leaf.cast()
    }

    /// Replaces the entry.
    fn replace(&self, entry: &Item<K, V>) -> Result<(), ()> {
        // Release: pairs with the acquire in `Leaf::pair`.
        let place = &self.path.leaf().pairs[self.path.index];
        self.locked(|| place.store(entry.pair, Ordering::Release))
    }

    /// Replaces the leaf by one with an entry more or less.
    fn copy(&self, edit: &Edit<K, V>) -> Result<NonNull<Node<K, V>>, ()> {
        let new = Leaf::changed(self.path.leaf(), self.path.index, edit);
        let made = self.locked(|| {
            // SAFETY: nobody else has the new leaf.
            unsafe { new.as_ref() }.fill(self.path.leaf(), self.path.index, edit);
            // Release: pairs with the acquire in `Inner::child`.
            self.parent.children[self.slot].store(new.as_ptr().cast(), Ordering::Release);
        });
        if made.is_err() {
            // SAFETY: the leaf was made here, and was not published.
            unsafe { Node::free(new.cast::<Node<K, V>>()) };
        }
        made.map(|()| self.leaf())
    }
}

impl<K, V> Leaf<K, V> {
    /// Makes a leaf for the entries of another one with a change, but does not copy the entries.
    fn changed(from: &Self, index: usize, edit: &Edit<K, V>) -> NonNull<Self> {
        let mut digests = from.digests;
        let len = match edit {
            Edit::Put(entry) => {
                digests.copy_within(index..LEAF_MOST - 1, index + 1);
                digests[index] = entry.digest;
                from.node.len() + 1
            }
            Edit::Remove => {
                digests.copy_within(index + 1.., index);
                digests[LEAF_MOST - 1] = u64::MAX;
                from.node.len() - 1
            }
        };
        Leaf::prepare(len, digests)
    }

    /// Copies the entries of another leaf with a change. The caller holds the lock of that leaf's parent.
    fn fill(&self, from: &Self, index: usize, edit: &Edit<K, V>) {
        let copy = |to: usize, at: usize| {
            // Relaxed: the new leaf is published by the caller.
            let pair: *mut Pair<K, V> = from.pairs[at].load(Ordering::Relaxed);
            self.pairs[to].store(pair, Ordering::Relaxed);
        };
        (0..index).for_each(|at| copy(at, at));
        match edit {
            Edit::Put(entry) => {
                self.pairs[index].store(entry.pair, Ordering::Relaxed);
                (index..from.node.len()).for_each(|at| copy(at + 1, at));
            }
            Edit::Remove => (index + 1..from.node.len()).for_each(|at| copy(at - 1, at)),
        }
    }
}
