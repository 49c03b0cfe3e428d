//! Tests with an enqueue that is interrupted between its two steps.

use super::*;

/// Does the first half of an enqueue, and returns a closure that does the second.
fn begin<T>(queue: &WfcQueue<T>, value: T) -> impl FnOnce() + use<'_, T> {
    queue.adopt();
    let node = Node::allocate(value);
    let before = queue.tail.0.swap(node.as_ptr(), Ordering::AcqRel);
    move || {
        // SAFETY: the node is not freed, because its `next` is null.
        let next = unsafe { before.as_ref() }.map_or(&queue.front.0.head, |before| &before.next);
        next.store(node.as_ptr(), Ordering::Release);
    }
}

/// Makes the queue look as if the process had forked since.
fn fork<T>(queue: &WfcQueue<T>) {
    queue
        .generation
        .store(fork::generation() + 1, Ordering::Relaxed);
}

#[test]
fn who_meets_an_enqueue_in_the_middle_is_told() {
    let queue = WfcQueue::new();
    let mut consumer = queue.consumer();
    assert_eq!(consumer.try_dequeue(), Err(TryDequeueError::Empty));
    let end = begin(&queue, 1);
    assert_eq!(consumer.try_dequeue(), Err(TryDequeueError::WouldBlock));
    assert!(
        consumer
            .try_take_all()
            .is_err_and(|error| error == TryDequeueError::WouldBlock)
    );
    end();
    // The first value is there, but the next enqueue is about to store into its node.
    let end = begin(&queue, 2);
    assert_eq!(consumer.try_dequeue(), Err(TryDequeueError::WouldBlock));
    assert_eq!(consumer.peek(), Some(&1));
    assert!(queue.enqueue(3) && !queue.is_empty());
    let mut batch = consumer.try_take_all().unwrap();
    assert!(queue.is_empty());
    assert_eq!(batch.try_next(), Err(TryDequeueError::WouldBlock));
    // The batch has the gap in it.
    queue.append(batch);
    assert_eq!(consumer.try_dequeue(), Err(TryDequeueError::WouldBlock));
    end();
    assert_eq!([(); 3].map(|()| consumer.try_dequeue().unwrap()), [1, 2, 3]);
    assert_eq!(consumer.try_dequeue(), Err(TryDequeueError::Empty));
}

#[test]
fn who_waits_for_an_enqueue_in_the_middle_gets_its_value() {
    let queue = WfcQueue::new();
    for _ in 0..50 {
        std::thread::scope(|scope| {
            let end = begin(&queue, 1);
            let waits = scope.spawn(|| queue.consumer().dequeue());
            std::thread::yield_now();
            end();
            assert_eq!(waits.join().unwrap(), Some(1));
        });
        queue.enqueue(1);
        let end = begin(&queue, 2);
        let batch = queue.consumer().take_all();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| batch.collect::<Vec<_>>());
            std::thread::yield_now();
            end();
            assert_eq!(waits.join().unwrap(), [1, 2]);
        });
    }
}

#[test]
fn a_child_gives_up_what_only_lost_threads_could_have_linked() {
    // The lost value is the first one, or behind others. A producer or the consumer notices it first.
    for before in 0..3 {
        for enqueues_first in [false, true] {
            let queue = WfcQueue::new();
            (0..before).for_each(|value| _ = queue.enqueue(value));
            drop(begin(&queue, 7));
            queue.enqueue(8);
            fork(&queue);
            if enqueues_first {
                assert_eq!(queue.enqueue(9), before > 0);
            }
            let mut consumer = queue.consumer();
            let found: Vec<_> = std::iter::from_fn(|| consumer.dequeue()).collect();
            assert!(
                found
                    .into_iter()
                    .eq((0..before).chain(enqueues_first.then_some(9)))
            );
            assert!(queue.is_empty() && !queue.enqueue(1));
        }
    }
}

#[test]
fn a_child_gives_up_what_was_being_taken() {
    let queue = WfcQueue::from_iter([1]);
    queue.front.0.head.store(ptr::null_mut(), Ordering::Relaxed);
    fork(&queue);
    assert!(queue.is_empty());
    assert!(!queue.enqueue(2));
    assert!(queue.into_iter().eq([2]));
}

#[test]
fn a_child_keeps_what_is_behind_a_value_that_was_being_dequeued() {
    // The consumer of the parent is lost after each store of `unlink_last`: what it has to find are the values
    // that came when it took the first one for the last.
    for (is_head_null, behind) in [(false, 0), (true, 0), (true, 1), (true, 20), (false, 20)] {
        let queue = WfcQueue::from_iter([0]);
        let first = queue.front.0.head.load(Ordering::Relaxed);
        queue.front.0.leaving.store(first, Ordering::Relaxed);
        (1..=behind).for_each(|value| _ = queue.enqueue(value));
        if is_head_null {
            queue.front.0.head.store(ptr::null_mut(), Ordering::Relaxed);
        }
        fork(&queue);
        assert!(queue.enqueue(100));
        assert!(queue.front.0.leaving.load(Ordering::Relaxed).is_null());
        assert!(queue.into_iter().eq((0..=behind).chain([100])));
    }
}

#[test]
fn who_dequeues_leaves_no_trace() {
    let queue = WfcQueue::from_iter([1, 2]);
    let mut consumer = queue.consumer();
    let is_clean = || queue.front.0.leaving.load(Ordering::Relaxed).is_null();
    assert_eq!((consumer.dequeue(), is_clean()), (Some(1), true));
    let end = begin(&queue, 3);
    assert!(consumer.try_dequeue().is_err() && is_clean());
    end();
    assert_eq!((consumer.dequeue(), is_clean()), (Some(2), true));
    assert_eq!((consumer.dequeue(), is_clean()), (Some(3), true));
}

/// For sanitizers, which notice a thread that uses a node without being ordered after its creation.
#[test]
fn the_last_of_a_batch_is_whole_for_who_enqueues_behind_it() {
    let (near, far) = (WfcQueue::from_iter([1]), WfcQueue::from_iter([0]));
    let step = AtomicU32::new(0);
    // Relaxed: nobody is to learn anything by it but whose turn it is.
    let turn = |number| {
        while step.load(Ordering::Relaxed) != number {
            std::thread::yield_now();
        }
    };
    let end = || _ = step.fetch_add(1, Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            near.enqueue(2);
            end();
        });
        scope.spawn(|| {
            turn(1);
            far.append(near.consumer().take_all());
            end();
        });
        scope.spawn(|| {
            turn(2);
            far.enqueue(3);
        });
    });
    assert!(far.into_iter().eq([0, 1, 2, 3]));
}

#[test]
fn a_consumer_of_a_lost_thread_is_nobodys() {
    let queue = WfcQueue::from_iter([1, 2]);
    queue.consumers.abandon();
    assert_eq!(queue.consumer().dequeue(), Some(1));
}

#[test]
fn a_child_gives_up_what_a_batch_lacks() {
    let queue = WfcQueue::new();
    let batch = || {
        queue.enqueue(1);
        drop(begin(&queue, 7));
        queue.enqueue(8);
        let mut batch = queue.consumer().take_all();
        batch.fork();
        batch
    };
    assert!(batch().eq([1]));
    let other = WfcQueue::new();
    other.append(batch());
    other.enqueue(2);
    let mut consumer = other.consumer();
    assert_eq!([(); 2].map(|()| consumer.try_dequeue().unwrap()), [1, 2]);
}

#[test]
fn a_consumer_that_forks_is_one_of_several_no_more() {
    let queue = WfcQueue::from_iter([1, 2]);
    let (mut mine, mut lost) = (queue.consumer(), None);
    mine.fork();
    let mut other = queue
        .try_consumer()
        .expect("nobody has the queue, in the child");
    let has_some = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lost = mine.dequeue();
            has_some.store(1, Ordering::Relaxed);
        });
        for _ in 0..50 {
            std::thread::sleep(std::time::Duration::from_millis(1));
            assert_eq!(has_some.load(Ordering::Relaxed), 0, "two consumers at once");
        }
        assert_eq!(other.dequeue(), Some(1));
        drop(other);
    });
    assert_eq!(lost, Some(2));
    // A used consumer holds the queue's lock and releases it. One that was never used again has nothing to release.
    drop(mine);
    let mut unused = queue.consumer();
    unused.fork();
    let other = queue.consumer();
    drop(unused);
    assert!(queue.try_consumer().is_none());
    drop(other);
    assert!(queue.try_consumer().is_some());
}
