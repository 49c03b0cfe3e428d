//! Lists of one's own, without `unsafe`: a [`Link`] owns a [`Node`], which owns the next one.
//!
//! Readers follow links inside a section. Writers put new nodes in front of others and take nodes out, any
//! number of them at once, without locks. A node that is taken out is returned as an [`Unlinked`]
//! value, and a list that is cut off as a [`Chain`]. Readers may still see both; the caller retires them, waits
//! for the readers, or puts them elsewhere.
//!
//! | | what it does |
//! |---|---|
//! | [`Link::load`] | returns the node that the link owns |
//! | [`Link::push`] | inserts a new node in front; the other nodes follow it |
//! | [`Link::insert`] | does the same if a given node is still the first |
//! | [`Link::pop`] | takes the first node out; the next node takes its place |
//! | [`Link::remove`] | does the same if a given node is still the first |
//! | [`Link::take`], [`Link::put`] | takes all nodes out of the link, or puts a chain into it |
//! | [`Node::mark`] | decides that a node will be removed: nothing is inserted after it any more |
//!
//! A link is one word, and a node takes two words more than its value. All links of a structure belong to one
//! domain that is a type: [`Global`](crate::Global), or one that [`domain!`](crate::domain!) made. Values may
//! contain links, so trees can be built, too.
//!
//! # A stack
//! ```
//! use urcu::link::{Link, Removed};
//!
//! let stack = Link::empty();
//! stack.push("a").unwrap();
//! stack.push("b").unwrap();
//! let guard = urcu::read_lock();
//! let top: Removed<&str> = stack.pop(&guard).unwrap();
//! assert_eq!(*top, "b"); // Retired when it is dropped.
//! ```
//!
//! # A sorted list
//! [`Node::mark`] decides which thread removes a node: of all threads that mark it, one gets `true`. The node is
//! then taken out of the list by [`Link::remove`], now or by any thread that passes later. `remove` fails if
//! the link has changed or if the link's own node is being removed; the caller then starts again from the front.
//!
//! ```
//! use urcu::ReadGuard;
//! use urcu::link::{NodeBox, Link, Node};
//!
//! struct Set { first: Link<u32> }
//!
//! impl Set {
//!     /// The first link behind which all keys are `key` or greater, and its node.
//!     fn find<'g>(&'g self, key: u32, guard: &'g ReadGuard<'_>) -> (&'g Link<u32>, Option<&'g Node<u32>>) {
//!         'anew: loop {
//!             let mut link = &self.first;
//!             while let Some(node) = link.load(guard) {
//!                 if node.is_marked() {
//!                     if link.remove(node, guard).is_none() {
//!                         continue 'anew;
//!                     }
//!                 } else if **node >= key {
//!                     return (link, Some(node));
//!                 } else {
//!                     link = node.next();
//!                 }
//!             }
//!             return (link, None);
//!         }
//!     }
//!
//!     fn insert(&self, key: u32) -> bool {
//!         let guard = urcu::read_lock();
//!         let mut new = NodeBox::new(key);
//!         loop {
//!             let (link, node) = self.find(key, &guard);
//!             if node.is_some_and(|node| **node == key) {
//!                 return false;
//!             }
//!             match link.insert(node, new) {
//!                 Ok(()) => return true,
//!                 Err(back) => new = back,
//!             }
//!         }
//!     }
//!
//!     fn remove(&self, key: u32) -> bool {
//!         let guard = urcu::read_lock();
//!         while let (link, Some(node)) = self.find(key, &guard)
//!             && **node == key
//!         {
//!             if node.mark() {
//!                 drop(link.remove(node, &guard));
//!                 return true;
//!             }
//!         }
//!         false
//!     }
//! }
//!
//! let set = Set { first: Link::empty() };
//! assert!([3, 1, 2].into_iter().all(|key| set.insert(key)));
//! assert!(!set.insert(2) && set.remove(2) && !set.remove(2));
//! let guard = urcu::read_lock();
//! assert_eq!(set.first.iter(&guard).copied().collect::<Vec<_>>(), [1, 3]);
//! ```
//!
//! # Why it is sound
//! * A node has one owner: a link, a [`NodeBox`], an [`Unlinked`], a [`Chain`], or a callback that frees it.
//! * A node's `next` link is *marked* before the node is taken out, and a marked link never changes again.
//!   So the thread that takes the node out (one exchange of the link in front of it) knows the following node, and
//!   leaves it to the link in front. Readers that stand on the removed node still follow its link. The node they
//!   find there is freed only after a grace period that begins later, and so waits for them.
//! * Before a removed node is freed or given back, its link is cleared, because the link does not own the
//!   following node any more.
//! * A link that is dropped frees its nodes at once. Readers that found a node through this link have borrowed the
//!   link, or have ended before the node that contains the link was freed. Readers that found a node in another
//!   place, before it was [put](Link::put) here, are a separate case: a node remembers the grace period that waits
//!   for such readers, and passes it on to the node that takes its place. This also holds if the node was moved,
//!   and moved back, while a thread was about to take it out.

mod chain;
mod node;

use core::fmt;
use core::marker::PhantomData;
use core::ptr;

pub use chain::{Chain, Iter};
pub use node::{Node, NodeBox};

use super::{Global, StaticDomain, Unlinked};
use crate::sync::{self, AtomicPtr, Ordering};

/// A value that was taken out of a list by [`Link::pop`] or [`Link::remove`].
pub type Removed<T, D = Global> = Unlinked<NodeBox<T, D>, D>;

/// The word found in a link, and the node that could not be put there.
type Refused<T, D> = (*mut Node<T, D>, NodeBox<T, D>);

/// Set in a node's link that never changes again.
const MARK: usize = 1;

/// A pointer that owns a [`Node`] and all nodes that follow it, or nothing. See [the module](self).
pub struct Link<T: Send + Sync + 'static, D: StaticDomain = Global> {
    /// An address from `NodeBox::leak`, or null; either may have [`MARK`] set.
    word: AtomicPtr<Node<T, D>>,
    owns: PhantomData<Box<T>>,
}

// SAFETY: the values of its nodes may be read by other threads (`Sync`), and dropped or taken by any thread
// (`Send`); both are bounds of the type.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Send for Link<T, D> {}
// SAFETY: the values of its nodes may be read by other threads (`Sync`), and dropped or taken by any thread
// (`Send`); both are bounds of the type.
unsafe impl<T: Send + Sync + 'static, D: StaticDomain> Sync for Link<T, D> {}

fn is_marked<T>(word: *mut T) -> bool {
    word.addr() & MARK != 0
}

fn unmarked<T>(word: *mut T) -> *mut T {
    word.map_addr(|address| address & !MARK)
}

impl<T: Send + Sync + 'static> Link<T> {
    sync::const_fn! {
        /// Returns a link of the [`global`](crate::global) domain that owns nothing. Can be used in a
        /// `static`.
        pub fn empty() -> Self {
            Link::empty_in(Global)
        }
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Link<T, D> {
    sync::const_fn! {
        /// Returns a link of the given domain that owns nothing. Can be used in a `static`.
        ///
        /// ```
        /// use urcu::link::Link;
        ///
        /// urcu::domain!(Jobs = "jobs");
        /// static NEXT: Link<String, Jobs> = Link::empty_in(Jobs);
        /// # assert!(NEXT.is_empty());
        /// ```
        pub fn empty_in(_domain: D) -> Self {
            Link {
                word: AtomicPtr::new(ptr::null_mut()),
                owns: PhantomData,
            }
        }
    }

    /// Returns the first node that this link owns. The reference is valid as long as the guard lives and this link
    /// is borrowed.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
    ///
    /// # Cost
    /// One load.
    ///
    /// # Async-signal safety
    /// Safe in signal handlers.
    #[inline(always)]
    #[track_caller]
    pub fn load<'g>(&'g self, guard: &'g D::Guard<'_>) -> Option<&'g Node<T, D>> {
        check::<D>(guard);
        // SAFETY: the guard's section is open as long as the result lives.
        unsafe { self.follow() }
    }

    /// # Safety
    /// A section of the domain is open as long as the result lives. If this is a node's link, the section is the one
    /// in which the node was found.
    #[inline(always)]
    unsafe fn follow(&self) -> Option<&Node<T, D>> {
        // Acquire: pairs with the release of the store that put the node there.
        let node = unmarked(self.word.load(Ordering::Acquire));
        // SAFETY: null, or a node that this link owns, or has owned until the link's own node was taken out. In
        // either case the node is freed only after it was taken out, and a grace period that begins later. That
        // grace period waits for the section: either the section began before, because it found this link in its
        // place, or the link is borrowed from its owner.
        unsafe { node.as_ref() }
    }

    /// Returns whether this link owns nothing. For the link of a removed node, returns whether no node followed.
    pub fn is_empty(&self) -> bool {
        // Relaxed: nothing is followed.
        unmarked(self.word.load(Ordering::Relaxed)).is_null()
    }

    /// Returns an iterator over the values that this link owns.
    ///
    /// Nodes that are inserted or removed meanwhile may be missed.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
    #[track_caller]
    pub fn iter<'g>(&'g self, guard: &'g D::Guard<'_>) -> Iter<'g, T, D> {
        Iter::new(self.load(guard))
    }

    /// Inserts a new node in front of the nodes that this link owns.
    ///
    /// # Errors
    /// Returns `node` if this is the link of a node that is being removed.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn push(&self, new: impl Into<NodeBox<T, D>>) -> Result<(), NodeBox<T, D>> {
        let mut new = new.into();
        // Relaxed: the node found is not read here. Readers reach it through the new node's link, and our exchange
        // continues the release sequence of the store that published it.
        let mut seen = self.word.load(Ordering::Relaxed);
        while !is_marked(seen) {
            match self.exchange_for(seen, new) {
                Ok(()) => return Ok(()),
                Err((found, back)) => (seen, new) = (found, back),
            }
        }
        Err(new)
    }

    /// Inserts a new node in front of `before`, or at the end if `before` is `None`.
    ///
    /// # Errors
    /// Returns the node if `before` is not the first node of this link any more, or if this is the link of a node
    /// that is being removed.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    pub fn insert(
        &self,
        before: Option<&Node<T, D>>,
        new: impl Into<NodeBox<T, D>>,
    ) -> Result<(), NodeBox<T, D>> {
        let new = new.into();
        let before = before.map_or(ptr::null(), ptr::from_ref);
        let seen = self.word.load(Ordering::Relaxed);
        // `before` has no mark, so a marked link never equals it.
        if !ptr::addr_eq(seen, before) {
            return Err(new);
        }
        self.exchange_for(seen, new).map_err(|(_, back)| back)
    }

    /// Replaces `seen` by `new`, which then owns `seen`. On failure, returns the word found and `new`.
    fn exchange_for(&self, seen: *mut Node<T, D>, new: NodeBox<T, D>) -> Result<(), Refused<T, D>> {
        let new = new.leak();
        // SAFETY: just leaked, and not shared before the exchange.
        let next = unsafe { &(*new).next };
        // Relaxed: the exchange publishes it.
        next.word.store(seen, Ordering::Relaxed);
        // Release: a thread that finds the node sees its content. As a read-modify-write, the exchange also
        // continues the release sequence of the store that put `seen` here.
        match self
            .word
            .compare_exchange(seen, new, Ordering::Release, Ordering::Relaxed)
        {
            Ok(_) => Ok(()),
            Err(found) => {
                next.word.store(ptr::null_mut(), Ordering::Relaxed);
                // SAFETY: leaked above, and never published, so it owns nothing.
                Err((found, unsafe { NodeBox::of(new) }))
            }
        }
    }

    /// Takes the first node out and returns its value; the next node takes its place. Returns `None` if there is no
    /// node, or if this is the link of a node that is being removed.
    ///
    /// If two threads take the same node out at the same time, one of them gets it. This call [marks](Node::mark)
    /// the node, and the node stays marked if another node is inserted in front of it meanwhile.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    #[track_caller]
    pub fn pop(&self, guard: &D::Guard<'_>) -> Option<Removed<T, D>> {
        check::<D>(guard);
        loop {
            // Acquire: as in `load`.
            let seen = self.word.load(Ordering::Acquire);
            if is_marked(seen) || seen.is_null() {
                return None;
            }
            // SAFETY: loaded from this link in the guard's section, which belongs to the domain and keeps the node
            // alive. The word is neither null nor marked.
            if let Some(unlinked) = unsafe { self.unlink(seen) } {
                return Some(unlinked);
            }
        }
    }

    /// Takes `node` out if it is the first node of this link, as [`pop`](Self::pop) does. `node` is
    /// [marked](Node::mark) in any case.
    ///
    /// To take out a node further behind, call this on the link in front of it: [`Node::next`] of the node before.
    ///
    /// # Panics
    /// Panics if the guard belongs to another domain.
    ///
    /// # Async-signal safety
    /// Not safe in signal handlers.
    #[track_caller]
    pub fn remove(&self, node: &Node<T, D>, guard: &D::Guard<'_>) -> Option<Removed<T, D>> {
        check::<D>(guard);
        node.mark();
        // The node's address as this link holds it. Relaxed: the caller has a reference, so it sees the node's
        // content already.
        let seen = self.word.load(Ordering::Relaxed);
        if !ptr::eq(seen, node) {
            return None;
        }
        // SAFETY: loaded from this link in the guard's section, which belongs to the domain and keeps the node alive.
        // The word equals `node`, so it is neither null nor marked.
        unsafe { self.unlink(seen) }
    }

    /// Takes the node at address `seen` out, if this link still holds it.
    ///
    /// # Safety
    /// `seen` was loaded from this link inside a section of the domain that is still open, and is neither null nor
    /// marked.
    unsafe fn unlink(&self, seen: *mut Node<T, D>) -> Option<Removed<T, D>> {
        // SAFETY: the section in which it was loaded is still open, as the caller promises.
        let node = unsafe { &*seen };
        // `next` is final, because the node's link is marked from now on.
        let next = node.freeze();
        // SAFETY: null, or owned by the node as long as the node is in the structure, so the section keeps it alive.
        if let Some(next) = unsafe { next.as_ref() } {
            // Before the exchange, which publishes it. If the exchange fails, this was not needed and does no harm.
            // SAFETY: the section keeps `next` alive, and the nodes that would take its place.
            unsafe { next.inherit(node) };
        }
        // Release: a thread that finds `next` here sees its content, which `freeze` has acquired, and what it has
        // inherited. Acquire is not needed: the caller has loaded `seen` with acquire.
        let exchanged =
            self.word
                .compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed);
        // SAFETY: we have taken the node out of the only link that owned it. Its own link owns nothing any more
        // (`NodeBox::from_raw` clears it).
        exchanged
            .is_ok()
            .then(|| unsafe { Unlinked::new(Node::value_of(seen).cast(), D::THIS) })
    }

    /// Takes out all nodes that this link owns. Returns `None` if there are none, or if this is the link of a node
    /// that is being removed.
    pub fn take(&self) -> Option<Chain<T, D>> {
        self.replace(ptr::null_mut()).ok().flatten()
    }

    /// Puts a chain into this link, and returns the nodes that the link owned before.
    ///
    /// # Errors
    /// Returns the chain if this is the link of a node that is being removed.
    ///
    /// ```
    /// use urcu::link::Link;
    ///
    /// let [new, old] = [Link::empty(), Link::empty()];
    /// ["b", "a"].map(|value| new.push(value).unwrap());
    /// // A reader that is in `new` just now may still see both nodes, and continues to the end.
    /// old.put(new.take().unwrap()).unwrap();
    /// let guard = urcu::read_lock();
    /// assert_eq!(old.iter(&guard).copied().collect::<String>(), "ab");
    /// ```
    pub fn put(&self, chain: Chain<T, D>) -> Result<Option<Chain<T, D>>, Chain<T, D>> {
        let first = chain.leak();
        // SAFETY: the nodes belong to the chain, which is ours; nobody takes out what follows a marked node.
        unsafe { (*first).note_readers_elsewhere() };
        // SAFETY: `first` was leaked above, and is not published.
        self.replace(first)
            .map_err(|first| unsafe { Chain::of(first) })
    }

    /// Empties a link that is not shared, and returns the node that it owned, or null.
    fn give_up(&mut self) -> *mut Node<T, D> {
        let first = unmarked(*self.word.get_mut());
        self.word.store(ptr::null_mut(), Ordering::Relaxed);
        first
    }

    /// Replaces the nodes of this link by the chain that begins with `first`, or by nothing if `first` is null. The
    /// link then owns the chain. Returns the replaced nodes, or `first` if this link is marked.
    fn replace(&self, first: *mut Node<T, D>) -> Result<Option<Chain<T, D>>, *mut Node<T, D>> {
        let mut seen = self.word.load(Ordering::Relaxed);
        while !is_marked(seen) {
            // Release: as in `exchange_for`. Acquire: the caller may read and drop the replaced nodes.
            match self
                .word
                .compare_exchange(seen, first, Ordering::AcqRel, Ordering::Relaxed)
            {
                // SAFETY: null, or taken out of the only link that owned it.
                Ok(old) => return Ok((!old.is_null()).then(|| unsafe { Chain::of(old) })),
                Err(found) => seen = found,
            }
        }
        Err(first)
    }
}

/// Checks that the guard belongs to the domain.
#[inline(always)]
#[track_caller]
fn check<D: StaticDomain>(guard: &D::Guard<'_>) {
    if !D::THIS.owns(guard) {
        wrong_guard::<D>(guard);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn wrong_guard<D: StaticDomain>(guard: &D::Guard<'_>) -> ! {
    panic!(
        "a link of {} was used with a guard of {}",
        D::get(),
        guard.as_ref().domain()
    );
}

impl<T: Send + Sync + 'static, D: StaticDomain> Default for Link<T, D> {
    /// Returns a link that owns nothing.
    fn default() -> Self {
        Link::empty_in(D::THIS)
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> Drop for Link<T, D> {
    /// Drops all nodes that this link owns. They are dropped at once, except those that readers may still see who
    /// found them in another place.
    fn drop(&mut self) {
        // SAFETY: owned by this link, which is exclusively borrowed.
        unsafe { node::release(self.give_up()) };
    }
}

impl<T: Send + Sync + 'static, D: StaticDomain> fmt::Debug for Link<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
