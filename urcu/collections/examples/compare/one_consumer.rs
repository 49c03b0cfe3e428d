//! Queues with one consumer at a time.

use std::hint::black_box;
use std::sync::{Mutex, mpsc};
use std::thread;

use crate::liburcu::Wfcqueue;
use crate::numbers::forget;
use crate::table::{Subject, side_by_side};

const OPERATIONS: usize = 100_000;

/// A queue to be measured.
struct Peer {
    name: &'static str,
    push: Box<dyn Fn(usize) + Sync>,
    pop: Box<dyn Fn() -> Option<usize> + Sync>,
    /// Takes all values, and returns how many there were.
    drain: Box<dyn Fn() -> usize + Sync>,
}

/// Returns the queues. Each consumer is created once, as in a thread that does nothing else, and the queues live
/// for ever.
fn peers() -> Vec<Peer> {
    let ours = &*Box::leak(Box::new(urcu_collections::WfcQueue::new()));
    let consumer = &*Box::leak(Box::new(Unshared::new(ours.consumer())));
    let queue = &*Box::leak(Box::new(urcu_collections::Queue::new()));
    let seg = &*Box::leak(Box::new(crossbeam_queue::SegQueue::new()));
    let (sender, receiver) = mpsc::channel();
    let receiver = &*Box::leak(Box::new(Unshared::new(receiver)));
    let mut peers = vec![
        Peer {
            name: "urcu",
            push: Box::new(|value| forget(ours.enqueue(value))),
            pop: Box::new(|| consumer.with(|consumer| consumer.dequeue())),
            drain: Box::new(|| {
                consumer.with(|consumer| consumer.take_all().map(black_box).count())
            }),
        },
        Peer {
            name: "Queue",
            push: Box::new(|value| queue.push(value)),
            pop: Box::new(|| queue.pop()),
            drain: Box::new(|| std::iter::from_fn(|| queue.pop()).map(black_box).count()),
        },
        Peer {
            name: "SegQueue",
            push: Box::new(|value| seg.push(value)),
            pop: Box::new(|| seg.pop()),
            drain: Box::new(|| std::iter::from_fn(|| seg.pop()).map(black_box).count()),
        },
        Peer {
            name: "mpsc",
            push: Box::new(move |value| sender.send(value).unwrap()),
            pop: Box::new(|| receiver.with(|receiver| receiver.try_recv().ok())),
            drain: Box::new(|| {
                receiver.with(|receiver| receiver.try_iter().map(black_box).count())
            }),
        },
    ];
    if let Some(theirs) = Wfcqueue::load() {
        let theirs = &*Box::leak(Box::new(theirs));
        peers.push(Peer {
            name: "liburcu",
            push: Box::new(|value| forget(theirs.enqueue(value))),
            pop: Box::new(|| theirs.dequeue()),
            drain: Box::new(|| {
                std::iter::from_fn(|| theirs.dequeue())
                    .map(black_box)
                    .count()
            }),
        });
    }
    peers
}

/// A shared consumer. Release builds take no lock, because even an uncontended one would be measured, too.
struct Unshared<C>(std::cell::UnsafeCell<C>, Mutex<()>);

// SAFETY: one thread at a time uses the consumer, which is `Send`.
unsafe impl<C: Send> Sync for Unshared<C> {}

impl<C> Unshared<C> {
    fn new(consumer: C) -> Self {
        Unshared(std::cell::UnsafeCell::new(consumer), Mutex::new(()))
    }

    fn with<R>(&self, work: impl FnOnce(&mut C) -> R) -> R {
        #[cfg(debug_assertions)]
        let _alone = self.1.try_lock().expect("one at a time");
        #[cfg(not(debug_assertions))]
        let _ = &self.1;
        // SAFETY: all measurements here have one consumer at a time.
        work(unsafe { &mut *self.0.get() })
    }
}

fn row(name: &str, peers: &[Peer], work: impl Fn(&Peer)) {
    let work = &work;
    let subjects: Vec<Subject<'_>> = peers
        .iter()
        .map(|peer| {
            (
                peer.name,
                peer.name == "urcu",
                Box::new(move || work(peer)) as Box<dyn Fn()>,
            )
        })
        .collect();
    side_by_side(name, OPERATIONS, &subjects);
}

pub(crate) fn measure() {
    let peers = peers();
    row("wfcqueue: enqueue + dequeue", &peers, |peer| {
        for number in 0..OPERATIONS {
            (peer.push)(number);
            black_box((peer.pop)());
        }
    });
    row("wfcqueue: 1000 in, 1000 out", &peers, |peer| {
        for _ in 0..OPERATIONS / 1000 {
            (0..1000).for_each(&peer.push);
            (0..1000).for_each(|_| forget(black_box((peer.pop)())));
        }
    });
    row("wfcqueue: 1000 in, all out", &peers, |peer| {
        for _ in 0..OPERATIONS / 1000 {
            (0..1000).for_each(&peer.push);
            assert_eq!((peer.drain)(), 1000);
        }
    });
    row("wfcqueue: one in, one out, 2 threads", &peers, |peer| {
        thread::scope(|scope| {
            scope.spawn(|| (0..OPERATIONS).for_each(&peer.push));
            let mut left = OPERATIONS;
            while left > 0 {
                left -= usize::from((peer.pop)().is_some());
            }
        });
    });
    row("wfcqueue: one in, all out, 2 threads", &peers, |peer| {
        thread::scope(|scope| {
            scope.spawn(|| (0..OPERATIONS).for_each(&peer.push));
            let mut left = OPERATIONS;
            while left > 0 {
                left -= (peer.drain)();
            }
        });
    });
    row("wfcqueue: two in, 2 threads, then out", &peers, |peer| {
        thread::scope(|scope| {
            let push = || (0..OPERATIONS / 2).for_each(&peer.push);
            scope.spawn(push);
            push();
        });
        assert_eq!((peer.drain)(), OPERATIONS);
    });
}
