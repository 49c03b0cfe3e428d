//! Changing one leaf, under the lock of its parent.

use core::ptr::NonNull;

use urcu::Domain;

use super::node::{Inner, Item, Items, LEAF_MOST, Leaf, Node};
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
    leaf: NonNull<Leaf<K, V>>,
    parent: &'a Inner<K, V>,
    /// The leaf's index in the parent.
    slot: usize,
}

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
        let leaf = path.leaf?;
        // SAFETY: the tree in which the path was found is alive.
        let len = unsafe { leaf.as_ref() }.node.len();
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
            leaf,
            parent,
            slot,
        })
    }

    /// Makes the change, and retires the leaf if it was replaced. Returns false if the tree is not as it was found
    /// any more.
    pub(super) fn make(&self, edit: &Edit<K, V>, domain: &Domain) -> bool {
        match edit {
            Edit::Put(entry) if self.path.found.is_some() => self.replace(entry),
            _ => self.copy(edit, domain),
        }
    }

    /// Calls a function under the lock of the leaf's parent, if the leaf is still in the tree, with the same entry.
    /// Returns whether it is.
    ///
    /// The tree may have another root by then, but the keys for which the parent is searched are still the same, or
    /// more: they only become less for a node that is replaced.
    #[inline(always)]
    fn locked(&self, change: impl FnOnce()) -> bool {
        let parent = self.parent.node.lock();
        // Relaxed: the lock has ordered this.
        let is_current = parent.is_current(self.root, self.from)
            && self.parent.children[self.slot].load(Ordering::Relaxed) == self.leaf.as_ptr().cast()
            && self.path.found.is_none_or(|found| {
                let now = &self.leaf().pairs[self.path.index];
                now.load(Ordering::Relaxed) == found.as_ptr()
            });
        if is_current {
            change();
        }
        is_current
    }

    fn leaf(&self) -> &'a Leaf<K, V> {
        // SAFETY: the tree in which the path was found is alive.
        unsafe { self.leaf.as_ref() }
    }

    /// Replaces the entry.
    fn replace(&self, entry: &Item<K, V>) -> bool {
        let place = &self.leaf().pairs[self.path.index];
        // Release: pairs with the acquire in `Leaf::pair`.
        self.locked(|| place.store(entry.pair, Ordering::Release))
    }

    /// Replaces the leaf by one with an entry more or less.
    fn copy(&self, edit: &Edit<K, V>, domain: &Domain) -> bool {
        let (from, index) = (self.leaf(), self.path.index);
        let (new, to) = match edit {
            Edit::Put(entry) => (from.with(index, entry), index + 1),
            Edit::Remove => (from.without(index), index),
        };
        let made = self.locked(|| {
            // SAFETY: nobody else has the new leaf, which has room for these entries.
            unsafe { new.as_ref() }.fill(from, index, to);
            // Release: pairs with the acquire in `Inner::child`.
            self.parent.children[self.slot].store(new.as_ptr().cast(), Ordering::Release);
        });
        // SAFETY: the new leaf was made here. If it was published, only threads that have loaded the old one's
        // address, inside sections that are open, still find that.
        unsafe {
            if made {
                Node::retire(self.leaf.cast::<Node<K, V>>(), domain);
            } else {
                Node::free(new.cast::<Node<K, V>>());
            }
        }
        made
    }
}
