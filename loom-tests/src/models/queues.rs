//! `Queue` and `Stack` of `urcu-collections`: no value is lost, doubled or torn, and no node is freed while
//! somebody may look at it.

use std::sync::Arc;

use loom::thread::JoinHandle;

use super::domains::{Owned, here, on_cpu};
use super::witness;
use crate::collections::fork;
use crate::domain::Domain;
use crate::kernel::{ALL_THREADS, Value, leave_unregistered, lost_after, run_on, values_left};
use crate::queue::Queue;
use crate::stack::Stack;

type Shared<T> = Arc<T>;
type Values = Queue<Value, &'static Domain>;
type Pile = Stack<Value, &'static Domain>;

fn value(number: u32) -> Value {
    Value::new(number)
}

/// Reads a value, and drops it.
fn read(value: Option<Value>) -> Option<u32> {
    value.map(|value| value.read())
}

fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("a thread")
}

/// Drops a structure when nobody has it any more, after what waits for grace periods. Nothing may be left.
fn end<T>(domain: Owned, structure: Shared<T>) {
    here(1, || {
        drop(Arc::into_inner(structure).expect("no other thread has it"));
        domain.get().barrier();
    });
    drop(domain);
    assert_eq!(values_left(), 0, "what was never freed");
}

/// Some numbers, each at most once, which were pushed in this order by one thread.
fn in_order(popped: &[Option<u32>]) {
    let numbers: Vec<u32> = popped.iter().copied().flatten().collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] < pair[1]),
        "{popped:?}"
    );
}

/// What a producer puts in comes out, once, in order, and whole; also if a consumer comes to a slot before
/// the producer does.
pub(super) fn a_queue_hands_values_over() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    let theirs = Arc::clone(&queue);
    let consumer = on_cpu(0, move || [(); 2].map(|()| read(theirs.pop())));
    here(1, || [1, 2].map(|number| queue.push(value(number))));
    let first = join(consumer);
    let rest = here(1, || [(); 2].map(|()| read(queue.pop())));
    let popped = [first[0], first[1], rest[0], rest[1]];
    witness(0, first == [Some(1), Some(2)]);
    witness(1, first == [None, Some(1)]);
    in_order(&popped);
    assert_eq!(popped.iter().flatten().count(), 2, "{popped:?}");
    end(domain, queue);
}

/// Two put the first values in at once, which make the first segment.
pub(super) fn a_queue_gets_its_first_segment() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    let theirs = Arc::clone(&queue);
    let producer = on_cpu(0, move || theirs.push(value(9)));
    here(1, || [1, 2, 3].map(|number| queue.push(value(number))));
    join(producer);
    let popped = here(1, || [(); 5].map(|()| read(queue.pop())));
    witness(0, popped[0] == Some(1));
    witness(1, popped[0] == Some(9));
    let mine: Vec<_> = popped
        .into_iter()
        .filter(|&number| number != Some(9))
        .collect();
    assert_eq!(mine, [Some(1), Some(2), Some(3), None], "{popped:?}");
    end(domain, queue);
}

/// A consumer takes the last value of a segment and goes on to the next one, which a producer links
/// meanwhile: the segment that was left is freed when both are done with it.
pub(super) fn a_queue_goes_on_to_the_next_segment() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    here(1, || [1, 2].map(|number| queue.push(value(number))));
    let theirs = Arc::clone(&queue);
    let consumer = on_cpu(0, move || [(); 3].map(|()| read(theirs.pop())));
    let running = run_on(1);
    queue.push(value(3));
    domain.get().barrier();
    drop(running);
    let first = join(consumer);
    assert_eq!(first[..2], [Some(1), Some(2)]);
    witness(0, first[2] == Some(3));
    witness(1, first[2].is_none());
    here(1, || {
        let last = first[2].or_else(|| read(queue.pop()));
        assert_eq!((last, queue.len()), (Some(3), 0));
    });
    end(domain, queue);
}

/// Two consumers leave a segment at once; the producer that has linked the next one may not have moved the
/// tail on yet, and nobody finds the segment any more when it is freed.
pub(super) fn two_consumers_leave_a_segment() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    here(1, || [1, 2, 3].map(|number| queue.push(value(number))));
    let theirs = Arc::clone(&queue);
    let other = on_cpu(0, move || [(); 2].map(|()| read(theirs.pop())));
    let running = run_on(1);
    let mine = [(); 2].map(|()| read(queue.pop()));
    domain.get().barrier();
    drop(running);
    let other = join(other);
    in_order(&mine);
    in_order(&other);
    let mut all: Vec<_> = mine.into_iter().chain(other).flatten().collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3]);
    witness(0, mine == [Some(1), Some(2)]);
    witness(1, other == [Some(1), Some(2)]);
    end(domain, queue);
}

/// A consumer is led to a segment by another one, which a producer has linked meanwhile.
pub(super) fn a_consumer_follows_another() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    here(1, || {
        [1, 2]
            .into_iter()
            .for_each(|number| queue.push(value(number)));
        assert_eq!([(); 2].map(|()| read(queue.pop())), [1, 2].map(Some));
    });
    let consumers = [0, 1].map(|number| {
        let theirs = Arc::clone(&queue);
        on_cpu(number, move || read(theirs.pop()))
    });
    // Nobody restarts this one: it counts by atomics.
    leave_unregistered();
    queue.push(value(3));
    let popped = consumers.map(join);
    witness(0, popped[1] == Some(3));
    let left = read(queue.pop());
    let all: Vec<_> = popped.into_iter().chain([left]).flatten().collect();
    assert_eq!(all, [3]);
    end(domain, queue);
}

/// A producer and who asks for the length meet a segment that another one has just linked.
pub(super) fn a_new_segment_is_whole() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    here(1, || [1, 2].map(|number| queue.push(value(number))));
    let theirs = Arc::clone(&queue);
    let other = on_cpu(0, move || {
        let length = theirs.len();
        theirs.push(value(4));
        length
    });
    here(1, || queue.push(value(3)));
    let length = join(other);
    witness(0, length == 2);
    witness(1, length == 3);
    let popped = here(1, || [(); 5].map(|()| read(queue.pop())));
    assert_eq!(popped[..2], [Some(1), Some(2)]);
    assert!(
        matches!(
            popped[2..],
            [Some(3), Some(4), None] | [Some(4), Some(3), None]
        ),
        "{popped:?}"
    );
    end(domain, queue);
}

/// Whoever asks for the length meets segments that come and go.
pub(super) fn the_length_of_a_queue() {
    let domain = Owned::new(ALL_THREADS);
    let queue = Arc::new(Values::new_in(domain.get()));
    here(1, || [1, 2].map(|number| queue.push(value(number))));
    let theirs = Arc::clone(&queue);
    let other = on_cpu(0, move || theirs.len());
    here(1, || {
        queue.push(value(3));
        assert_eq!([(); 3].map(|()| read(queue.pop())), [1, 2, 3].map(Some));
    });
    let length = join(other);
    witness(0, length == 0);
    witness(1, length == 3);
    assert!(length <= 3);
    end(domain, queue);
}

/// A producer is lost in the middle of its push, as at a fork, perhaps after it has linked a segment and before
/// it has moved the tail on: consumers go on to that segment, and nobody finds the one that they leave when
/// it is freed.
pub(super) fn a_producer_is_lost() {
    for stores in 0.. {
        let domain = Owned::new(ALL_THREADS);
        let queue = Arc::new(Values::new_in(domain.get()));
        let running = run_on(1);
        queue.push(value(1));
        queue.push(value(2));
        let ended = lost_after(stores, || queue.push(value(3)));
        fork::fork();
        let popped = [(); 3].map(|()| read(queue.pop()));
        assert_eq!(popped, [Some(1), Some(2), ended.then_some(3)]);
        domain.get().barrier();
        queue.push(value(4));
        assert_eq!((read(queue.pop()), queue.len()), (Some(4), 0));
        drop(running);
        if ended {
            assert_eq!(stores, 2, "the link and the tail");
            end(domain, queue);
            return;
        }
        here(1, || drop(queue));
        drop(domain);
    }
}

/// A stack of shared nodes: what is popped was pushed, whole and once, and its node is there as long as
/// another one looks at it.
pub(super) fn a_stack_hands_values_over() {
    let domain = Owned::new(ALL_THREADS);
    let stack = Arc::new(Pile::new_in(domain.get()));
    stack.push(value(1));
    let theirs = Arc::clone(&stack);
    let other = on_cpu(0, move || read(theirs.pop()));
    let running = run_on(1);
    stack.push(value(2));
    let mine = read(stack.pop());
    domain.get().barrier();
    drop(running);
    let other = join(other);
    witness(0, (mine, other) == (Some(1), Some(2)));
    witness(1, (mine, other) == (Some(2), Some(1)));
    assert!(mine.is_some() && other.is_some() && mine != other);
    assert!(stack.is_empty());
    end(domain, stack);
}

/// All is taken while another one pops.
pub(super) fn all_of_a_stack_is_taken_beside_a_pop() {
    let domain = Owned::new(ALL_THREADS);
    let stack = Arc::new(Pile::new_in(domain.get()));
    stack.push(value(1));
    stack.push(value(2));
    let theirs = Arc::clone(&stack);
    let other = on_cpu(0, move || read(theirs.pop()));
    let running = run_on(1);
    let taken: Vec<u32> = stack.take_all().map(|value| value.read()).collect();
    domain.get().barrier();
    drop(running);
    let other = join(other);
    witness(0, (&taken[..], other) == (&[2, 1], None));
    witness(1, (&taken[..], other) == (&[1], Some(2)));
    assert_eq!(taken.len() + usize::from(other.is_some()), 2);
    end(domain, stack);
}

/// All is taken while another one pushes.
pub(super) fn all_of_a_stack_is_taken() {
    let domain = Owned::new(ALL_THREADS);
    let stack = Arc::new(Pile::new_in(domain.get()));
    stack.push(value(1));
    let theirs = Arc::clone(&stack);
    let other = on_cpu(0, move || {
        let taken = theirs.take_all().map(|value| value.read());
        taken.collect::<Vec<u32>>()
    });
    // A step, or what is made would be as old as the other thread.
    let _ = stack.is_empty();
    stack.push(value(2));
    let taken = join(other);
    let left: Vec<u32> = here(1, || stack.take_all().map(|value| value.read()).collect());
    witness(0, taken == [1]);
    witness(1, taken == [2, 1]);
    assert_eq!(taken.len() + left.len(), 2);
    end(domain, stack);
}
