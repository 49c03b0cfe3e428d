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
        // Acquire: pairs with the releases in `put` and `unlink`.
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
            // Release: who finds the node sees what is in it. To the right first: `repair` relies on that.
            self.links
                .link(before, To::Back)
                .store(new, Ordering::Release);
            self.links
                .link(behind, To::Front)
                .store(new, Ordering::Release);
        }
    }

    unsafe fn cut(&self, node: NonNull<Node<T>>) {
        // SAFETY: nodes of this list, which nobody else changes.
        unsafe {
            let next = node.as_ref().next.load(Ordering::Relaxed);
            let prev = node.as_ref().prev.load(Ordering::Relaxed);
            // Release: who finds the neighbour by these sees what is in it, and that the node is not in the
            // list any more.
            self.links
                .link(prev, To::Back)
                .store(next, Ordering::Release);
            self.links
                .link(next, To::Front)
                .store(prev, Ordering::Release);
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
                    here.as_ref().prev.store(last, Ordering::Release);
                    (last, len) = (node, len + 1);
                } else {
                    self.links
                        .link(last, To::Back)
                        .store(next, Ordering::Release);
                }
                node = next;
            }
        }
        self.links.back.store(last, Ordering::Release);
        self.links.len.store(len, Ordering::Relaxed);
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        self.links.lock.unlock();
    }
}

/// A child finds a list as it was between two stores of a thread that is not there.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::node::take;

    fn filled() -> Links<u32> {
        let links = Links::new();
        for value in 0..4 {
            let node = Item::first(Item::allocate(value));
            // SAFETY: new, at the end.
            unsafe { links.lock().insert(node, ptr::null_mut(), To::Front) };
        }
        links
    }

    /// All that can be reached, in each direction, whether it is in the list or not.
    fn values(links: &Links<u32>, to: To) -> Vec<u32> {
        let mut values = Vec::new();
        // SAFETY: nobody else uses them.
        unsafe {
            let mut node = links.step(ptr::null_mut(), to);
            while let Some(here) = NonNull::new(node) {
                values.push(here.as_ref().item().as_ref().value);
                node = links.step(node, to);
            }
        }
        values
    }

    fn is_repaired(mut links: Links<u32>, expected: &[u32]) {
        links.lock.abandon();
        drop(links.lock());
        assert_eq!(values(&links, To::Back), expected);
        assert!(values(&links, To::Front).iter().eq(expected.iter().rev()));
        assert_eq!(links.len(), expected.len());
        while let Some(node) = links.take_mut(To::Back) {
            // SAFETY: nobody else has it.
            unsafe { take(node) };
        }
    }

    fn third(links: &Links<u32>) -> NonNull<Node<u32>> {
        // SAFETY: nobody else uses them.
        unsafe {
            let first = links.step(ptr::null_mut(), To::Back);
            NonNull::new(links.step(links.step(first, To::Back), To::Back)).unwrap()
        }
    }

    #[test]
    fn what_was_being_inserted_at_a_fork_is_left_out() {
        for stores in 1..=2 {
            for to in [To::Back, To::Front] {
                for neighbour in [None, Some(())] {
                    let links = filled();
                    let beside = neighbour.map_or(ptr::null_mut(), |()| third(&links).as_ptr());
                    let item = Item::allocate(9);
                    let node = Item::first(item);
                    // SAFETY: new, beside one that is in the list, or an end.
                    unsafe {
                        links.lock().put(node, beside, to);
                        if stores == 1 {
                            // The link to the left is not there yet.
                            let behind = node.as_ref().next.load(Ordering::Relaxed);
                            let before = node.as_ref().prev.load(Ordering::Relaxed);
                            links
                                .link(behind, To::Front)
                                .store(before, Ordering::Relaxed);
                        }
                    }
                    is_repaired(links, &[0, 1, 2, 3]);
                    // SAFETY: in no list.
                    unsafe { take(node) };
                }
            }
        }
    }

    #[test]
    fn what_was_being_removed_at_a_fork_is_removed() {
        for stores in 1..=2 {
            let links = filled();
            let node = third(&links);
            // SAFETY: in the list.
            unsafe {
                node.as_ref().item().as_ref().leave(node);
                if stores == 2 {
                    let next = node.as_ref().next.load(Ordering::Relaxed);
                    let prev = node.as_ref().prev.load(Ordering::Relaxed);
                    links.link(prev, To::Back).store(next, Ordering::Relaxed);
                }
            }
            is_repaired(links, &[0, 1, 3]);
            // SAFETY: in no list.
            unsafe { take(node) };
        }
    }

    #[test]
    fn what_was_being_moved_at_a_fork_has_one_place() {
        for is_settled in [false, true] {
            let links = filled();
            let old = third(&links);
            // SAFETY: the item's new node, at the front.
            unsafe {
                let item = old.as_ref().item();
                let new = Item::another(item);
                links.lock().put(new, ptr::null_mut(), To::Back);
                if is_settled {
                    item.as_ref().settle(new);
                    is_repaired(links, &[2, 0, 1, 3]);
                } else {
                    is_repaired(links, &[0, 1, 2, 3]);
                    drop(Box::from_raw(new.as_ptr()));
                }
            }
        }
    }
}
