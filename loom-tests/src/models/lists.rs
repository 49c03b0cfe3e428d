//! `List` and `WfcQueue` of `urcu-collections`: readers walk both ways past changes, and see the same; what is
//! enqueued comes out, in order.

use std::sync::Arc;

use loom::thread;

use super::domains::{Owned, here, on_cpu};
use super::witness;
use crate::collections::fork;
use crate::domain::Domain;
use crate::kernel::{ALL_THREADS, Value, lost_after, run_on, values_left};
use crate::list::List;
use crate::lock::Lock;
use crate::wfcqueue::{TryDequeueError, WfcQueue};

type Values = List<Value, &'static Domain>;

fn end<T>(domain: Owned, structure: Arc<T>) {
    here(1, || {
        drop(Arc::into_inner(structure).expect("no other thread has it"));
        domain.get().barrier();
    });
    drop(domain);
    assert_eq!(values_left(), 0, "what was never freed");
}

fn list(domain: &Owned, numbers: std::ops::Range<u32>) -> Arc<Values> {
    let list = Values::new_in(domain.get());
    here(1, || {
        for number in numbers {
            list.push_back(Value::new(number), &list.guard());
        }
    });
    Arc::new(list)
}

/// Walks to the right, and then to the left: what was seen each way, in the order of the list.
fn both_ways(list: &Values) -> [Vec<u32>; 2] {
    let guard = list.guard();
    let right = list.iter(&guard).map(Value::read).collect();
    let mut left: Vec<_> = list.iter(&guard).rev().map(Value::read).collect();
    left.reverse();
    [right, left]
}

/// A value comes in between two others.
pub(super) fn a_walk_meets_an_insertion() {
    let domain = Owned::new(ALL_THREADS);
    let list = list(&domain, 0..1);
    let theirs = Arc::clone(&list);
    let reader = on_cpu(0, move || both_ways(&theirs));
    here(1, || _ = list.push_back(Value::new(1), &list.guard()));
    let [right, left] = reader.join().expect("the reader");
    assert!(right == [0] || right == [0, 1], "{right:?}");
    assert!(left == right || left == [0, 1], "{left:?} after {right:?}");
    witness(0, left != right);
    witness(1, right == [0, 1]);
    end(domain, list);
}

/// A value is taken out, and freed after its readers.
pub(super) fn a_walk_meets_a_removal() {
    let domain = Owned::new(ALL_THREADS);
    let list = list(&domain, 0..2);
    let theirs = Arc::clone(&list);
    let reader = on_cpu(0, move || both_ways(&theirs));
    let running = run_on(1);
    list.pop_front(&list.guard()).expect("a value");
    domain.get().barrier();
    drop(running);
    let [right, left] = reader.join().expect("the reader");
    assert!(right == [1] || right == [0, 1], "{right:?}");
    assert!(left == right || left == [1], "{left:?} after {right:?}");
    witness(0, left != right);
    witness(1, left == [0, 1]);
    end(domain, list);
}

/// A value is moved: each walk meets it once.
pub(super) fn a_walk_meets_a_move() {
    let domain = Owned::new(ALL_THREADS);
    let list = list(&domain, 0..2);
    let theirs = Arc::clone(&list);
    let reader = on_cpu(0, move || {
        let guard = theirs.guard();
        let seen: Vec<_> = theirs.iter(&guard).map(Value::read).collect();
        seen
    });
    let running = run_on(1);
    let guard = list.guard();
    let first = list.front(&guard).expect("a value");
    // The first place lies in the element; the second one is given up by the second move.
    assert!(list.move_to_back(first) && list.move_to_front(first));
    drop(guard);
    domain.get().barrier();
    drop(running);
    let seen = reader.join().expect("the reader");
    witness(0, seen == [0, 1]);
    witness(1, seen == [1, 0]);
    assert!(seen.contains(&1) && seen.len() <= 3, "{seen:?}");
    end(domain, list);
}

/// Two put values in: none gets lost.
pub(super) fn two_change_a_list() {
    let domain = Owned::new(ALL_THREADS);
    let list = list(&domain, 0..0);
    let theirs = Arc::clone(&list);
    let push = |list: &Values, number| _ = list.push_back(Value::new(number), &list.guard());
    let other = on_cpu(0, move || push(&theirs, 1));
    here(1, || push(&list, 2));
    other.join().expect("the other one");
    let [right, left] = here(1, || both_ways(&list));
    assert_eq!(right, left);
    witness(0, right == [1, 2]);
    witness(1, right == [2, 1]);
    assert_eq!((right.len(), list.len()), (2, 2));
    end(domain, list);
}

/// Who changes a list is lost in the middle, as at a fork: the child finds the others, both ways the same.
pub(super) fn who_changes_a_list_is_lost() {
    let programs: [fn(&Values); 3] = [
        |list| _ = list.push_front(Value::new(9), &list.guard()),
        |list| _ = list.pop_back(&list.guard()),
        |list| {
            let guard = list.guard();
            let first = list.front(&guard).expect("a value");
            assert!(list.move_to_back(first));
        },
    ];
    for program in programs {
        for stores in 0.. {
            let domain = Owned::new(ALL_THREADS);
            let list = list(&domain, 0..3);
            let running = run_on(1);
            let ended = lost_after(stores, || program(&list));
            fork::fork();
            list.push_back(Value::new(10), &list.guard());
            let [right, left] = both_ways(&list);
            assert_eq!(right, left);
            assert_eq!(right.len(), list.len());
            assert!(right.contains(&1) && right.contains(&10), "{right:?}");
            drop(running);
            std::mem::forget(list);
            drop(domain);
            if ended {
                assert!(stores > 3, "what was stored");
                break;
            }
        }
    }
}

/// One thread at a time has a lock, and sees what was done before.
pub(super) fn two_take_a_lock() {
    let domain = Owned::new(ALL_THREADS);
    let shared = Arc::new((Lock::new(), loom::cell::UnsafeCell::new(0)));
    let theirs = Arc::clone(&shared);
    let add = |shared: &(Lock, loom::cell::UnsafeCell<u32>)| {
        shared.0.lock();
        // SAFETY: loom checks that nobody else has it.
        shared.1.with_mut(|number| unsafe { *number += 1 });
        shared.0.unlock();
    };
    let other = thread::spawn(move || add(&theirs));
    add(&shared);
    other.join().expect("the other one");
    shared.0.lock();
    // SAFETY: the other thread has ended.
    assert_eq!(shared.1.with(|number| unsafe { *number }), 2);
    shared.0.unlock();
    drop(domain);
}

/// A consumer meets two enqueues: what comes out is whole and in order, and nothing is lost.
pub(super) fn a_consumer_meets_enqueues() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(WfcQueue::new());
    let theirs = Arc::clone(&queue);
    let consumer = thread::spawn(move || {
        let mut consumer = theirs.consumer();
        [(); 3].map(|()| consumer.try_dequeue().map(|value: Value| value.read()))
    });
    assert!(!queue.enqueue(Value::new(1)));
    queue.enqueue(Value::new(2));
    let first = consumer.join().expect("the consumer");
    witness(0, first.contains(&Err(TryDequeueError::WouldBlock)));
    witness(1, first[..2] == [Ok(1), Ok(2)]);
    witness(2, first[0] == Err(TryDequeueError::Empty));
    let rest: Vec<u32> = queue
        .consumer()
        .take_all()
        .map(|value| value.read())
        .collect();
    let all: Vec<u32> = first.into_iter().flatten().chain(rest).collect();
    assert_eq!(all, [1, 2]);
    end(domain, queue);
}

/// All is taken while another one enqueues.
pub(super) fn all_is_taken_beside_an_enqueue() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(WfcQueue::new());
    queue.enqueue(Value::new(1));
    let theirs = Arc::clone(&queue);
    let consumer = thread::spawn(move || {
        let batch = theirs.consumer().take_all();
        batch.map(|value: Value| value.read()).collect::<Vec<u32>>()
    });
    queue.enqueue(Value::new(2));
    let taken = consumer.join().expect("the consumer");
    witness(0, taken == [1]);
    witness(1, taken == [1, 2]);
    let rest = queue.consumer().take_all().map(|value| value.read());
    assert_eq!(taken.into_iter().chain(rest).collect::<Vec<u32>>(), [1, 2]);
    end(domain, queue);
}

/// All is taken and put into another queue, where somebody enqueues behind a node at which nobody has looked.
pub(super) fn a_batch_goes_on() {
    let domain = Owned::new(ALL_THREADS);
    let [near, far] = [(); 2].map(|()| Arc::new(WfcQueue::new()));
    near.enqueue(Value::new(1));
    let enqueue = |queue: &Arc<WfcQueue<Value>>, number| {
        let queue = Arc::clone(queue);
        thread::spawn(move || queue.enqueue(Value::new(number)))
    };
    let threads = [enqueue(&near, 2), enqueue(&far, 3)];
    far.append(near.consumer().take_all());
    for thread in threads {
        thread.join().expect("a thread");
    }
    let rest = |queue: &WfcQueue<Value>| -> Vec<u32> {
        let all = queue.consumer().take_all();
        all.map(|value| value.read()).collect()
    };
    let all = [rest(&far), rest(&near)].concat();
    witness(0, all == [1, 2, 3]);
    witness(1, all == [3, 1, 2]);
    witness(2, all == [1, 3, 2]);
    assert_eq!(all.len(), 3);
    drop(near);
    end(domain, far);
}

/// Of two who enqueue into an empty queue one is told that it was empty.
pub(super) fn two_enqueue() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(WfcQueue::new());
    let theirs = Arc::clone(&queue);
    let other = thread::spawn(move || theirs.enqueue(Value::new(1)));
    let mine = queue.enqueue(Value::new(2));
    let other = other.join().expect("the other one");
    assert!(mine != other);
    let all: Vec<u32> = queue
        .consumer()
        .take_all()
        .map(|value| value.read())
        .collect();
    witness(0, all == [1, 2]);
    witness(1, all == [2, 1]);
    assert_eq!(all.len(), 2);
    end(domain, queue);
}

/// Who enqueues is lost in the middle, as at a fork: the child goes on with what was there before.
pub(super) fn who_enqueues_is_lost() {
    for stores in 0.. {
        let domain = Owned::new(ALL_THREADS);
        let queue = WfcQueue::new();
        queue.enqueue(Value::new(1));
        let ended = lost_after(stores, || _ = queue.enqueue(Value::new(2)));
        fork::fork();
        queue.enqueue(Value::new(3));
        let all: Vec<u32> = queue
            .consumer()
            .take_all()
            .map(|value| value.read())
            .collect();
        assert!(
            if ended {
                all == [1, 2, 3]
            } else {
                all == [1, 3]
            },
            "{all:?}"
        );
        drop(queue);
        drop(domain);
        if ended {
            assert_eq!(stores, 1, "the link");
            return;
        }
    }
}
