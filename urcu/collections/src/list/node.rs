//! Nodes, and what they refer to.

use core::ptr::{self, NonNull};

use urcu::Domain;

use super::links::publish;
use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, Ordering};

/// A place in a list. An item that is moved gets another one; an old one keeps its links for whoever stands
/// on it.
#[repr(C)]
pub(super) struct Node<T> {
    pub(super) next: AtomicPtr<Node<T>>,
    pub(super) prev: AtomicPtr<Node<T>>,
    item: NonNull<Item<T>>,
    alive: Alive,
}

/// A value, with the place that it has first.
#[repr(C)]
pub(super) struct Item<T> {
    first: Node<T>,
    /// The node by which the item is in the list: null before it is, and marked ([`LEFT`]) after it was.
    home: AtomicPtr<Node<T>>,
    pub(super) value: T,
}

/// Marks the last home of an item that was removed.
const LEFT: usize = 1;

impl<T> Node<T> {
    fn new(item: NonNull<Item<T>>) -> Self {
        Node {
            next: AtomicPtr::new(ptr::null_mut()),
            prev: AtomicPtr::new(ptr::null_mut()),
            item,
            alive: Alive::new(),
        }
    }

    pub(super) fn item(&self) -> NonNull<Item<T>> {
        self.item
    }

    /// Returns whether the item is in the list, by this node.
    ///
    /// # Safety
    /// Nodes have the item's life: the node was found in a section that is open, or is the caller's.
    #[inline]
    pub(super) unsafe fn is_linked(&self) -> bool {
        self.alive.check();
        // SAFETY: alive as the node is.
        let home = unsafe { &(*self.item.as_ptr()).home };
        // Acquire: pairs with the release in `publish`. Who sees that it is linked sees both links
        // to it; who sees that it is not sees all that was removed before.
        ptr::eq(home.load(Ordering::Acquire), self)
    }
}

impl<T> Item<T> {
    /// Makes an item that is in no list.
    pub(super) fn allocate(value: T) -> NonNull<Item<T>> {
        let item = Box::into_raw(Box::new(Item {
            first: Node::new(NonNull::dangling()),
            home: AtomicPtr::new(ptr::null_mut()),
            value,
        }));
        // SAFETY: from a box, and nobody else's yet.
        unsafe {
            let item = NonNull::new_unchecked(item);
            (*item.as_ptr()).first.item = item;
            item
        }
    }

    /// Returns the node that lies in the item.
    #[inline]
    pub(super) fn first(item: NonNull<Item<T>>) -> NonNull<Node<T>> {
        // The first field, `repr(C)`.
        item.cast()
    }

    /// Makes another node for the item.
    pub(super) fn another(item: NonNull<Item<T>>) -> NonNull<Node<T>> {
        NonNull::from(Box::leak(Box::new(Node::new(item))))
    }

    /// Returns the node by which the item is in the list, if it is.
    #[inline]
    pub(super) fn home(&self) -> Option<NonNull<Node<T>>> {
        // Acquire: as in `is_linked`.
        NonNull::new(self.home.load(Ordering::Acquire))
            .filter(|home| home.as_ptr().addr() & LEFT == 0)
    }

    /// Returns the node by which the item is in the list, or was.
    #[inline]
    pub(super) fn last_home(&self) -> *mut Node<T> {
        let home = self.home.load(Ordering::Acquire);
        home.map_addr(|address| address & !LEFT)
    }

    /// From now on the item is in the list by this node, and by no other.
    pub(super) fn settle(&self, node: NonNull<Node<T>>) {
        publish(&self.home, node.as_ptr());
    }

    /// From now on the item is not in the list.
    pub(super) fn leave(&self, node: NonNull<Node<T>>) {
        let left = node.as_ptr().map_addr(|address| address | LEFT);
        publish(&self.home, left);
    }
}

/// Frees a node after a grace period, unless it lies in the item.
///
/// # Safety
/// It was unlinked, once; who still reaches it does so in sections of the domain that are open.
pub(super) unsafe fn retire_node<T>(
    domain: &Domain,
    node: NonNull<Node<T>>,
    item: NonNull<Item<T>>,
) {
    if node != Item::first(item) {
        // SAFETY: from a box, without a destructor; unlinked, by the caller.
        unsafe { reclaim::retire_memory(domain, node) };
    }
}

/// Frees an item that was removed, and the node that it had last.
///
/// # Safety
/// As for [`retire_node`]; and the value may be dropped on any thread and at any later time.
pub(super) unsafe fn retire_item<T>(
    domain: &Domain,
    node: NonNull<Node<T>>,
    item: NonNull<Item<T>>,
) {
    // SAFETY: unlinked for ever.
    unsafe {
        retire_node(domain, node, item);
        reclaim::retire(domain, item);
    }
}

/// Takes the value of an item that nobody else sees, and frees it.
///
/// # Safety
/// From `allocate`, and the caller's alone; `node` is its last home, and none of its older ones is reached any
/// more.
pub(super) unsafe fn take<T>(node: NonNull<Node<T>>) -> T {
    // SAFETY: both from boxes, and the caller's.
    unsafe {
        let item = node.as_ref().item;
        if node != Item::first(item) {
            drop(Box::from_raw(node.as_ptr()));
        }
        Box::from_raw(item.as_ptr()).value
    }
}
