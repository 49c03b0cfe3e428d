//! A queue of callbacks for one worker, linked through the heads themselves.

use core::ptr;
use core::sync::atomic::{
    AtomicPtr,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::heads::HeadFunction;

/// A `struct rcu_head`, as the library uses its words while the head waits in a [`Queue`].
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

/// A chain of heads, in the order in which their functions are to be called.
#[derive(Debug)]
pub(crate) struct Batch(*mut Head);

impl Batch {
    /// Returns whether the chain is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    /// Takes the first head out, with its function.
    pub(crate) fn pop(&mut self) -> Option<(*mut Head, HeadFunction)> {
        let head = self.0;
        // SAFETY: the pointer is null or leads to a head that its owner keeps alive until the head's function is
        // called, which happens after the head has been taken out here.
        let first = unsafe { head.as_ref() }?;
        self.0 = first.next;
        Some((head, first.function))
    }
}

/// A queue to which any number of threads push, and from which one thread takes all heads at once.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The head that was pushed last, or [`closed`].
    last: AtomicPtr<Head>,
}

/// The word of a queue that accepts nothing. It is no head's address, because heads are aligned.
fn closed() -> *mut Head {
    ptr::without_provenance_mut(1)
}

/// The outcome of pushing a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The head was pushed. It is the only one in the queue.
    First,
    /// The head was pushed. The queue already had others.
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
    /// `head` is valid for writes. Nobody else uses it until `function` is called, or until it is refused.
    pub(crate) unsafe fn push(&self, head: *mut Head, function: HeadFunction) -> Pushed {
        let mut last = self.last.load(Relaxed);
        loop {
            if last == closed() {
                return Pushed::Refused;
            }
            // SAFETY: the caller promises that the head is valid for writes, and ours until it is published.
            unsafe { head.write(Head { next: last, function }) };
            // Release: pairs with the acquire in `take`, for this head and for all earlier ones (their exchanges begin
            // release sequences that the later exchanges continue). So if an updater unpublishes something and then
            // queues a head, that comes before the grace period for which the worker then asks.
            match self.last.compare_exchange_weak(last, head, Release, Relaxed) {
                Ok(_) if last.is_null() => return Pushed::First,
                Ok(_) => return Pushed::Behind,
                Err(other) => last = other,
            }
        }
    }

    /// Returns whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: a caller that finds heads takes them by `take`, which acquires.
        let last = self.last.load(Relaxed);
        last.is_null() || last == closed()
    }

    /// Takes all heads, in the order in which they were pushed.
    pub(crate) fn take(&self) -> Batch {
        if self.is_empty() {
            return Batch(ptr::null_mut());
        }
        // Only the queue's one taker opens or closes it, so it is open.
        self.replace(ptr::null_mut())
    }

    /// Takes all heads, and closes the queue.
    pub(crate) fn close(&self) -> Batch {
        self.replace(closed())
    }

    /// Opens the queue again. In a child of `fork`, this forgets the heads that are in it.
    pub(crate) fn open(&self) {
        // Release: pairs with the exchange in `push`: a thread that pushes sees what the new owner has set before.
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
            // SAFETY: the head was pushed and its function has not been called yet. So it is alive, and this queue's.
            // It is taken out here.
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
        // SAFETY: the heads live as long as this test, and nobody else uses them.
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
