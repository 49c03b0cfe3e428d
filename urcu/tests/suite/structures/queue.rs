use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use urcu::raw::{Atomic, Owned, Shared};

/// Michael and Scott's queue: the node at the head holds no value any more.
pub struct Queue<T> {
    head: Atomic<Node<T>>,
    tail: Atomic<Node<T>>,
}

struct Node<T> {
    value: MaybeUninit<T>,
    next: Atomic<Node<T>>,
}

// SAFETY: values go from one thread to another, and no two threads have one at a time.
unsafe impl<T: Send> Sync for Queue<T> {}
// SAFETY: values go from one thread to another, and no two threads have one at a time.
unsafe impl<T: Send> Send for Queue<T> {}

impl<T> Queue<T> {
    pub fn new() -> Self {
        let guard = urcu::read_lock();
        let empty = Owned::new(Node {
            value: MaybeUninit::uninit(),
            next: Atomic::null(),
        });
        let empty = empty.into_shared(&guard);
        Queue {
            head: Atomic::from(empty),
            tail: Atomic::from(empty),
        }
    }

    pub fn push(&self, value: T) {
        let value = MaybeUninit::new(value);
        let mut node = Owned::new(Node {
            value,
            next: Atomic::null(),
        });
        let guard = urcu::read_lock();
        loop {
            let tail = self.tail.load(Acquire, &guard);
            // SAFETY: never null, and not freed before the end of a section in which it was reachable.
            let last = unsafe { tail.deref() };
            match last
                .next
                .compare_exchange(Shared::null(), node, Release, Acquire, &guard)
            {
                Ok(new) => {
                    let _ = self
                        .tail
                        .compare_exchange(tail, new, Release, Relaxed, &guard);
                    return;
                }
                Err(error) => {
                    // The tail is behind: helped on, by whoever comes first.
                    let _ =
                        self.tail
                            .compare_exchange(tail, error.current, Release, Relaxed, &guard);
                    node = error.new;
                }
            }
        }
    }

    pub fn pop(&self) -> Option<T> {
        let guard = urcu::read_lock();
        loop {
            let head = self.head.load(Acquire, &guard);
            // SAFETY: never null, and reachable in this section.
            let next = unsafe { head.deref() }.next.load(Acquire, &guard);
            // SAFETY: null, or reachable in this section.
            let node = unsafe { next.as_ref() }?;
            // Before the node is unlinked: the tail must not stay on it.
            let _ = self
                .tail
                .compare_exchange(head, next, Release, Relaxed, &guard);
            if self
                .head
                .compare_exchange(head, next, Release, Relaxed, &guard)
                .is_ok()
            {
                // SAFETY: unlinked by us; the value of the new head is ours, and nobody else's.
                unsafe {
                    urcu::global().retire_shared(head);
                    return Some(node.value.assume_init_read());
                }
            }
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
        // SAFETY: nobody else has the node that is left, which holds no value.
        drop(unsafe { self.head.load_mut().into_owned() });
    }
}
