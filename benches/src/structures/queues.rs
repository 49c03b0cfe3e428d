//! Queues of many producers and consumers.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

pub use super::line::{Kind, Queue};
use super::line::{Line, kind};

/// Returns all queues, ours first.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    #[allow(unused_mut, reason = "where there is no liburcu")]
    let mut kinds = vec![
        kind::<Ours>("urcu Queue", "urcu-collections", "`push`, `pop`"),
        kind::<Waitless>(
            "urcu WfcQueue",
            "urcu-collections",
            "`enqueue`; a `consumer`, which takes a lock, for each `dequeue`",
        ),
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

struct Waitless(urcu_collections::WfcQueue<u64>);

impl Line for Waitless {
    fn new() -> Self {
        Self(urcu_collections::WfcQueue::new())
    }

    #[inline(always)]
    fn push(&self, value: u64) {
        self.0.enqueue(value);
    }

    #[inline(always)]
    fn pop(&self) -> Option<u64> {
        self.0.consumer().dequeue()
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
