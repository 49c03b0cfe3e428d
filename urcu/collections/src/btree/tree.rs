//! Changing nodes above leaves: a new path from the root is made beside the old one.

use core::ptr::{self, NonNull};

use arrayvec::ArrayVec;
use urcu::Domain;

use super::edit::Edit;
use super::node::{HIGHEST, INNER_MOST, Item, Items, Kind, LEAF_MOST, Locked, Node, Pair, ROOM};
use super::search::Path;
use crate::sync::{AtomicPtr, Ordering};

/// The greatest number of nodes that a change replaces or makes: two at each height, and a new root.
const NODES: usize = 2 * HIGHEST + 1;

/// Returns the greatest number of items of a node.
fn most(height: usize) -> usize {
    if height == 0 { LEAF_MOST } else { INNER_MOST }
}

/// Returns the number of items below which a node is joined with a sibling, if it has one.
pub(super) fn least(height: usize) -> usize {
    (most(height) / 4).max(2)
}

/// A tree that is being made from another one, and shares most nodes with it.
pub(super) struct Draft<K, V> {
    from: *mut Node<K, V>,
    to: *mut Node<K, V>,
    /// The new nodes. The draft owns them until it is published, and frees them if it is not.
    made: ArrayVec<NonNull<Node<K, V>>, NODES>,
    /// The nodes of the old tree that the new one does not have.
    replaced: ArrayVec<NonNull<Node<K, V>>, NODES>,
    /// The children of parents of leaves, and the entries of leaves, that were copied, in the order of `replaced`.
    /// Other writers may have stored others meanwhile.
    copied: ArrayVec<*mut (), { 2 * ROOM }>,
    /// True if a parent of leaves is joined with the one in front of it.
    is_second: bool,
}

impl<K, V> Draft<K, V> {
    /// Returns a draft of a change to a tree with this root.
    pub(super) fn new(from: *mut Node<K, V>) -> Self {
        Draft {
            from,
            to: ptr::null_mut(),
            made: ArrayVec::new(),
            replaced: ArrayVec::new(),
            copied: ArrayVec::new(),
            is_second: false,
        }
    }

    /// Makes the tree with one entry changed. Returns false if another writer has changed the leaf since the path
    /// was found.
    ///
    /// # Safety
    /// The tree, and the entry to be inserted, live as long as the draft. The path was found in the tree.
    pub(super) unsafe fn make(&mut self, path: &Path<K, V>, edit: &Edit<K, V>) -> bool {
        let (mut items, mut parent) = (&mut Items::new(), &mut Items::new());
        let Some(leaf) = path.leaf else {
            edit.apply(items, 0, false);
            self.to = self.node(0, items);
            return true;
        };
        // SAFETY: the tree is alive, as the caller promises.
        unsafe {
            self.copy(leaf.cast(), items);
            let there = |found: NonNull<_>| items[path.index].pair == found.as_ptr();
            if !path.found.is_none_or(there) {
                return false;
            }
            edit.apply(items, path.index, path.found.is_some());
            let mut least = items.first().copied();
            let mut height = 0;
            for (node, index) in path.above() {
                self.copy(node.cast(), parent);
                if height == 0 && parent[index].child != leaf.as_ptr().cast() {
                    return false;
                }
                least = self.put(parent, index, items, least, height);
                core::mem::swap(&mut items, &mut parent);
                height += 1;
            }
            self.to = self.root(height, items);
        }
        true
    }

    fn node(&mut self, height: usize, items: &[Item<K, V>]) -> *mut Node<K, V> {
        let node = Node::make(height, items);
        self.made.push(node);
        node.as_ptr()
    }

    /// Returns the root of a tree with these items below it.
    fn root(&mut self, height: usize, items: &[Item<K, V>]) -> *mut Node<K, V> {
        match items {
            [] => ptr::null_mut(),
            [only] if height > 0 => only.child,
            _ if items.len() <= most(height) => self.node(height, items),
            _ => {
                let halves = self.build(height, items, items[0]);
                self.node(height + 1, &halves)
            }
        }
    }

    /// Makes one node of the items, or two if there are too many. `separator` is what comes before the first one.
    fn build(
        &mut self,
        height: usize,
        items: &[Item<K, V>],
        separator: Item<K, V>,
    ) -> ArrayVec<Item<K, V>, 2> {
        let item = |child, separator: Item<K, V>| Item { child, ..separator };
        let mut built = ArrayVec::new();
        if items.len() <= most(height) {
            built.push(item(self.node(height, items), separator));
        } else {
            let (first, second) = items.split_at(items.len() / 2);
            built.push(item(self.node(height, first), separator));
            // The second node's first separator, or its first entry, is in the leftmost leaf below it.
            built.push(item(self.node(height, second), second[0]));
        }
        built
    }

    /// Copies a node's items, which the new tree has elsewhere.
    ///
    /// # Safety
    /// The node is alive.
    unsafe fn copy(&mut self, node: NonNull<Node<K, V>>, to: &mut Items<K, V>) {
        to.clear();
        // SAFETY: it is alive, as the caller promises.
        let height = unsafe {
            Node::items(node, to);
            node.as_ref().height
        };
        match height {
            0 => self.copied.extend(to.iter().map(|item| item.pair.cast())),
            1 => self.copied.extend(to.iter().map(|item| item.child.cast())),
            _ => {}
        }
        self.replaced.push(node);
    }

    /// Puts the new items of a child, which is at `height`, in the place of the child. `least` is the separator
    /// before the child, if there is a new one. Returns the separator before the parent, if there is a new one.
    ///
    /// **A separator is always an entry of the leftmost leaf behind it, in whatever order the user's comparisons
    /// answer that the entries are.** So an entry is a separator if and only if it is the one before its own leaf,
    /// and an entry that is removed or replaced without a new path is none.
    ///
    /// # Safety
    /// The tree is alive.
    unsafe fn put(
        &mut self,
        parent: &mut Items<K, V>,
        index: usize,
        items: &mut Items<K, V>,
        mut least: Option<Item<K, V>>,
        height: usize,
    ) -> Option<Item<K, V>> {
        if items.is_empty() {
            parent.remove(index);
            // The separator before the next child is the one before the parent now.
            return parent.first().copied().filter(|_| index == 0);
        }
        let mut place = index..index + 1;
        if items.len() < self::least(height) && parent.len() > 1 {
            let separator = least.unwrap_or(parent[index]);
            let is_last = place.end == parent.len();
            self.is_second |= is_last && height == 1;
            place = if is_last {
                index - 1..place.end
            } else {
                index..index + 2
            };
            let beside = if is_last { place.start } else { index + 1 };
            let sibling = NonNull::new(parent[beside].child).expect("a child");
            let theirs = &mut Items::new();
            // SAFETY: the tree is alive, as the caller promises.
            unsafe { self.copy(sibling, theirs) };
            if height > 0 {
                // A node's first child has its separator in the parent.
                let (second, before) = if is_last {
                    least = None;
                    (&mut items[0], separator)
                } else {
                    (&mut theirs[0], parent[beside])
                };
                *second = second.separated(before);
            }
            if is_last {
                core::mem::swap(items, theirs);
            }
            items.extend(theirs.drain(..));
        }
        if height == 0 {
            least = Some(items[0]);
        }
        let separator = least.unwrap_or(parent[place.start]);
        let built = self.build(height, items, separator);
        parent[place.start] = built[0];
        match (place.len(), built.get(1)) {
            (1, None) => {}
            (1, Some(second)) => parent.insert(place.start + 1, *second),
            (_, None) => _ = parent.remove(place.start + 1),
            (_, Some(second)) => parent[place.start + 1] = *second,
        }
        least.filter(|_| place.start == 0)
    }

    /// Returns the parents of leaves that the new tree does not have, in the order of their keys, which
    /// is the same in every tree.
    fn parents<'a>(&self) -> ArrayVec<&'a Node<K, V>, 2> {
        // SAFETY: the old tree is alive, as `new` requires.
        let replaced = self.replaced.iter().map(|node| unsafe { node.as_ref() });
        let mut parents: ArrayVec<_, 2> = replaced.filter(|node| node.height == 1).collect();
        if self.is_second {
            parents.reverse();
        }
        parents
    }

    /// Returns whether the replaced nodes have the children and entries that were copied.
    ///
    /// # Safety
    /// The caller holds the locks of the replaced parents of leaves.
    unsafe fn is_current(&self) -> bool {
        let mut copied = self.copied.iter();
        self.replaced.iter().all(|&node| {
            // SAFETY: the old tree is alive, as `new` requires.
            match unsafe { Node::kind(node) } {
                Kind::Leaf(leaf) => leaf.pairs[..leaf.node.len()].iter().all(|pair| {
                    let now = pair.load(Ordering::Relaxed);
                    copied.next() == Some(&now.cast())
                }),
                Kind::Inner(inner) if inner.node.height == 1 => {
                    let mut children = inner.children[..inner.node.len()].iter();
                    children.all(|child| {
                        let now = child.load(Ordering::Relaxed);
                        copied.next() == Some(&now.cast())
                    })
                }
                Kind::Inner(_) => true,
            }
        })
    }

    /// Publishes the draft, if nobody has replaced the tree it was made from, or changed the nodes that it replaces.
    /// Then retires these nodes. Otherwise frees the draft. Returns whether it was published.
    pub(super) fn publish(&mut self, root: &AtomicPtr<Node<K, V>>, domain: &Domain) -> bool {
        let published = self.exchange(root);
        if published {
            for node in self.replaced.drain(..) {
                // SAFETY: only threads that have loaded an older root, inside sections that are open, still find
                // the node.
                unsafe { Node::retire(node, domain) };
            }
        }
        published
    }

    fn exchange(&mut self, root: &AtomicPtr<Node<K, V>>) -> bool {
        let parents = self.parents();
        let locked: ArrayVec<_, 2> = parents.iter().map(|parent| parent.lock()).collect();
        // SAFETY: the locks are held.
        if !unsafe { self.is_current() } {
            return false;
        }
        // Before the exchange: in a child of a fork between the two, a writer may still have a path to a parent that
        // was replaced.
        locked.iter().for_each(Locked::mark_replaced);
        // Release: a thread that loads the root sees the nodes, and also those that other threads have published
        // and that the new nodes lead to (Acquire).
        let published =
            root.compare_exchange(self.from, self.to, Ordering::AcqRel, Ordering::Relaxed);
        if published.is_ok() {
            self.made.clear();
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

/// Marks a tree as replaced, and waits until no writer changes a leaf of it any more.
///
/// # Safety
/// The tree is alive, and is not the map's any more.
pub(super) unsafe fn settle<K, V>(root: *mut Node<K, V>) {
    let Some(root) = NonNull::new(root) else {
        return;
    };
    // SAFETY: it is alive, as the caller promises.
    let Kind::Inner(inner) = (unsafe { Node::kind(root) }) else {
        return;
    };
    if inner.node.height == 1 {
        inner.node.lock().mark_replaced();
        return;
    }
    for index in 0..inner.node.len() {
        // SAFETY: the tree is alive, as the caller promises.
        unsafe { settle(inner.child(index)) };
    }
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
        let nodes = level.len().div_ceil(most(height) * 3 / 4);
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
        let items = &mut Items::new();
        Node::items(root, items);
        for item in items {
            if item.child.is_null() {
                entry(NonNull::new(item.pair).expect("as many as there are"));
            } else {
                for_all(item.child, entry, node);
            }
        }
    }
    node(root);
}
