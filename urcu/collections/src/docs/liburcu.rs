//! Coming from liburcu's `wfcqueue`, `rculist` and their kin.
//!
//! liburcu's structures are intrusive: nodes lie inside your own objects, and you free them. Here a collection owns
//! its values, and itself waits for grace periods where that is needed.
//!
//! | liburcu | here |
//! |---|---|
//! | `cds_wfcq_*` | [`WfcQueue`](crate::WfcQueue) |
//! | `cds_lfq_*` (`rculfqueue`) | [`Queue`](crate::Queue) |
//! | `cds_lfs_*`, `cds_wfs_*` | [`Stack`](crate::Stack) |
//! | `cds_list_*_rcu`, `cds_hlist_*_rcu` | [`List`](crate::List) |
//! | `cds_lfht_*` | [`HashMap`](crate::HashMap) |
//!
//! # `wfcqueue`
//! | liburcu | [`WfcQueue`](crate::WfcQueue) |
//! |---|---|
//! | `cds_wfcq_init` | `WfcQueue::new()`, also in a `static`; and it can be moved |
//! | `cds_wfcq_enqueue` | [`enqueue`](crate::WfcQueue::enqueue): wait-free, and also returns whether the queue had values |
//! | `cds_wfcq_dequeue_lock`, `_unlock` | [`consumer`](crate::WfcQueue::consumer), and dropping the consumer |
//! | `__cds_wfcq_dequeue_blocking` | [`dequeue`](crate::wfcqueue::Consumer::dequeue) |
//! | `__cds_wfcq_dequeue_nonblocking`, `CDS_WFCQ_WOULDBLOCK` | [`try_dequeue`](crate::wfcqueue::Consumer::try_dequeue), `TryDequeueError::WouldBlock` |
//! | `__cds_wfcq_splice_blocking(dest, src)` | [`dest.append`](crate::WfcQueue::append) of [`take_all`](crate::wfcqueue::Consumer::take_all) |
//! | `__cds_wfcq_for_each_blocking` | an iterator: [`Batch`](crate::wfcqueue::Batch) |
//! | `cds_wfcq_empty` | [`is_empty`](crate::WfcQueue::is_empty) |
//! | the caller frees the node after a dequeue, at once | done for you, at once |
//! | a full barrier before an enqueue | the exchange acquires and releases; the producer that finds the queue empty wakes the consumer, without a barrier |
//! | a fork in the middle of an enqueue hangs the child's consumer | the child continues without that value and those behind it |
//!
//! ```
//! use urcu_collections::WfcQueue;
//! use urcu_collections::wfcqueue::TryDequeueError;
//!
//! let (source, destination) = (WfcQueue::new(), WfcQueue::from_iter([0]));
//! assert!(!source.enqueue(1));
//! assert!(source.enqueue(2));
//! {
//!     let mut consumer = source.consumer();
//!     assert!(destination.append(consumer.take_all()));
//!     assert_eq!(consumer.try_dequeue(), Err(TryDequeueError::Empty));
//! }
//! assert!(destination.into_iter().eq([0, 1, 2]));
//! ```
//!
//! # `rculist`
//! | liburcu, or the kernel | [`List`](crate::List) |
//! |---|---|
//! | your own mutex around all changes | none: the list locks itself |
//! | `rcu_read_lock`, `cds_list_for_each_entry_rcu` | `for value in &list.pin()` |
//! | walking back: not offered; in the kernel, only after `list_bidir_del_rcu` | `list.pin().iter().rev()`, and cursors that go both ways |
//! | `cds_list_add_rcu`, `cds_list_add_tail_rcu` | `push_front`, `push_back`, `insert_before`, `insert_after` |
//! | `cds_list_del_rcu`, `call_rcu` | [`remove`](crate::List::remove) |
//! | `cds_list_replace_rcu` | `insert_after`, then `remove` |
//! | moving: `del`, a grace period, `add` | [`move_to_front`](crate::List::move_to_front) and the like: at once |
//! | a pointer to an entry | a [`Position`](crate::list::Position), which knows whether it was removed |
//!
//! ```
//! use urcu_collections::List;
//!
//! let list = List::from([1, 2, 3]);
//! let list = list.pin();
//! let two = list.positions().nth(1).unwrap();
//! list.move_to_back(two);
//! assert!(list.iter().rev().eq(&[2, 3, 1]));
//! list.remove(two);
//! // The position is still where the element was.
//! assert_eq!((two.prev().as_deref(), two.next().as_deref()), (Some(&3), None));
//! ```
//!
//! Unlinking and linking the same node would lead a reader that stands on it to another part of the list: it would
//! skip the elements between, or visit elements again. Here a move links a *new* node that refers to the same
//! value, and the old node still leads on from the old place.
