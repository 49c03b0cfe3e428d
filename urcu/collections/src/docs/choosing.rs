//! When to use which collection, and what each costs.
//!
//! # Which one
//! | what is done with the data | collection |
//! |---|---|
//! | looked up by key, much more often than it is changed | [`HashMap`](crate::HashMap), [`HashSet`](crate::HashSet) |
//! | the same, with ranges or the first and last key | [`BTreeMap`](crate::BTreeMap) |
//! | iterated over in an order that you choose: rules, listeners, work lists | [`List`](crate::List) |
//! | handed over, first in first out, by many to many | [`Queue`](crate::Queue) |
//! | handed over, first in first out, by many to one, which often takes everything at once | [`WfcQueue`](crate::WfcQueue) |
//! | handed over in any order; pools of reusable objects | [`Stack`](crate::Stack) |
//! | read as a whole, and replaced as a whole | [`urcu::Rcu`], with a collection of the standard library in it |
//!
//! If changes are as frequent as reads, measure against a map behind locks: writers pay for what readers save. For
//! small keys and values that change all the time, try [`Apart`](crate::Apart) first. If several keys have to change
//! in one step, keep the whole collection in an [`urcu::Rcu`]: no collection here changes two keys at once.
//!
//! # What a reader pays
//! | | sections | what it touches | what it sees |
//! |---|---|---|---|
//! | `HashMap::get` | one, or that of a handle | two cache lines for a hit, one for a miss; one or two if pairs are small | the key's value at one moment of the call |
//! | `HashMap::get_copied` | none, for small keys and values | the same | the same |
//! | `HashMap::iter` | one for the whole iteration | the whole table | once each key that is there all the time; perhaps others |
//! | `BTreeMap::get` | one | a node for each level | the key's value at one moment |
//! | `BTreeMap::range` | one for the whole iteration | the nodes of the range | once, in order, each key that is there all the time; perhaps others |
//! | `List::iter` | one for the whole iteration | each element | once, in order, each element that is there all the time and not moved; perhaps others |
//!
//! Readers never wait, whatever other threads do, and write nothing that another thread reads. A long section keeps
//! everything that is removed from its domain meanwhile from being freed. Call `refresh` on handles in loops, or
//! give such a collection a domain of its own (`new_in`).
//!
//! # What a change pays
//! | | memory | atomic instructions | who waits for whom |
//! |---|---|---|---|
//! | `HashMap::insert`, `remove`, `update` | an allocation for each entry; mostly none if pairs are small | a bucket's lock | changes of keys in the same bucket, for a few stores |
//! | `BTreeMap::insert`, `remove` | an allocation for each entry, and a copy of its leaf; of the path from the root, for one change in ten | the lock of the leaf's parent; for a path one exchange, too | changes of up to 32 leaves with the same parent, for a few stores; the second change of a path starts over |
//! | `List::push_back`, `remove`, `move_to_front` | an allocation for each element, and for each move | the list's lock | all changes of the list, for a few stores |
//! | `Queue::push`, `pop` | an allocation for every 128 values | two to push, one to pop, and a section | nobody |
//! | `WfcQueue::enqueue` | an allocation for each value | one exchange | nobody, ever: it is wait-free |
//! | `WfcQueue`, `Consumer::dequeue` | | none, or an exchange for the last value | for an enqueue in the middle (or returns an error instead); consumers for one another |
//! | `Stack::push`, `pop` | an allocation for each value | one exchange, and a section to pop | nobody; the second thread starts over |
//!
//! Entries that are removed from a map or a list are freed after a grace period, in batches and without waiting; so
//! are the segments of a `Queue` and the nodes of a `Stack`. The caller owns values that were popped or dequeued at
//! once. Nodes of a `WfcQueue` are freed at once, because nobody can still see them: see
//! [`wfcqueue`](crate::wfcqueue).
//!
//! # Bytes beside the value
//! | | bytes |
//! |---|---|
//! | `HashMap` | 8 for the hash, and 16 to 32 of a bucket; about 18 in all if pairs are small; [`memory_usage`](crate::HashMap::memory_usage) returns the exact size |
//! | `List` | 32, and 24 more for an element that has been moved |
//! | `Queue` | 8, and about 400 for a segment of 128 values |
//! | `WfcQueue`, `Stack` | 8 |
//!
//! The allocator adds 8 to 16 bytes to each allocation.
//!
//! *Small pairs* are a key and a value of at most 8 bytes each: integers, characters, floats (values only), IPv4 addresses,
//! `NonZero` and short arrays of these, with the default hasher or the standard one. They lie in the map's buckets.
//!
//! # Bounds of the types
//! Removing from maps and lists requires `Send + 'static`: readers may still see a removed value, so it is dropped
//! later, on another thread. Queues and stacks hand values over and need no bounds:
//!
//! ```
//! use urcu_collections::{List, WfcQueue};
//!
//! let text = String::from("borrowed");
//! let queue = WfcQueue::from_iter([text.as_str()]);
//! assert_eq!(queue.consumer().dequeue(), Some("borrowed"));
//! // Nothing is removed from this list, so it may borrow, too.
//! let list = List::from([text.as_str()]);
//! assert!(list.pin().iter().eq(&["borrowed"]));
//! ```
//!
//! # Patterns
//! The examples are whole programs, with their measurements:
//!
//! | | |
//! |---|---|
//! | `dns_cache` | records that expire: a map, and for each time-to-live a list in the order of expiry |
//! | `routing_table` | longest-prefix match, with a map for each length of prefix; reloaded in one step by an `Rcu` |
//! | `session_store` | idle sessions end: readers note the time in the value, and a sweep goes through a list; a log for which nobody waits |
//!
//! `session_store` also shows an approximation of *least recently used* that costs a hit one store. Moving the
//! element to the back of a list at each hit would make every reader a writer.
