//! Queues of many producers and consumers.

use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use crate::structures::Named;

/// A queue.
pub(crate) trait Line: Send + Sync + Sized {
    fn new() -> Self;
    fn push(&self, value: u64);
    fn pop(&self) -> Option<u64>;
}

/// What is measured of it, without a virtual call for each operation.
pub trait Queue: Send + Sync {
    /// Puts a value in.
    fn push(&self, value: u64);
    /// Takes the oldest out.
    fn pop(&self) -> Option<u64>;
    /// Puts so many values in and takes as many out, `batch` at a time. Returns the sum of what came out.
    fn rounds(&self, values: u64, batch: u64) -> u64;
    /// Puts so many values in.
    fn push_all(&self, values: u64);
    /// Takes so many values out, as they come. Returns their sum.
    fn pop_all(&self, values: u64) -> u64;
}

impl<T: Line> Queue for T {
    fn push(&self, value: u64) {
        Line::push(self, value);
    }

    fn pop(&self) -> Option<u64> {
        Line::pop(self)
    }

    #[inline(never)]
    fn rounds(&self, values: u64, batch: u64) -> u64 {
        let mut sum = 0u64;
        for round in 0..values / batch {
            for number in 0..batch {
                Line::push(self, round * batch + number);
            }
            for _ in 0..batch {
                sum = sum.wrapping_add(black_box(Line::pop(self)).unwrap_or(0));
            }
        }
        sum
    }

    #[inline(never)]
    fn push_all(&self, values: u64) {
        (0..values).for_each(|value| Line::push(self, value));
    }

    #[inline(never)]
    fn pop_all(&self, values: u64) -> u64 {
        let (mut left, mut sum) = (values, 0u64);
        while left > 0 {
            if let Some(value) = Line::pop(self) {
                sum = sum.wrapping_add(value);
                left -= 1;
            }
        }
        sum
    }
}

/// A kind of queue.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What it is called, and how it is used.
    pub named: Named,
    /// Makes an empty one.
    pub make: fn() -> Box<dyn Queue>,
}

impl Debug for Kind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.named.fmt(f)
    }
}

const fn kind<T: Line + 'static>(
    name: &'static str,
    package: &'static str,
    how: &'static str,
) -> Kind {
    Kind {
        named: Named { name, package, how },
        make: || Box::new(T::new()),
    }
}

/// Returns all queues, ours first.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    #[allow(unused_mut, reason = "where there is no liburcu")]
    let mut kinds = vec![
        kind::<Ours>("urcu Queue", "urcu-collections", "`push`, `pop`"),
        kind::<Segments>("crossbeam SegQueue", "crossbeam-queue", "`push`, `pop`"),
        kind::<Concurrent>(
            "ConcurrentQueue",
            "concurrent-queue",
            "`unbounded`: `push`, `pop`",
        ),
        kind::<Mpsc>(
            "std mpsc, locked receiver",
            "std",
            "`Sender::send`; `try_recv` under a mutex, for many consumers",
        ),
        kind::<Deque>("Mutex<VecDeque>", "std", "`push_back`, `pop_front`"),
    ];
    #[cfg(have_liburcu_cds)]
    kinds.push(kind::<super::liburcu::WfQueue>(
        "liburcu wfcqueue",
        "liburcu",
        "a node from `malloc`, `cds_wfcq_enqueue`; `cds_wfcq_dequeue_blocking`, which takes the queue's mutex; \
         inlined C, one call for each operation",
    ));
    kinds
}

struct Ours(urcu_collections::Queue<u64>);

impl Line for Ours {
    fn new() -> Self {
        Self(urcu_collections::Queue::new())
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        self.0.push(value);
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        self.0.pop()
    }
}

struct Segments(crossbeam_queue::SegQueue<u64>);

impl Line for Segments {
    fn new() -> Self {
        Self(crossbeam_queue::SegQueue::new())
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        self.0.push(value);
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        self.0.pop()
    }
}

struct Concurrent(concurrent_queue::ConcurrentQueue<u64>);

impl Line for Concurrent {
    fn new() -> Self {
        Self(concurrent_queue::ConcurrentQueue::unbounded())
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        self.0.push(value).expect("never closed");
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        self.0.pop().ok()
    }
}

struct Mpsc {
    sender: Sender<u64>,
    receiver: Mutex<Receiver<u64>>,
}

impl Line for Mpsc {
    fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        self.sender.send(value).expect("the receiver lives");
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        let receiver = self.receiver.lock();
        let receiver = receiver.unwrap_or_else(PoisonError::into_inner);
        receiver.try_recv().ok()
    }
}

struct Deque(Mutex<VecDeque<u64>>);

impl Line for Deque {
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        self.0.lock().expect("nobody panics").push_back(value);
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        self.0.lock().expect("nobody panics").pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::kinds;

    #[test]
    fn every_queue_gives_back_what_was_put_in_in_order() {
        for kind in kinds() {
            let (name, queue) = (kind.named.name, (kind.make)());
            assert_eq!(queue.pop(), None, "{name}");
            for value in 0..1000 {
                queue.push(value);
                queue.push(value + 1);
                let elsewhere = thread::scope(|scope| scope.spawn(|| queue.pop()).join());
                assert_eq!(elsewhere.unwrap(), Some(value), "{name}");
                assert_eq!(queue.pop(), Some(value + 1), "{name}");
            }
            assert_eq!(queue.pop(), None, "{name}");
            assert_eq!(queue.rounds(1000, 10), 999 * 500, "{name}");
        }
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        const EACH: u64 = 10_000;
        for kind in kinds() {
            let (name, queue) = (kind.named.name, (kind.make)());
            let sum = thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| queue.push_all(EACH));
                }
                let takers = [(); 2].map(|()| scope.spawn(|| queue.pop_all(EACH)));
                let sums = takers.map(|taker| taker.join().unwrap());
                sums.into_iter().sum::<u64>()
            });
            assert_eq!(sum, EACH * (EACH - 1), "{name}");
            assert_eq!(queue.pop(), None, "{name}");
        }
    }
}
