//! Changing a tree, by making a new path from the root beside the old one.

use core::ptr::{self, NonNull};

use urcu::Domain;

use super::node::{Item, LEAST, MOST, Node, Pair};
use super::search::Locate;
use crate::sync::{AtomicPtr, Ordering};

/// The change to be made to an entry.
pub(super) enum Edit<K, V> {
    /// Inserts the entry, or replaces the one with the same key.
    Put(NonNull<Pair<K, V>>),
    Remove,
}

/// A tree that is being made from another one, and shares most nodes with it.
pub(super) struct Draft<K, V> {
    from: *mut Node<K, V>,
    to: *mut Node<K, V>,
    /// The new nodes. The draft owns them until it is published, and frees them if it is not.
    made: Vec<NonNull<Node<K, V>>>,
    /// The nodes of the old tree that the new one does not have.
    replaced: Vec<NonNull<Node<K, V>>>,
    pub(super) old: Option<NonNull<Pair<K, V>>>,
}

impl<K, V> Draft<K, V> {
    /// Makes a tree with one entry changed. Returns `None` if there is nothing to remove.
    ///
    /// # Safety
    /// The tree, and the entry to be inserted, live as long as the draft.
    pub(super) unsafe fn new(
        from: *mut Node<K, V>,
        place: &impl Locate<K>,
        edit: &Edit<K, V>,
    ) -> Option<Self> {
        let mut draft = Draft {
            from,
            to: ptr::null_mut(),
            made: Vec::with_capacity(8),
            replaced: Vec::with_capacity(8),
            old: None,
        };
        let Some(root) = NonNull::new(from) else {
            let Edit::Put(pair) = edit else { return None };
            // SAFETY: they are alive, as the caller promises.
            draft.to = draft.make(0, &[unsafe { Item::entry(*pair) }]).as_ptr();
            return Some(draft);
        };
        // SAFETY: they are alive, as the caller promises.
        unsafe {
            let items = draft.contents(root, place, edit)?;
            draft.replaced.push(root);
            let height = root.as_ref().height;
            draft.to = match items.len() {
                0 => ptr::null_mut(),
                1 if height > 0 => items[0].child,
                2..=MOST | 1 => draft.make(height, &items).as_ptr(),
                _ => {
                    let halves: Vec<_> = draft.build(height, &items).collect();
                    draft.make(height + 1, &halves).as_ptr()
                }
            };
        }
        Some(draft)
    }

    fn make(&mut self, height: u32, items: &[Item<K, V>]) -> NonNull<Node<K, V>> {
        // Makes room first, so that a new node cannot be lost by a panic.
        self.made.reserve(1);
        let node = Node::make(height, items);
        self.made.push(node);
        node
    }

    /// Makes one node of the items, or two if there are too many.
    fn build(
        &mut self,
        height: u32,
        items: &[Item<K, V>],
    ) -> impl Iterator<Item = Item<K, V>> + use<K, V> {
        let (first, second) = if items.len() <= MOST {
            (items, &items[..0])
        } else {
            items.split_at(items.len() / 2)
        };
        let mut made = [None, None];
        for (place, items) in made.iter_mut().zip([first, second]) {
            if let Some(&least) = items.first() {
                let child = self.make(height, items).as_ptr();
                *place = Some(Item { child, ..least });
            }
        }
        made.into_iter().flatten()
    }

    /// Returns the items of a node after the change. Returns `None` if there is nothing to remove.
    ///
    /// # Safety
    /// As for `new`.
    unsafe fn contents(
        &mut self,
        node: NonNull<Node<K, V>>,
        place: &impl Locate<K>,
        edit: &Edit<K, V>,
    ) -> Option<Vec<Item<K, V>>> {
        // SAFETY: they are alive, as the caller promises.
        unsafe {
            if node.as_ref().is_leaf() {
                return self.leaf(node, place, edit);
            }
            let index = place.child(node.as_ref());
            let child = NonNull::new(Node::child(node, index))?;
            let below = self.contents(child, place, edit)?;
            let mut items = items_of(node);
            self.replaced.push(child);
            let height = child.as_ref().height;
            if below.is_empty() {
                items.remove(index);
            } else if below.len() >= LEAST || items.len() == 1 {
                items.splice(index..=index, self.build(height, &below));
            } else {
                self.join(&mut items, index, below, height);
            }
            Some(items)
        }
    }

    /// # Safety
    /// As for `new`.
    unsafe fn leaf(
        &mut self,
        node: NonNull<Node<K, V>>,
        place: &impl Locate<K>,
        edit: &Edit<K, V>,
    ) -> Option<Vec<Item<K, V>>> {
        // SAFETY: they are alive, as the caller promises.
        unsafe {
            let (index, is_there) = place.position(node.as_ref());
            let mut items = items_of(node);
            if is_there {
                self.old = Some(items[index].pair);
            }
            match edit {
                Edit::Put(pair) if is_there => items[index] = Item::entry(*pair),
                Edit::Put(pair) => items.insert(index, Item::entry(*pair)),
                Edit::Remove if is_there => drop(items.remove(index)),
                Edit::Remove => return None,
            }
            Some(items)
        }
    }

    /// Joins a child that has become small with a sibling.
    ///
    /// # Safety
    /// As for `new`.
    unsafe fn join(
        &mut self,
        items: &mut Vec<Item<K, V>>,
        index: usize,
        mut below: Vec<Item<K, V>>,
        height: u32,
    ) {
        let is_last = index + 1 == items.len();
        let beside = if is_last { index - 1 } else { index + 1 };
        let sibling = NonNull::new(items[beside].child).expect("a child");
        // SAFETY: they are alive, as the caller promises.
        let theirs = unsafe { items_of(sibling) };
        self.replaced.push(sibling);
        if is_last {
            below.splice(0..0, theirs);
        } else {
            below.extend(theirs);
        }
        let first = index.min(beside);
        items.splice(first..=first + 1, self.build(height, &below));
    }

    /// Publishes the draft, if nobody has replaced the tree it was made from, and retires the replaced nodes.
    /// Otherwise frees the draft. Returns whether it was published.
    pub(super) fn publish(mut self, root: &AtomicPtr<Node<K, V>>, domain: &Domain) -> bool {
        // Release: a thread that loads the root sees the nodes, and also those that other threads have published
        // and that the new nodes lead to (Acquire).
        let published =
            root.compare_exchange(self.from, self.to, Ordering::AcqRel, Ordering::Relaxed);
        if published.is_ok() {
            self.made.clear();
            for node in self.replaced.drain(..) {
                // SAFETY: only threads that have loaded an older root, inside sections that are open, still find
                // the node.
                unsafe { Node::retire(node, domain) };
            }
        }
        published.is_ok()
    }
}

impl<K, V> Drop for Draft<K, V> {
    fn drop(&mut self) {
        for node in self.made.drain(..) {
            // SAFETY: the node was made here, and was not published.
            unsafe { Node::free(node) };
        }
    }
}

/// # Safety
/// The node is alive.
unsafe fn items_of<K, V>(node: NonNull<Node<K, V>>) -> Vec<Item<K, V>> {
    let mut items = Vec::with_capacity(2 * MOST);
    // SAFETY: they are alive, as the caller promises.
    items.extend(unsafe { Node::items(node) });
    items
}

/// Makes a tree of sorted entries.
///
/// # Safety
/// The entries are alive, and the caller owns them.
pub(super) unsafe fn bulk<K, V>(pairs: &[NonNull<Pair<K, V>>]) -> *mut Node<K, V> {
    // SAFETY: they are alive, as the caller promises.
    let entries = pairs.iter().map(|&pair| unsafe { Item::entry(pair) });
    let mut level: Vec<Item<K, V>> = entries.collect();
    let mut height = 0;
    if level.is_empty() {
        return ptr::null_mut();
    }
    loop {
        // As many nodes as are needed if each is three quarters full, all filled evenly.
        let nodes = level.len().div_ceil(MOST * 3 / 4);
        let each = level.len().div_ceil(nodes);
        let above = level.chunks(each).map(|items| Item {
            child: Node::make(height, items).as_ptr(),
            ..items[0]
        });
        level = above.collect();
        if let [root] = level[..] {
            return root.child;
        }
        height += 1;
    }
}

/// Calls functions with every entry and every node of a tree, once each, and with a node after its children.
///
/// # Safety
/// Each node is alive until the function was called with it.
pub(super) unsafe fn for_all<K, V>(
    root: *mut Node<K, V>,
    entry: &mut impl FnMut(NonNull<Pair<K, V>>),
    node: &mut impl FnMut(NonNull<Node<K, V>>),
) {
    let Some(root) = NonNull::new(root) else {
        return;
    };
    // SAFETY: they are alive, as the caller promises.
    unsafe {
        for item in items_of(root) {
            if item.child.is_null() {
                entry(item.pair);
            } else {
                for_all(item.child, entry, node);
            }
        }
    }
    node(root);
}
