//! A structure on this face, under load.

#[macro_use]
extern crate test_deadline;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use crossbeam_epoch::{self as epoch, Atomic, Owned, Shared};

/// A stack that is used up by many threads, under ASan too: nobody sees what is freed.
#[test]
fn a_stack_of_many_threads_is_read_before_it_is_freed() {
    struct Node {
        value: Box<usize>,
        next: Atomic<Node>,
    }
    let head = Atomic::<Node>::null();
    let push = |value| {
        let guard = epoch::pin();
        let mut node = Owned::new(Node {
            value: Box::new(value),
            next: Atomic::null(),
        });
        loop {
            let top = head.load(SeqCst, &guard);
            node.next.store(top, SeqCst);
            match head.compare_exchange(top, node, SeqCst, SeqCst, &guard) {
                Ok(_) => break,
                Err(error) => node = error.new,
            }
        }
    };
    let pop = || {
        let guard = epoch::pin();
        loop {
            let top = head.load(SeqCst, &guard);
            // SAFETY: null, or reachable when the thread was pinned.
            let node = unsafe { top.as_ref() }?;
            let next = node.next.load(SeqCst, &guard);
            if head
                .compare_exchange(top, next, SeqCst, SeqCst, &guard)
                .is_ok()
            {
                // SAFETY: this thread unlinked it.
                unsafe { guard.defer_destroy(top) };
                return Some(*node.value);
            }
        }
    };
    let turns = if cfg!(miri) { 50 } else { 20_000 };
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for turn in 0..turns {
                    push(turn);
                    sum.fetch_add(pop().expect("one for each that pops"), SeqCst);
                }
            });
        }
    });
    assert_eq!(sum.load(SeqCst), 4 * (0..turns).sum::<usize>());
    assert!(head.load(SeqCst, &epoch::pin()).is_null());
    assert_eq!(Shared::<Node>::null(), head.load(SeqCst, &epoch::pin()));
}
