//! A queue of callbacks for one worker, linked through the heads themselves.

use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::heads::HeadFunction;

/// The words of a `struct rcu_head` that the library uses while it waits in a [`Queue`].
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Head {
    next: *mut Head,
    function: HeadFunction,
}

const _: () = assert!(size_of::<Head>() == size_of::<urcu::raw::RcuHead>());
const _: () = assert!(align_of::<Head>() == align_of::<urcu::raw::RcuHead>());

impl Head {
    /// Returns a head of the library's own.
    pub(crate) const fn new(function: HeadFunction) -> Self {
        Head {
            next: ptr::null_mut(),
            function,
        }
    }
}

/// A chain of heads, the first to be called first.
#[derive(Debug)]
pub(crate) struct Batch(*mut Head);

impl Batch {
    /// Returns whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// Takes the first head out, with its function.
    pub(crate) fn pop(&mut self) -> Option<(*mut Head, HeadFunction)> {
        let head = self.0;
        // SAFETY: null, or a head that its owner keeps alive until its function is called, which happens
        // after it has been taken out here.
        let first = unsafe { head.as_ref() }?;
        self.0 = first.next;
        Some((head, first.function))
    }
}

/// Any number of threads push; one takes all.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The head that was pushed last, or [`closed`].
    last: AtomicPtr<Head>,
}

/// Stands for a queue that takes nothing. No head lies there: they are aligned.
fn closed() -> *mut Head {
    ptr::without_provenance_mut(1)
}

/// The outcome of pushing a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is the only one.
    First,
    /// Others were there.
    Behind,
    /// The queue is closed: the head is still the caller's.
    Refused,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Queue {
            last: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Appends a head.
    ///
    /// # Safety
    /// `head` is valid for writes, and nobody else's until `function` is called, or it is refused.
    pub(crate) unsafe fn push(&self, head: *mut Head, function: HeadFunction) -> Pushed {
        let mut last = self.last.load(Relaxed);
        loop {
            if last == closed() {
                return Pushed::Refused;
            }
            // SAFETY: valid for writes and ours until it is published, by the caller.
            unsafe { head.write(Head { next: last, function }) };
            // Release: pairs with the acquire in `take`, for this and all earlier heads (their exchanges head
            // release sequences that the later ones continue): what an updater unpublished before it queued
            // a head comes before the grace period that the worker then asks for.
            match self.last.compare_exchange_weak(last, head, Release, Relaxed) {
                Ok(_) if last.is_null() => return Pushed::First,
                Ok(_) => return Pushed::Behind,
                Err(other) => last = other,
            }
        }
    }

    /// Returns whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: whoever finds something takes it by `take`, which acquires.
        let last = self.last.load(Relaxed);
        last.is_null() || last == closed()
    }

    /// Takes all, in the order in which it was pushed.
    pub(crate) fn take(&self) -> Batch {
        if self.is_empty() {
            return Batch(ptr::null_mut());
        }
        // Only its one taker opens or closes a queue, so it is open.
        self.replace(ptr::null_mut())
    }

    /// Takes all, and lets nothing more in.
    pub(crate) fn close(&self) -> Batch {
        self.replace(closed())
    }

    /// Lets heads in again, or forgets those that are there, which a child of `fork` does.
    pub(crate) fn open(&self) {
        // Release: pairs with the exchange in `push`: who pushes sees what the new owner has set before.
        self.last.store(ptr::null_mut(), Release);
    }

    fn replace(&self, with: *mut Head) -> Batch {
        // Acquire: pairs with `push`.
        let mut next = self.last.swap(with, Acquire);
        let mut first = ptr::null_mut();
        if next == closed() {
            return Batch(first);
        }
        while !next.is_null() {
            let head = next;
            // SAFETY: a head that was pushed and not called yet, so alive and this queue's; taken out here.
            unsafe {
                next = (*head).next;
                (*head).next = first;
            }
            first = head;
        }
        Batch(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn nothing(_: *mut urcu::raw::RcuHead) {}

    #[test]
    fn heads_are_taken_in_the_order_they_came_in_and_a_closed_queue_takes_none() {
        let queue = Queue::new();
        let mut heads = [const { Head::new(nothing) }; 3];
        let addresses: Vec<*mut Head> = heads.iter_mut().map(ptr::from_mut).collect();
        // SAFETY: heads that live as long as this test, and are looked at by nobody else.
        let push = |index: usize| unsafe { queue.push(addresses[index], nothing) };
        assert!(queue.take().is_empty());
        assert_eq!(push(0), Pushed::First);
        assert_eq!(push(1), Pushed::Behind);
        let mut batch = queue.close();
        assert_eq!(push(2), Pushed::Refused);
        assert!(queue.is_empty() && queue.take().is_empty() && queue.close().is_empty());
        assert_eq!(batch.pop().unwrap().0, addresses[0]);
        assert_eq!(batch.pop().unwrap().0, addresses[1]);
        assert!(batch.pop().is_none());
        queue.open();
        assert_eq!(push(2), Pushed::First);
        assert!(!queue.is_empty());
        assert_eq!(queue.take().pop().unwrap().0, addresses[2]);
    }
}
