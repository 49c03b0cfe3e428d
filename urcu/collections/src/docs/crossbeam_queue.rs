//! Coming from `crossbeam-queue` or `std::sync::mpsc`.
//!
//! [`Queue`](crate::Queue) has the methods of `SegQueue`: change the import.
//!
//! ```
//! use urcu_collections::Queue;
//!
//! let queue = Queue::new();
//! queue.push("a");
//! queue.push("b");
//! assert_eq!((queue.len(), queue.pop(), queue.is_empty()), (2, Some("a"), false));
//! assert_eq!(queue.into_iter().collect::<Vec<_>>(), ["b"]);
//! ```
//!
//! What differs: `Queue::new` asks for no memory, and works in a `static` as `SegQueue` does; a producer that is
//! interrupted in the middle of a push keeps no consumer waiting, where `SegQueue` spins; memory that was used
//! is freed after a grace period, and not by the last one that read in it.
//!
//! `ArrayQueue` has a bound, and nothing here has. Count what is under way where the work comes from, and refuse
//! it there.
//!
//! # If one thread takes all
//! [`WfcQueue`](crate::WfcQueue) is for that. The consumer is a handle, of which there is one at a time: the
//! `Receiver` of a channel, if you like, but taken when it is wanted.
//!
//! | `mpsc` | [`WfcQueue`](crate::WfcQueue) |
//! |---|---|
//! | `sender.clone()` | not needed: share the queue |
//! | `sender.send(value)` | `queue.enqueue(value)`, which also says whether the queue was empty |
//! | `receiver.try_recv()` | `consumer.try_dequeue()` |
//! | `receiver.try_iter()` | `consumer.take_all()`, with one exchange for all |
//! | `receiver.recv()`, which sleeps | a thread that parks, and is woken by who finds the queue empty |
//! | the other side is gone | not known: send a value that says so |
//!
//! ```
//! use std::thread;
//! use urcu_collections::WfcQueue;
//!
//! static LINES: WfcQueue<String> = WfcQueue::new();
//!
//! let printer = thread::spawn(|| {
//!     let mut consumer = LINES.consumer();
//!     let mut printed = Vec::new();
//!     loop {
//!         for line in consumer.take_all() {
//!             if line.is_empty() {
//!                 return printed;
//!             }
//!             printed.push(line);
//!         }
//!         // Whoever enqueues into an empty queue unparks; if that was before, this returns at once.
//!         thread::park();
//!     }
//! });
//! for line in ["one", "two", ""] {
//!     if !LINES.enqueue(line.into()) {
//!         printer.thread().unpark();
//!     }
//! }
//! assert_eq!(printer.join().unwrap(), ["one", "two"]);
//! ```
