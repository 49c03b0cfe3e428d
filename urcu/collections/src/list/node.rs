//! Nodes, and the items to which they refer.

use core::ptr::{self, NonNull};

use urcu::Domain;

use super::links::publish;
use crate::reclaim;
use crate::sync::{Alive, AtomicPtr, Ordering};

/// A place in a list. An item that is moved gets another node. The old node keeps its links for readers that stand
/// on it.
#[repr(C)]
pub(super) struct Node<T> {
    pub(super) next: AtomicPtr<Node<T>>,
    pub(super) prev: AtomicPtr<Node<T>>,
    item: NonNull<Item<T>>,
    alive: Alive,
}

/// A value, together with its first node.
#[repr(C)]
pub(super) struct Item<T> {
    first: Node<T>,
    /// The node by which the item is in the list. Null before the item is inserted, and marked ([`LEFT`]) after it
    /// was removed.
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
    /// The node was found in a section that is open, or the caller owns it. (An item lives as long as its nodes.)
    #[inline]
    pub(super) unsafe fn is_linked(&self) -> bool {
        self.alive.check();
        // SAFETY: the item lives as long as the node.
        let home = unsafe { &(*self.item.as_ptr()).home };
        // Acquire: pairs with the release in `publish`. A thread that sees that the node is linked sees both links
        // to it. A thread that sees that it is not sees all earlier removals.
        ptr::eq(home.load(Ordering::Acquire), self)
    }
}

impl<T> Item<T> {
    /// Allocates an item that is in no list.
    pub(super) fn allocate(value: T) -> NonNull<Item<T>> {
        let item = Box::into_raw(Box::new(Item {
            first: Node::new(NonNull::dangling()),
            home: AtomicPtr::new(ptr::null_mut()),
            value,
        }));
        // SAFETY: the item is from a box, and nobody else knows it yet.
        unsafe {
            let item = NonNull::new_unchecked(item);
            (*item.as_ptr()).first.item = item;
            item
        }
    }

    /// Returns the node inside the item.
    #[inline]
    pub(super) fn first(item: NonNull<Item<T>>) -> NonNull<Node<T>> {
        // The node is the first field, and the type is `repr(C)`.
        item.cast()
    }

    /// Allocates another node for the item.
    pub(super) fn another(item: NonNull<Item<T>>) -> NonNull<Node<T>> {
        NonNull::from(Box::leak(Box::new(Node::new(item))))
    }

    /// Returns the node by which the item is in the list, if it is in the list.
    #[inline]
    pub(super) fn home(&self) -> Option<NonNull<Node<T>>> {
        // Acquire: as in `is_linked`.
        NonNull::new(self.home.load(Ordering::Acquire))
            .filter(|home| home.as_ptr().addr() & LEFT == 0)
    }

    /// Returns the node by which the item is, or was last, in the list.
    #[inline]
    pub(super) fn last_home(&self) -> *mut Node<T> {
        let home = self.home.load(Ordering::Acquire);
        home.map_addr(|address| address & !LEFT)
    }

    /// Makes this node the item's home: from now on the item is in the list by this node only.
    pub(super) fn settle(&self, node: NonNull<Node<T>>) {
        publish(&self.home, node.as_ptr());
    }

    /// Marks the item as removed: from now on it is not in the list.
    pub(super) fn leave(&self, node: NonNull<Node<T>>) {
        let left = node.as_ptr().map_addr(|address| address | LEFT);
        publish(&self.home, left);
    }
}

/// Frees a node after a grace period, unless it is the node inside the item.
///
/// # Safety
/// The node was unlinked, and is retired once. Only sections of the domain that are open may still reach it.
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

/// Frees an item that was removed, and its last node, after a grace period.
///
/// # Safety
/// As for [`retire_node`]. The value may be dropped on any thread and at any later time.
pub(super) unsafe fn retire_item<T>(
    domain: &Domain,
    node: NonNull<Node<T>>,
    item: NonNull<Item<T>>,
) {
    // SAFETY: item and node are unlinked for ever.
    unsafe {
        retire_node(domain, node, item);
        reclaim::retire(domain, item);
    }
}

/// Returns the value of an item that nobody else sees, and frees the item.
///
/// # Safety
/// The item is from `allocate`, and nobody else uses it. `node` is its last home. Its older nodes cannot be reached
/// any more.
pub(super) unsafe fn take<T>(node: NonNull<Node<T>>) -> T {
    // SAFETY: both are from boxes, and the caller owns them.
    unsafe {
        let item = node.as_ref().item;
        if node != Item::first(item) {
            drop(Box::from_raw(node.as_ptr()));
        }
        Box::from_raw(item.as_ptr()).value
    }
}
