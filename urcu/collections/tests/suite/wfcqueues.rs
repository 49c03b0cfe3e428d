//! The queue with wait-free enqueue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use urcu_collections::WfcQueue;
use urcu_collections::wfcqueue::{Batch, TryDequeueError};

use crate::support::{Census, Citizen, Random, for_a_while, in_child, lasts};

#[test]
fn a_wfcqueue_answers_as_a_deque_does() {
    let (queue, mut model) = (WfcQueue::new(), VecDeque::new());
    let mut random = Random::new(1);
    for round in 0..40_000 {
        let mut some = || {
            (0..random.below(4))
                .map(|_| random.next().to_string())
                .collect::<Vec<_>>()
        };
        let values = some();
        let mut consumer = queue.consumer();
        match random.below(100) {
            0 => {
                let mut batch = consumer.take_all();
                let taken = random.below(5) as usize;
                assert!(
                    batch
                        .by_ref()
                        .take(taken)
                        .eq(model.drain(..taken.min(model.len())))
                );
                assert_eq!(batch.is_empty(), model.is_empty());
                // Values that come between are in front.
                (&queue).extend(values.clone());
                queue.append(batch);
                let rest = std::mem::replace(&mut model, values.into());
                model.extend(rest);
            }
            1 => {
                let was_there = queue.append(values.iter().cloned().collect());
                assert_eq!(was_there, !model.is_empty());
                model.extend(values);
            }
            2 => assert!(consumer.take_all().eq(model.drain(..))),
            3..10 => assert_eq!(consumer.peek(), model.front()),
            number if number < [54, 66, 46][round / 4000 % 3] => {
                let value = random.next().to_string();
                assert_eq!(queue.enqueue(value.clone()), !model.is_empty());
                model.push_back(value);
            }
            number if number % 2 == 0 => assert_eq!(consumer.dequeue(), model.pop_front()),
            _ => {
                let expected = model.pop_front().ok_or(TryDequeueError::Empty);
                assert_eq!(consumer.try_dequeue(), expected);
            }
        }
        assert_eq!(queue.is_empty(), model.is_empty());
    }
    assert!(queue.into_iter().eq(model));
}

/// Producers number what they put in, alone or several at once; whoever is the consumer sees the numbers of
/// each rise, and together they see all.
fn in_order(producers: u64, consumers: usize) {
    let queue = WfcQueue::new();
    let done = AtomicUsize::new(0);
    let census = Census::default();
    let taken = std::sync::Mutex::new(vec![0; producers as usize]);
    thread::scope(|scope| {
        for producer in 0..producers {
            let (queue, done, census) = (&queue, &done, &census);
            scope.spawn(move || {
                let mut numbers = 0..u64::MAX;
                let mut make = || (producer, census.citizen(numbers.next().unwrap()));
                for_a_while(|| {
                    for _ in 0..50 {
                        queue.enqueue(make());
                    }
                    let mut queue = queue;
                    queue.extend((0..3).map(|_| make()));
                    thread::yield_now();
                });
                done.fetch_add(1, Relaxed);
            });
        }
        for number in 0..consumers as u64 {
            let (queue, done, taken) = (&queue, &done, &taken);
            scope.spawn(move || {
                let mut random = Random::new(number);
                loop {
                    let last = done.load(Relaxed) == producers as usize;
                    let mut consumer = queue.consumer();
                    let mut taken = taken.lock().unwrap();
                    let mut take = |(producer, value): (u64, Citizen)| {
                        let expected = &mut taken[producer as usize];
                        assert_eq!(value.get(), *expected, "lost, doubled or out of order");
                        *expected += 1;
                    };
                    if random.below(2) == 0 {
                        consumer.take_all().for_each(take);
                    } else {
                        (0..20).for_each(|_| consumer.dequeue().into_iter().for_each(&mut take));
                    }
                    if last && queue.is_empty() {
                        return;
                    }
                    drop(consumer);
                    thread::yield_now();
                }
            });
        }
    });
    assert!(queue.is_empty());
    let taken = taken.into_inner().unwrap();
    assert_eq!(census.made() as u64, taken.iter().sum::<u64>());
    assert_eq!(census.alive(), 0);
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order_in_a_wfcqueue() {
    in_order(1, 1);
    in_order(3, 1);
    in_order(2, 2);
}

/// Nobody is asked to wait, and nobody looks a second time: if two were told that the queue was empty, or none,
/// the consumer would be woken too often, or sleep for ever.
#[test]
fn a_consumer_that_sleeps_is_woken_by_who_finds_the_queue_empty() {
    let queue = WfcQueue::new();
    let (wakes, sleeps) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let each = 20_000usize;
    thread::scope(|scope| {
        let (queue, wakes, sleeps) = (&queue, &wakes, &sleeps);
        let consumer = scope.spawn(move || {
            let mut consumer = queue.consumer();
            let mut left = 2 * each;
            while left > 0 {
                match consumer.dequeue() {
                    Some(()) => left -= 1,
                    None => {
                        let woken = sleeps.fetch_add(1, Relaxed) + 1;
                        while wakes.load(Relaxed) < woken {
                            thread::park();
                        }
                    }
                }
            }
        });
        for _ in 0..2 {
            let consumer = consumer.thread().clone();
            scope.spawn(move || {
                for number in 0..each {
                    if !queue.enqueue(()) {
                        wakes.fetch_add(1, Relaxed);
                        consumer.unpark();
                    }
                    if number % 8 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    // The queue was found empty as often as it was left so, but for the last time.
    assert!(queue.is_empty());
}

/// Panics at its end, every third time.
struct Bomb(Arc<AtomicUsize>, #[allow(dead_code)] Citizen);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.fetch_add(1, Relaxed).is_multiple_of(3) && !thread::panicking() {
            resume_unwind(Box::new("bomb"));
        }
    }
}

#[test]
fn what_is_left_in_a_wfcqueue_or_batch_is_dropped_once_whatever_panics() {
    let census = Census::default();
    let dropped = Arc::new(AtomicUsize::new(0));
    let bomb = |number| Bomb(dropped.clone(), census.citizen(number));
    let caught = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_err();
    let queue: WfcQueue<_> = (0..100).map(bomb).collect();
    let mut queue = Some(queue);
    assert!(caught(&mut || drop(queue.take())));
    let queue: WfcQueue<_> = (0..100).map(bomb).collect();
    assert!(caught(&mut || drop(queue.consumer().take_all())));
    assert!(queue.is_empty() && queue.try_consumer().is_some());
    // An iterator that panics: what it has given is dropped, and the queue is as it was.
    let mut numbers = (0..50).map(|number| {
        assert!(number < 49);
        bomb(number)
    });
    assert!(caught(&mut || (&queue).extend(numbers.by_ref())));
    assert!(queue.is_empty());
    let mut left = (0..100).map(bomb).collect::<WfcQueue<_>>().into_iter();
    std::mem::forget(left.next());
    let mut left = Some(left);
    assert!(caught(&mut || drop(left.take())));
    assert_eq!(dropped.load(Relaxed), 100 + 100 + 49 + 99);
    assert_eq!(census.alive(), 1);
}

#[test]
fn values_of_a_wfcqueue_need_neither_be_send_nor_static_nor_have_a_size() {
    let text = String::from("borrowed");
    let queue = WfcQueue::new();
    queue.enqueue(std::rc::Rc::new(text.as_str()));
    assert_eq!(queue.consumer().dequeue().as_deref(), Some(&"borrowed"));
    let nothing: WfcQueue<()> = std::iter::repeat_n((), 1000).collect();
    assert_eq!(nothing.into_iter().count(), 1000);
    #[repr(align(256))]
    struct Aligned(u8);
    let aligned = WfcQueue::from_iter((0..100).map(Aligned));
    let mut consumer = aligned.consumer();
    assert!(
        std::ptr::from_ref(consumer.peek().unwrap())
            .addr()
            .is_multiple_of(256)
    );
    assert!(consumer.take_all().map(|value| value.0).eq(0..100));
    static QUEUE: WfcQueue<u8> = WfcQueue::new();
    assert!(!QUEUE.enqueue(1));
    assert_eq!(QUEUE.consumer().dequeue(), Some(1));
}

#[test]
fn there_is_one_consumer_at_a_time() {
    let queue = WfcQueue::from_iter([1, 2]);
    let mut consumer = queue.consumer();
    assert!(queue.try_consumer().is_none());
    thread::scope(|scope| {
        // May be sent, and given back where it is.
        scope.spawn(move || assert_eq!(consumer.dequeue(), Some(1)));
    });
    assert_eq!(queue.try_consumer().unwrap().dequeue(), Some(2));
}

#[test]
#[cfg_attr(miri, ignore = "no forks")]
fn a_child_goes_on_with_a_wfcqueue_that_others_were_changing() {
    let (queue, other) = (WfcQueue::new(), WfcQueue::new());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let (queue, done) = (&queue, &done);
            scope.spawn(move || {
                for number in (0..).take_while(|_| !done.load(Relaxed)) {
                    queue.enqueue((thread, number));
                    if number % 64 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        let (taken, into, done) = (&queue, &other, &done);
        scope.spawn(move || {
            while !done.load(Relaxed) {
                let mut consumer = taken.consumer();
                (0..1000).for_each(|_| _ = consumer.dequeue());
                into.append(consumer.take_all());
            }
        });
        let end = Instant::now() + lasts().max(Duration::from_millis(600));
        while Instant::now() < end {
            let mut mine = other.consumer();
            drop(mine.take_all());
            in_child(|| {
                // This thread's, and one that another thread may have had.
                let is_rising = |mut values: Batch<(u64, u64)>| {
                    let mut next = [0; 3];
                    values.all(|(thread, number)| {
                        let is_next = next[thread as usize] <= number;
                        next[thread as usize] = number + 1;
                        is_next
                    })
                };
                let well = is_rising(mine.take_all()) && is_rising(queue.consumer().take_all());
                [&queue, &other].into_iter().for_each(|queue| {
                    (0..100).for_each(|number| _ = queue.enqueue((9, number)));
                });
                let ours = (0..100).map(|number| (9, number));
                let dequeued = std::iter::from_fn(|| mine.dequeue()).eq(ours.clone());
                well && dequeued && queue.consumer().take_all().eq(ours) && queue.is_empty()
            });
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn a_batch_of_nothing_changes_nothing() {
    let queue = WfcQueue::new();
    assert!(!queue.append(Batch::default()));
    queue.enqueue(1);
    assert!(queue.append(Batch::default()));
    assert!(queue.into_iter().eq([1]));
}
