//! The two ends, and what changes the links: always one thread at a time, and never code of the user's.
//!
//! # What readers may rely on
//! The links to the right alone are a list as RCU knows it, and so are those to the left: each insertion and
//! each removal is one store to each. A node that was removed keeps its own links. So a walk in one direction
//! gets from any node on which it stands to the end, and passes by nothing that was there all the time.
//!
//! Both directions agree by a third word, the item's *home*: a node counts for what is in the list if it is
//! the home of its item. That is stored after both links to the node are, and taken back before either is
//! undone. A move gives the item another node and stores that one as its home, so that an item has one place
//! at each moment; whoever stands on the old node goes on from there.

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

/// A null pointer among the links is an end of the list: what is before the first node and behind the last.
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

    /// Returns the link that leads on from a node, or into the list from its other end.
    ///
    /// # Safety
    /// The node is null, or was found in a section that is open, or is the caller's.
    #[inline]
    unsafe fn link(&self, node: *mut Node<T>, to: To) -> &AtomicPtr<Node<T>> {
        // SAFETY: alive, or null.
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
        // SAFETY: the same.
        unsafe { self.link(node, to) }.load(Ordering::Acquire)
    }

    /// Returns the next node that is in the list; null is the end.
    ///
    /// # Safety
    /// As for `link`.
    #[inline]
    pub(super) unsafe fn next_linked(&self, node: *mut Node<T>, to: To) -> *mut Node<T> {
        // SAFETY: what is found from there is alive as long.
        unsafe {
            let mut node = self.step(node, to);
            while node.as_ref().is_some_and(|node| !node.is_linked()) {
                node = self.step(node, to);
            }
            node
        }
    }

    /// Returns the node itself if it is in the list, or an end; or else the next one in that direction.
    ///
    /// # Safety
    /// As for `link`.
    #[inline]
    pub(super) unsafe fn this_or_next(&self, node: *mut Node<T>, to: To) -> *mut Node<T> {
        // SAFETY: the same.
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
        // SAFETY: in the list.
        unsafe { locked.unlink(node) };
        Some(node)
    }
}

/// The links, of the only thread that changes them.
pub(super) struct Locked<'l, T> {
    links: &'l Links<T>,
}

impl<T> Locked<'_, T> {
    /// Returns the first node to come to in a direction. All nodes are in the list, here.
    pub(super) fn end(&self, to: To) -> Option<NonNull<Node<T>>> {
        let end = match to {
            To::Back => &self.links.front,
            To::Front => &self.links.back,
        };
        NonNull::new(end.load(Ordering::Relaxed))
    }

    /// Links an item by a node, beside another one or at an end: `to` leads from the neighbour to the node.
    ///
    /// # Safety
    /// * The node is the item's, and was never linked; its item is in no list, or in this one.
    /// * The neighbour is in this list, or null.
    pub(super) unsafe fn insert(&self, node: NonNull<Node<T>>, neighbour: *mut Node<T>, to: To) {
        // SAFETY: the same; an item is alive as its node is.
        unsafe {
            self.put(node, neighbour, to);
            node.as_ref().item().as_ref().settle(node);
        }
        self.count(1);
    }

    /// Links an item of this list by another node, and returns its old one, which is unlinked.
    ///
    /// # Safety
    /// As for `insert`; the item is in this list.
    pub(super) unsafe fn relink(
        &self,
        node: NonNull<Node<T>>,
        neighbour: *mut Node<T>,
        to: To,
    ) -> Option<NonNull<Node<T>>> {
        // SAFETY: the same.
        unsafe {
            let item: &Item<T> = node.as_ref().item().as_ref();
            let old = item.home()?;
            self.put(node, neighbour, to);
            item.settle(node);
            self.cut(old);
            Some(old)
        }
    }

    /// Takes a node, and its item, out of the list.
    ///
    /// # Safety
    /// The node is in this list.
    pub(super) unsafe fn unlink(&self, node: NonNull<Node<T>>) {
        // SAFETY: the same; an item is alive as its node is.
        unsafe {
            node.as_ref().item().as_ref().leave(node);
            self.cut(node);
        }
        self.count(usize::MAX);
    }

    unsafe fn put(&self, node: NonNull<Node<T>>, neighbour: *mut Node<T>, to: To) {
        // SAFETY: nodes of this list, which nobody else changes; and a new one.
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
            // To the right first: `repair` relies on that.
            publish(self.links.link(before, To::Back), new);
            publish(self.links.link(behind, To::Front), new);
        }
    }

    unsafe fn cut(&self, node: NonNull<Node<T>>) {
        // SAFETY: nodes of this list, which nobody else changes.
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

    /// In a child: the thread that had the lock is not there, and was in the middle of something. To the right
    /// the list is whole after each store; what it has begun to put in or to take out is left out.
    #[cold]
    fn repair(&self) {
        let (mut last, mut len) = (ptr::null_mut(), 0);
        // SAFETY: nodes that are reached are alive, and nobody else changes links.
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

/// Stores a pointer by which readers find their way.
pub(super) fn publish<T>(place: &AtomicPtr<T>, pointer: *mut T) {
    // Release: pairs with the acquires in `Links::step` and of homes. Who finds a node sees what is in it; and
    // all that was put in, or taken out, before.
    place.store(pointer, Ordering::Release);
    #[cfg(test)]
    super::tests::point();
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        self.links.lock.unlock();
    }
}
