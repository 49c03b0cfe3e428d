//! An ordered map: a B+-tree of which the leaves' parents have mutable children, and the other nodes none.
//!
//! A writer searches inside a section, without a lock; only there the user's comparisons run, which may panic or use
//! the same map. Then there are three kinds of change:
//!
//! * **In the leaf**: an entry is replaced by one with the same key. One store to the leaf.
//! * **Of the leaf**: a new leaf is made beside the old one. One store to the parent.
//! * **Of the tree**: a leaf is split, or joined with a sibling. The nodes on the path from the root are made anew,
//!   and the root is exchanged.
//!
//! The lock of a leaf's parent protects the parent's children, the entries of these leaves, and a mark that the parent
//! was replaced. A writer allocates before it takes the lock, and then checks that the tree is as it was found: that
//! the parent was not replaced, that it has the leaf, and that the leaf has the entry. A change of the tree takes the
//! locks of the parents that it replaces, one or two, checks that what was copied is still there, marks the parents,
//! and exchanges the root if it is the same. So changes of leaves fail only if the leaf or its parent has changed, and
//! changes of the tree only if another one was first.
//!
//! A reader takes no lock. It goes from one node to the next, each of which is whole. If a node was replaced
//! meanwhile, the reader has the old one, which does not change any more, and what it leads to is alive as long as
//! the reader's section: it was unlinked later than the node. The keys between two separators are in the leaf between
//! them, whichever leaf that is. So a range meets each key that is there all the time once, and in order.
//!
//! An inner node holds the address of the entry that separates two children. Such an entry is not removed or replaced
//! without a change of the tree: see `Draft::put`. A leaf that is the root has no parent, so it never changes, and
//! the root is exchanged.
//!
//! A lock of a thread that was lost in a fork is taken over. The tree is whole before and after each store, so there
//! is nothing to repair. A parent may have the mark and still be in the tree; so a marked parent is taken for replaced
//! only by a writer that found it below another root.

mod edit;
mod fresh;
mod iter;
mod map;
mod node;
mod order;
mod pinned;
mod search;
#[cfg(test)]
mod tests;
mod traits;
mod tree;

pub use iter::Range;
pub use map::BTreeMap;
pub use pinned::BTreeMapRef;
