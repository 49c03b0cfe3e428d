//! The queue and the stack.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use urcu_collections::{Queue, Stack};

use crate::support::{Census, Citizen, Random, for_a_while};

#[test]
fn a_queue_answers_as_a_deque_does() {
    let (queue, mut model) = (Queue::new(), VecDeque::new());
    let mut random = Random::new(1);
    for round in 0..40_000 {
        // Long ones and short ones, in turns.
        if random.below(100) < [48, 60, 40][round / 4000 % 3] {
            let value = random.next().to_string();
            queue.push(value.clone());
            model.push_back(value);
        } else {
            assert_eq!(queue.pop(), model.pop_front());
        }
        assert_eq!(
            (queue.len(), queue.is_empty()),
            (model.len(), model.is_empty())
        );
    }
    assert!(queue.into_iter().eq(model));
}

#[test]
fn a_stack_answers_as_a_vector_does() {
    let (stack, mut model) = (Stack::new(), Vec::new());
    let mut random = Random::new(2);
    for _ in 0..20_000 {
        match random.below(20) {
            0 => assert!(stack.take_all().eq(model.drain(..).rev())),
            1..11 => {
                stack.push(random.next().to_string());
                model.extend(stack.pop());
                stack.push(model.last().unwrap().clone());
            }
            _ => assert_eq!(stack.pop(), model.pop()),
        }
        assert_eq!(stack.is_empty(), model.is_empty());
    }
}

/// Producers number what they push; a consumer sees the numbers of each rise, and together they see all.
fn in_order(producers: u64, consumers: usize) {
    let queue = Queue::new();
    let done = AtomicUsize::new(0);
    let taken: Vec<Vec<(u64, u64)>> = thread::scope(|scope| {
        for producer in 0..producers {
            let (queue, done) = (&queue, &done);
            scope.spawn(move || {
                let mut number = 0;
                for_a_while(|| {
                    for _ in 0..100 {
                        queue.push((producer, number));
                        number += 1;
                    }
                    if queue.len() > 10_000 {
                        thread::yield_now();
                    }
                });
                done.fetch_add(1, Relaxed);
            });
        }
        let consumers: Vec<_> = (0..consumers)
            .map(|_| {
                scope.spawn(|| {
                    let mut taken = Vec::new();
                    loop {
                        let last = done.load(Relaxed) == producers as usize;
                        match queue.pop() {
                            Some(value) => taken.push(value),
                            None if last => return taken,
                            None => thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        consumers
            .into_iter()
            .map(|consumer| consumer.join().unwrap())
            .collect()
    });
    assert_eq!((queue.pop(), queue.len()), (None, 0));
    for producer in 0..producers {
        let mut all = Vec::new();
        for taken in &taken {
            let mine = taken.iter().filter(|(by, _)| *by == producer);
            let mine: Vec<_> = mine.map(|(_, number)| *number).collect();
            assert!(
                mine.is_sorted(),
                "a consumer saw what was pushed later first"
            );
            all.extend(mine);
        }
        all.sort_unstable();
        assert!(
            all.iter().copied().eq(0..all.len() as u64),
            "lost, or taken twice"
        );
    }
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order_in_a_queue() {
    in_order(1, 1);
    in_order(2, 2);
    in_order(3, 1);
    in_order(1, 3);
}

#[test]
fn of_threads_that_begin_with_a_queue_together_each_finds_its_value() {
    for _ in 0..300 {
        let queue = Queue::new();
        thread::scope(|scope| {
            for number in 0..3 {
                let queue = &queue;
                scope.spawn(move || {
                    queue.push(number);
                    assert!(queue.pop().is_some(), "what was pushed before is not there");
                });
            }
        });
        assert!(queue.is_empty());
    }
}

#[test]
fn nothing_is_lost_or_doubled_on_a_stack() {
    let census = Census::default();
    let stack = Stack::new();
    let popped = AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let (stack, census, popped, done) = (&stack, &census, &popped, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for_a_while(|| {
                    for _ in 0..64 {
                        match random.below(16) {
                            0 => drop(popped.fetch_add(stack.take_all().count(), Relaxed)),
                            1..8 => stack.push(census.citizen(thread)),
                            _ => {
                                let value = stack.pop().map(|value| value.get());
                                popped.fetch_add(value.into_iter().count(), Relaxed);
                            }
                        }
                    }
                });
                done.store(true, Relaxed);
            });
        }
    });
    let left = stack
        .take_all()
        .inspect(|value| assert!(value.get() < 3))
        .count();
    assert_eq!(popped.load(Relaxed) + left, census.made());
    assert_eq!(census.settled(), 0);
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
fn what_is_left_is_dropped_once_whatever_panics() {
    let census = Census::default();
    let dropped = Arc::new(AtomicUsize::new(0));
    let bomb = |number| Bomb(dropped.clone(), census.citizen(number));
    let queue: Queue<_> = (0..200).map(bomb).collect();
    (0..70).for_each(|_| std::mem::forget(catch_unwind(AssertUnwindSafe(|| queue.pop()))));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    let mut left = (0..200).map(bomb).collect::<Queue<_>>().into_iter();
    std::mem::forget(left.next());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(left))).is_err());
    let stack: Stack<_> = (0..100).map(bomb).collect();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack.take_all()))).is_err());
    (&stack).extend((0..100).map(bomb));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(dropped.load(Relaxed), 130 + 199 + 200);
    // Those that were forgotten.
    assert_eq!(census.alive(), 71);
}

#[test]
fn values_need_neither_be_send_nor_static_nor_have_a_size() {
    let text = String::from("borrowed");
    let queue = Queue::new();
    queue.push(std::rc::Rc::new(text.as_str()));
    assert_eq!(queue.pop().as_deref(), Some(&"borrowed"));
    let stack = Stack::new();
    stack.push(std::rc::Rc::new(text.as_str()));
    assert_eq!(stack.pop().as_deref(), Some(&"borrowed"));
    let nothing: Queue<()> = std::iter::repeat_n((), 1000).collect();
    assert_eq!((nothing.len(), nothing.into_iter().count()), (1000, 1000));
    #[repr(align(256))]
    struct Aligned(u8);
    let aligned = Queue::from_iter((0..200).map(Aligned));
    assert!((0..200).all(|number| aligned.pop().is_some_and(|value| value.0 == number)));
    static QUEUE: Queue<u8> = Queue::new();
    static STACK: Stack<u8> = Stack::new();
    QUEUE.push(1);
    STACK.push(2);
    assert_eq!(
        (QUEUE.pop(), STACK.pop(), STACK.pop()),
        (Some(1), Some(2), None)
    );
}

#[test]
fn a_queue_that_is_emptied_again_and_again_stays_small() {
    let queue = Queue::new();
    for number in 0..100_000 {
        queue.push(number);
        assert_eq!(queue.pop(), Some(number));
        assert_eq!(queue.pop(), None);
    }
    assert_eq!(queue.into_iter().next(), None);
}
