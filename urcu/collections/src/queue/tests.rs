//! Tests of single steps.

use super::*;

/// A producer has linked a segment and was interrupted before it moved the tail. Consumers move on to that
/// segment, and the one that they leave is freed: nobody may find it any more.
#[test]
fn the_tail_never_lags_behind_the_head() {
    let queue = Queue::new();
    (0..SLOTS).for_each(|number| queue.push(number));
    let first = queue.tail();
    // SAFETY: the segment is alive, because nothing was popped.
    let tail = unsafe { first.as_ref() };
    let next = exchange_null(&tail.next, Segment::allocate(SLOTS));
    // SAFETY: the segment is alive; it was just linked.
    unsafe { next.as_ref() }.push(SLOTS).unwrap();
    assert_eq!(queue.tail(), first);
    (0..=SLOTS).for_each(|number| assert_eq!(queue.pop(), Some(number)));
    assert_eq!(queue.tail(), next);
    assert_eq!(queue.head.0.load(Ordering::Relaxed), next.as_ptr());
}

/// A consumer that finds nothing must not use slots up: consumers that poll would allocate segments.
#[test]
fn popping_from_an_empty_queue_claims_no_slot() {
    let queue = Queue::new();
    for number in 0..SLOTS / 2 {
        queue.push(number);
        assert_eq!(queue.pop(), Some(number));
        (0..SLOTS).for_each(|_| assert_eq!(queue.pop(), None));
    }
    // SAFETY: nobody else uses the queue, and the segment is its only one.
    let segment = unsafe { queue.tail().as_ref() };
    assert_eq!(segment.emptied.load(Ordering::Relaxed), SLOTS / 2);
    assert_eq!(segment.filled.load(Ordering::Relaxed), SLOTS / 2);
}

/// Where `usize` has 32 bits, a number that grew with each poll would wrap around within a minute, and values would
/// be taken again.
#[test]
fn popping_from_a_segment_that_is_used_up_counts_no_further() {
    let queue = Queue::new();
    (0..SLOTS).for_each(|number| queue.push(number));
    (0..SLOTS).for_each(|number| assert_eq!(queue.pop(), Some(number)));
    (0..SLOTS).for_each(|_| assert_eq!(queue.pop(), None));
    // SAFETY: nobody else uses the queue, and the segment is its only one.
    let segment = unsafe { queue.tail().as_ref() };
    assert_eq!(segment.emptied.load(Ordering::Relaxed), SLOTS);
    queue.push(7);
    assert_eq!((queue.len(), queue.pop(), queue.pop()), (1, Some(7), None));
}

/// A consumer was lost after it had claimed a slot for which there was no value yet.
#[test]
fn a_child_pushes_nothing_that_only_a_lost_consumer_would_pop() {
    let queue = Queue::new();
    queue.push(1);
    // SAFETY: nobody else uses the queue, and the segment is its only one.
    let segment = unsafe { queue.tail().as_mut() };
    segment.filled.fetch_add(1, Ordering::Relaxed);
    segment.emptied.fetch_add(2, Ordering::Relaxed);
    segment.emptied.fetch_add(1, Ordering::Relaxed);
    segment.generation += 1;
    assert_eq!((queue.len(), queue.pop()), (0, None));
    (2..4).for_each(|number| queue.push(number));
    assert_eq!(queue.pop(), Some(2));
    assert_eq!((queue.len(), queue.pop(), queue.pop()), (1, Some(3), None));
}

#[test]
fn the_length_is_right_when_the_numbers_of_slots_wrap_around() {
    let queue = Queue::new();
    let last = Segment::allocate(SLOTS.wrapping_neg());
    queue.head.0.store(last.as_ptr(), Ordering::Relaxed);
    queue.tail.0.store(last.as_ptr(), Ordering::Relaxed);
    (0..2 * SLOTS).for_each(|number| queue.push(number));
    assert_eq!(queue.len(), 2 * SLOTS);
    (0..=SLOTS).for_each(|number| assert_eq!(queue.pop(), Some(number)));
    assert_eq!(queue.len(), SLOTS - 1);
}
