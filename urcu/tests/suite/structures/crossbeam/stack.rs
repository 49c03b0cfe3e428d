use crossbeam_epoch::{self as epoch, Atomic, Owned};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Treiber's stack.
pub struct Stack<T> {
    head: Atomic<Node<T>>,
}

struct Node<T> {
    value: ManuallyDrop<T>,
    next: Atomic<Node<T>>,
}

// SAFETY: values go from one thread to another, and no two threads have one at a time.
unsafe impl<T: Send> Sync for Stack<T> {}
// SAFETY: values go from one thread to another, and no two threads have one at a time.
unsafe impl<T: Send> Send for Stack<T> {}

impl<T> Stack<T> {
    pub const fn new() -> Self {
        Stack {
            head: Atomic::null(),
        }
    }

    pub fn push(&self, value: T) {
        let value = ManuallyDrop::new(value);
        let mut node = Owned::new(Node {
            value,
            next: Atomic::null(),
        });
        let guard = epoch::pin();
        let mut head = self.head.load(Relaxed, &guard);
        loop {
            node.next = Atomic::from(head);
            match self
                .head
                .compare_exchange_weak(head, node, Release, Relaxed, &guard)
            {
                Ok(_) => return,
                Err(error) => (head, node) = (error.current, error.new),
            }
        }
    }

    pub fn pop(&self) -> Option<T> {
        let guard = epoch::pin();
        let mut head = self.head.load(Acquire, &guard);
        loop {
            // SAFETY: it was reachable while the thread is pinned, so it is not freed before that ends.
            let node = unsafe { head.as_ref() }?;
            let next = node.next.load(Relaxed, &guard);
            match self
                .head
                .compare_exchange_weak(head, next, Acquire, Acquire, &guard)
            {
                // SAFETY: unlinked by us, so nobody else takes the value, nor destroys the node.
                Ok(_) => unsafe {
                    guard.defer_destroy(head);
                    return Some(ManuallyDrop::into_inner(ptr::read(&node.value)));
                },
                Err(error) => head = error.current,
            }
        }
    }
}

impl<T> Drop for Stack<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
