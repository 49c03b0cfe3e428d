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
//! What differs: `Queue::new` allocates nothing and works in a `static`, as `SegQueue` does. A producer that is
//! interrupted in the middle of a push keeps no consumer waiting, where `SegQueue` spins. Memory is freed after a
//! grace period, and not by its last reader.
//!
//! `ArrayQueue` has a bound; no queue here has one. Count the pending work where it is created, and refuse it
//! there.
//!
//! # If one thread takes all values
//! Use a [`WfcQueue`](crate::WfcQueue). Its consumer is a handle, of which there is one at a time. It is like the
//! `Receiver` of a channel, but created when it is needed.
//!
//! | `mpsc` | [`WfcQueue`](crate::WfcQueue) |
//! |---|---|
//! | `sender.clone()` | not needed: share the queue |
//! | `sender.send(value)` | `queue.enqueue(value)`, which also says whether the queue was empty |
//! | `receiver.try_recv()` | `consumer.try_dequeue()` |
//! | `receiver.try_iter()` | `consumer.take_all()`, with one exchange for all |
//! | `receiver.recv()`, which sleeps | a thread that parks; the producer that finds the queue empty unparks it |
//! | the other side is gone | not detected: send a value that says so |
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
//!         // A thread that enqueues into an empty queue unparks this one. If it has done so already, `park` returns at once.
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
