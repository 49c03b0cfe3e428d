//! Nodes.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use arrayvec::ArrayVec;
use urcu::Domain;

use super::order::digest;
use crate::lock::Lock;
use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, AtomicU8, INNER_ITEMS, LEAF_ITEMS, Ordering};

/// The greatest number of entries of a leaf.
pub(super) const LEAF_MOST: usize = LEAF_ITEMS;
/// The greatest number of children of an inner node.
pub(super) const INNER_MOST: usize = INNER_ITEMS;

/// The greatest height of a tree. All nodes but the root have four items or more.
pub(super) const HIGHEST: usize = 24;

const fn greater(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Room for the items of a node and of a small sibling.
pub(super) const ROOM: usize = 2 * greater(LEAF_MOST, INNER_MOST);

/// The items of a node that is going to be made.
pub(super) type Items<K, V> = ArrayVec<Item<K, V>, ROOM>;

/// An entry. It does not change while it is published.
#[derive(Debug)]
pub(super) struct Pair<K, V> {
    pub(super) key: K,
    pub(super) value: V,
}

/// The beginning of every node: of a [`Leaf`], or of an [`Inner`].
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node<K, V> {
    /// The height above the leaves; 0 for a leaf.
    pub(super) height: u8,
    /// Of a parent of leaves: not zero if it was replaced, or was going to be. Protected by the lock.
    is_replaced: AtomicU8,
    len: u16,
    /// Of a parent of leaves: protects its children, and the addresses of entries in them.
    lock: Lock,
    alive: Alive,
    pairs: PhantomData<*mut Pair<K, V>>,
}

/// A node of entries, in the order of their keys. The keys do not change.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Leaf<K, V> {
    pub(super) node: Node<K, V>,
    /// Digests of the keys, or zeroes. Unused places hold the greatest number, where every search ends.
    pub(super) digests: [u64; LEAF_MOST],
    /// The entries. A writer that replaces a value stores the new entry here, if the leaf has a parent, whose lock it
    /// holds.
    pub(super) pairs: [AtomicPtr<Pair<K, V>>; LEAF_MOST],
}

/// A node that is not a leaf. Between two children is a separator: not less than all keys on the left, and not
/// greater than any key on the right. The separators do not change.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Inner<K, V> {
    pub(super) node: Node<K, V>,
    /// The digest of the separator before each child. The first is zero, and unused places are as in a leaf.
    pub(super) digests: [u64; INNER_MOST],
    /// An entry with the key of the separator before each child. The first is null.
    pub(super) separators: [*mut Pair<K, V>; INNER_MOST],
    /// These change only in a parent of leaves, by writers that hold its lock.
    pub(super) children: [AtomicPtr<Node<K, V>>; INNER_MOST],
}

/// A node, according to its height.
pub(super) enum Kind<'a, K, V> {
    Leaf(&'a Leaf<K, V>),
    Inner(&'a Inner<K, V>),
}

/// An entry of a leaf, or a child with the separator before it.
#[derive(Debug)]
pub(super) struct Item<K, V> {
    pub(super) digest: u64,
    /// Null if there is no separator.
    pub(super) pair: *mut Pair<K, V>,
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
    #[inline]
    pub(super) unsafe fn entry(pair: NonNull<Pair<K, V>>) -> Self {
        // SAFETY: it is alive, as the caller promises.
        let key = unsafe { &pair.as_ref().key };
        Item {
            digest: digest(key).map_or(0, super::order::Digest::bits),
            pair: pair.as_ptr(),
            child: ptr::null_mut(),
        }
    }

    /// Returns a child with the separator of another item.
    pub(super) fn separated(self, by: Item<K, V>) -> Self {
        Item {
            child: self.child,
            ..by
        }
    }
}

impl<K, V> Node<K, V> {
    fn new(height: usize, len: usize) -> Self {
        Node {
            height: height as u8,
            is_replaced: AtomicU8::new(0),
            len: len as u16,
            lock: Lock::new(),
            alive: Alive::new(),
            pairs: PhantomData,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.alive.check();
        self.len as usize
    }

    /// Makes the lock look as if a thread of another process held it.
    #[cfg(test)]
    pub(super) fn abandon(&self) {
        self.lock.abandon();
    }

    /// Locks a parent of leaves.
    #[inline]
    pub(super) fn lock(&self) -> Locked<'_, K, V> {
        self.lock.lock();
        Locked(self)
    }

    /// Returns the leaf or the inner node that begins with this.
    ///
    /// # Safety
    /// `this` is from [`Leaf::make`] or [`Inner::make`], and alive as long as the result.
    #[inline(always)]
    pub(super) unsafe fn kind<'a>(this: NonNull<Self>) -> Kind<'a, K, V> {
        // SAFETY: the node is alive. It begins a leaf if and only if its height is 0.
        unsafe {
            if this.as_ref().height == 0 {
                Kind::Leaf(this.cast().as_ref())
            } else {
                Kind::Inner(this.cast().as_ref())
            }
        }
    }

    /// Copies the items of a node.
    ///
    /// # Safety
    /// As for `kind`.
    pub(super) unsafe fn items(this: NonNull<Self>, to: &mut Items<K, V>) {
        // SAFETY: it is alive, as the caller promises.
        match unsafe { Node::kind(this) } {
            Kind::Leaf(leaf) => to.extend((0..leaf.node.len()).map(|index| Item {
                digest: leaf.digests[index],
                pair: leaf.pair(index).as_ptr(),
                child: ptr::null_mut(),
            })),
            Kind::Inner(inner) => to.extend((0..inner.node.len()).map(|index| Item {
                digest: inner.digests[index],
                pair: inner.separators[index],
                child: inner.child(index),
            })),
        }
    }

    /// Makes a node.
    pub(super) fn make(height: usize, items: &[Item<K, V>]) -> NonNull<Node<K, V>> {
        if height == 0 {
            Leaf::make(items)
        } else {
            Inner::make(height, items)
        }
    }

    /// Frees a node, but neither its children nor its entries.
    ///
    /// # Safety
    /// The node is from `make`, and nobody uses it any more.
    pub(super) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: the node is from a box, of the type that its height tells.
        unsafe {
            if this.as_ref().height == 0 {
                reclaim::free_memory(this.cast::<Leaf<K, V>>());
            } else {
                reclaim::free_memory(this.cast::<Inner<K, V>>());
            }
        }
    }

    /// Frees a node after a grace period, but neither its children nor its entries.
    ///
    /// # Safety
    /// The node is from `make`. Only threads that have loaded an address above it, inside sections that are open,
    /// still find it.
    pub(super) unsafe fn retire(this: NonNull<Self>, domain: &Domain) {
        // SAFETY: the node is from a box, of the type that its height tells, and has no destructor.
        unsafe {
            if this.as_ref().height == 0 {
                reclaim::retire_memory(domain, this.cast::<Leaf<K, V>>());
            } else {
                reclaim::retire_memory(domain, this.cast::<Inner<K, V>>());
            }
        }
    }
}

/// A parent of leaves whose lock is held.
pub(super) struct Locked<'a, K, V>(&'a Node<K, V>);

impl<K, V> Locked<'_, K, V> {
    /// Returns whether the node is in a map's tree. It was found there when the map had the root `from`.
    #[inline]
    pub(super) fn is_current(&self, root: &AtomicPtr<Node<K, V>>, from: *mut Node<K, V>) -> bool {
        // Relaxed: the lock has ordered this. A node with the mark may still be in the tree: whoever marked it may have
        // found another root then, or was lost in a fork. But nobody else can replace it now, so it is in the tree of
        // the root if it was found there.
        self.0.is_replaced.load(Ordering::Relaxed) == 0 || root.load(Ordering::Relaxed) == from
    }

    /// Marks the node as replaced. If the map still has it, the caller replaces it next.
    #[inline]
    pub(super) fn mark_replaced(&self) {
        self.0.is_replaced.store(1, Ordering::Relaxed);
    }
}

impl<K, V> Drop for Locked<'_, K, V> {
    #[inline]
    fn drop(&mut self) {
        self.0.lock.unlock();
    }
}

impl<K, V> Leaf<K, V> {
    /// Returns an entry.
    #[inline(always)]
    pub(super) fn pair(&self, index: usize) -> NonNull<Pair<K, V>> {
        debug_assert!(index < self.node.len());
        // Acquire: pairs with the release in `InLeaf::replace`.
        NonNull::new(self.pairs[index].load(Ordering::Acquire)).expect("as many as there are")
    }

    fn make(items: &[Item<K, V>]) -> NonNull<Node<K, V>> {
        let mut digests = [u64::MAX; LEAF_MOST];
        for (place, item) in digests.iter_mut().zip(items) {
            *place = item.digest;
        }
        let pair = |index| {
            items
                .get(index)
                .map_or(ptr::null_mut(), |item: &Item<K, V>| item.pair)
        };
        NonNull::from(Box::leak(Box::new(Leaf {
            node: Node::new(0, items.len()),
            digests,
            pairs: core::array::from_fn(|index| AtomicPtr::new(pair(index))),
        })))
        .cast()
    }

    /// Makes a leaf for the entries of this one and another entry, but copies only the digests: see `fill`.
    pub(super) fn with(&self, index: usize, entry: &Item<K, V>) -> NonNull<Leaf<K, V>> {
        let new = Leaf::prepare(self.node.len() + 1);
        // SAFETY: nobody else has the leaf. Its places are as many as this one's, of which the last is not used.
        unsafe {
            let (from, to) = (self.digests.as_ptr(), &raw mut (*new.as_ptr()).digests);
            let to = to.cast::<u64>();
            ptr::copy_nonoverlapping(from, to, index);
            to.add(index).write(entry.digest);
            ptr::copy_nonoverlapping(from.add(index), to.add(index + 1), LEAF_MOST - 1 - index);
            (*new.as_ptr()).pairs[index].store(entry.pair, Ordering::Relaxed);
        }
        new
    }

    /// Makes a leaf for the entries of this one but one, but copies only the digests: see `fill`.
    pub(super) fn without(&self, index: usize) -> NonNull<Leaf<K, V>> {
        let new = Leaf::prepare(self.node.len() - 1);
        // SAFETY: nobody else has the leaf. Its places are as many as this one's.
        unsafe {
            let (from, to) = (self.digests.as_ptr(), &raw mut (*new.as_ptr()).digests);
            let to = to.cast::<u64>();
            ptr::copy_nonoverlapping(from, to, index);
            ptr::copy_nonoverlapping(from.add(index + 1), to.add(index), LEAF_MOST - 1 - index);
            to.add(LEAF_MOST - 1).write(u64::MAX);
        }
        new
    }

    /// Makes a leaf without digests and entries.
    fn prepare(len: usize) -> NonNull<Leaf<K, V>> {
        let new = Box::leak(Box::<Leaf<K, V>>::new_uninit()).as_mut_ptr();
        // SAFETY: the memory is valid for writes of the leaf's parts. All of them are written before the leaf is
        // used: the digests by the caller.
        unsafe {
            (&raw mut (*new).node).write(Node::new(0, len));
            let pairs = (&raw mut (*new).pairs).cast::<AtomicPtr<Pair<K, V>>>();
            (0..LEAF_MOST)
                .for_each(|index| pairs.add(index).write(AtomicPtr::new(ptr::null_mut())));
            NonNull::new_unchecked(new)
        }
    }

    /// Copies the entries of another leaf: those before `index`, and those behind the change there to `to` and
    /// behind it. The caller holds the lock of the other leaf's parent.
    #[inline(always)]
    pub(super) fn fill(&self, from: &Self, index: usize, to: usize) {
        // Relaxed: this leaf is published by the caller, and the lock orders the loads.
        let copy = |to: &AtomicPtr<Pair<K, V>>, from: &AtomicPtr<Pair<K, V>>| {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        let len = self.node.len as usize;
        let skipped = usize::from(to == index);
        let (new, old) = (&self.pairs, &from.pairs);
        new[..index]
            .iter()
            .zip(old)
            .for_each(|(new, old)| copy(new, old));
        let rest = new[to..len].iter().zip(&old[index + skipped..]);
        rest.for_each(|(new, old)| copy(new, old));
    }
}

impl<K, V> Inner<K, V> {
    /// Returns a child.
    #[inline(always)]
    pub(super) fn child(&self, index: usize) -> *mut Node<K, V> {
        // Acquire: pairs with the release in `InLeaf::copy`.
        self.children[index].load(Ordering::Acquire)
    }

    /// Returns an entry with the key of the separator before a child, which is not the first child.
    #[inline(always)]
    pub(super) fn separator(&self, index: usize) -> NonNull<Pair<K, V>> {
        debug_assert!((1..self.node.len()).contains(&index));
        NonNull::new(self.separators[index]).expect("one before each child but the first")
    }

    fn make(height: usize, items: &[Item<K, V>]) -> NonNull<Node<K, V>> {
        let mut digests = [u64::MAX; INNER_MOST];
        let mut separators = [ptr::null_mut(); INNER_MOST];
        for (index, item) in items.iter().enumerate() {
            digests[index] = item.digest;
            separators[index] = item.pair;
        }
        (digests[0], separators[0]) = (0, ptr::null_mut());
        let child = |index| {
            items
                .get(index)
                .map_or(ptr::null_mut(), |item: &Item<K, V>| item.child)
        };
        NonNull::from(Box::leak(Box::new(Inner {
            node: Node::new(height, items.len()),
            digests,
            separators,
            children: core::array::from_fn(|index| AtomicPtr::new(child(index))),
        })))
        .cast()
    }
}
