//! The two ends of a list, and all changes of links. One thread at a time changes links, and no user code runs
//! meanwhile.
//!
//! # What readers may rely on
//! The links to the right alone form an ordinary RCU list, and so do the links to the left: each insertion and each
//! removal is one store to either. A removed node keeps its own links. So a walk in one direction gets from any
//! node to the end, and misses no node that was there all the time.
//!
//! A third word, the item's *home*, makes both directions agree: a node is in the list if it is the home of its
//! item. The home is stored after both links to the node, and cleared before either link is removed. A move gives
//! the item another node and stores that node as its home, so an item has one place at each moment. A reader that
//! stands on the old node continues from there.

use core::ptr::{self, NonNull};

use super::node::{Item, Node};
use crate::lock::{Got, Lock};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, const_fn};

#[cfg(test)]
mod tests;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Back,
    Front,
}

impl To {
    pub(super) fn other(self) -> To {
        match self {
            To::Back => To::Front,
            To::Front => To::Back,
        }
    }
}

/// The links from the ends of a list. A null link is an end of the list: before the first node, or behind the last.
pub(super) struct Links<T> {
    front: AtomicPtr<Node<T>>,
    back: AtomicPtr<Node<T>>,
    len: AtomicUsize,
    lock: Lock,
}

impl<T> Links<T> {
    const_fn! {
        pub(super) fn new() -> Self {
            Links {
                front: AtomicPtr::new(ptr::null_mut()),
                back: AtomicPtr::new(ptr::null_mut()),
                len: AtomicUsize::new(0),
                lock: Lock::new(),
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Returns a node's link in a direction; for null, the link into the list from the end at which that direction
    /// begins.
    ///
    /// # Safety
    /// The node is null, or was found in a section that is open, or the caller owns it.
    #[inline]
    unsafe fn link(&self, node: *mut Node<T>, to: To) -> &AtomicPtr<Node<T>> {
        // SAFETY: the node is null or alive, as the caller promises.
        match (unsafe { node.as_ref() }, to) {
            (Some(node), To::Back) => &node.next,
            (Some(node), To::Front) => &node.prev,
            (None, To::Back) => &self.front,
            (None, To::Front) => &self.back,
        }
    }

    /// Returns the next node, whether it is in the list or not; null is the end.
    ///
    /// # Safety
    /// As for `link`.
    #[inline]
    pub(super) unsafe fn step(&self, node: *mut Node<T>, to: To) -> *mut Node<T> {
        #[cfg(test)]
        super::tests::point();
        // Acquire: pairs with the release in `publish`.
        // SAFETY: the caller promises the same.
        unsafe { self.link(node, to) }.load(Ordering::Acquire)
    }

    /// Returns the next node that is in the list; null is the end.
    ///
    /// # Safety
    /// As for `link`.
    #[inline]
    pub(super) unsafe fn next_linked(&self, node: *mut Node<T>, to: To) -> *mut Node<T> {
        // SAFETY: nodes that are found from this one live as long.
        unsafe {
            let mut node = self.step(node, to);
            while node.as_ref().is_some_and(|node| !node.is_linked()) {
                node = self.step(node, to);
            }
            node
        }
    }

    /// Returns the node itself if it is in the list or is an end. Otherwise returns the next node in the list in
    /// that direction.
    ///
    /// # Safety
    /// As for `link`.
    #[inline]
    pub(super) unsafe fn this_or_next(&self, node: *mut Node<T>, to: To) -> *mut Node<T> {
        // SAFETY: the caller promises the same.
        unsafe {
            match node.as_ref() {
                Some(here) if !here.is_linked() => self.next_linked(node, to),
                _ => node,
            }
        }
    }

    /// Locks the list against other writers.
    pub(super) fn lock(&self) -> Locked<'_, T> {
        let got = self.lock.lock();
        let locked = Locked { links: self };
        if got == Got::Inherited {
            locked.repair();
        }
        locked
    }

    /// Takes the first node, or the last, out of a list that nobody else uses.
    pub(super) fn take_mut(&mut self, to: To) -> Option<NonNull<Node<T>>> {
        let locked = self.lock();
        let node = locked.end(to)?;
        // SAFETY: the node is in the list.
        unsafe { locked.unlink(node) };
        Some(node)
    }
}

/// The links of a locked list: no other thread changes them.
pub(super) struct Locked<'l, T> {
    links: &'l Links<T>,
}

impl<T> Locked<'_, T> {
    /// Returns the first node in a direction. While the list is locked, all linked nodes are in the list.
    pub(super) fn end(&self, to: To) -> Option<NonNull<Node<T>>> {
        let end = match to {
            To::Back => &self.links.front,
            To::Front => &self.links.back,
        };
        NonNull::new(end.load(Ordering::Relaxed))
    }

    /// Links an item's node beside another node, or at an end. `to` is the direction from the neighbour to the
    /// node.
    ///
    /// # Safety
    /// * The node belongs to an item that is in no list, or in this one. The node was never linked.
    /// * The neighbour is in this list, or null.
    pub(super) unsafe fn insert(&self, node: NonNull<Node<T>>, neighbour: *mut Node<T>, to: To) {
        // SAFETY: the caller promises it; an item lives as long as its node.
        unsafe {
            self.put(node, neighbour, to);
            node.as_ref().item().as_ref().settle(node);
        }
        self.count(1);
    }

    /// Links an item of this list by another node. Unlinks its old node and returns it.
    ///
    /// # Safety
    /// As for `insert`; the item is in this list.
    pub(super) unsafe fn relink(
        &self,
        node: NonNull<Node<T>>,
        neighbour: *mut Node<T>,
        to: To,
    ) -> Option<NonNull<Node<T>>> {
        // SAFETY: the caller promises the same.
        unsafe {
            let item: &Item<T> = node.as_ref().item().as_ref();
            let old = item.home()?;
            self.put(node, neighbour, to);
            item.settle(node);
            self.cut(old);
            Some(old)
        }
    }

    /// Unlinks a node, and so removes its item from the list.
    ///
    /// # Safety
    /// The node is in this list.
    pub(super) unsafe fn unlink(&self, node: NonNull<Node<T>>) {
        // SAFETY: the caller promises it; an item lives as long as its node.
        unsafe {
            node.as_ref().item().as_ref().leave(node);
            self.cut(node);
        }
        self.count(usize::MAX);
    }

    unsafe fn put(&self, node: NonNull<Node<T>>, neighbour: *mut Node<T>, to: To) {
        // SAFETY: these are nodes of this list, which nobody else changes, and a new one.
        unsafe {
            let beyond = self.links.link(neighbour, to).load(Ordering::Relaxed);
            let new = node.as_ptr();
            self.links.link(new, to).store(beyond, Ordering::Relaxed);
            self.links
                .link(new, to.other())
                .store(neighbour, Ordering::Relaxed);
            let (before, behind) = match to {
                To::Back => (neighbour, beyond),
                To::Front => (beyond, neighbour),
            };
            // The link to the right first: `repair` relies on that.
            publish(self.links.link(before, To::Back), new);
            publish(self.links.link(behind, To::Front), new);
        }
    }

    unsafe fn cut(&self, node: NonNull<Node<T>>) {
        // SAFETY: these are nodes of this list, which nobody else changes.
        unsafe {
            let next = node.as_ref().next.load(Ordering::Relaxed);
            let prev = node.as_ref().prev.load(Ordering::Relaxed);
            publish(self.links.link(prev, To::Back), next);
            publish(self.links.link(next, To::Front), prev);
        }
    }

    fn count(&self, more: usize) {
        let len = self.links.len().wrapping_add(more);
        self.links.len.store(len, Ordering::Relaxed);
    }

    /// Repairs the list in a forked child, if the lock's holder was lost in the middle of a change. The links to
    /// the right form a whole list after each store. A node that was being inserted or removed is left out.
    #[cold]
    fn repair(&self) {
        let (mut last, mut len) = (ptr::null_mut(), 0);
        // SAFETY: nodes that can be reached are alive, and nobody else changes links.
        unsafe {
            let mut node = self.links.step(ptr::null_mut(), To::Back);
            while let Some(here) = NonNull::new(node) {
                let next = self.links.step(node, To::Back);
                if here.as_ref().is_linked() {
                    publish(&here.as_ref().prev, last);
                    (last, len) = (node, len + 1);
                } else {
                    publish(self.links.link(last, To::Back), next);
                }
                node = next;
            }
        }
        publish(&self.links.back, last);
        self.links.len.store(len, Ordering::Relaxed);
    }
}

/// Stores a link or a home, which readers follow.
pub(super) fn publish<T>(place: &AtomicPtr<T>, pointer: *mut T) {
    // Release: pairs with the acquires in `Links::step` and of homes. A thread that finds a node sees its content,
    // and all earlier insertions and removals.
    place.store(pointer, Ordering::Release);
    #[cfg(test)]
    super::tests::point();
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        self.links.lock.unlock();
    }
}
