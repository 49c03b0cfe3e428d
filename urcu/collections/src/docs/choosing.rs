//! When to use which collection, and what each costs.
//!
//! # Which one
//! | what is done with the data | collection |
//! |---|---|
//! | looked up by key, much more often than changed | [`HashMap`](crate::HashMap), [`HashSet`](crate::HashSet) |
//! | the same, with ranges or the first and last key | [`BTreeMap`](crate::BTreeMap) |
//! | walked in an order that somebody gives it: rules, listeners, what to look at next | [`List`](crate::List) |
//! | handed over, first in first out, by many to many | [`Queue`](crate::Queue) |
//! | handed over, first in first out, by many to one, who often takes all there is | [`WfcQueue`](crate::WfcQueue) |
//! | handed over in any order; pools of things to use again | [`Stack`](crate::Stack) |
//! | read as a whole, and replaced as a whole | [`urcu::Rcu`], with a collection of the standard library in it |
//!
//! If changes are as frequent as reads, measure beside a map behind locks: readers who pay nothing are paid for
//! by who changes. If all that several keys say has to change in one step, keep the whole in an [`urcu::Rcu`]:
//! no collection here changes two keys at once.
//!
//! # What a reader pays
//! | | a section | what it touches | what it may see |
//! |---|---|---|---|
//! | `HashMap::get` | one, or that of a handle | two cache lines for a hit, one for a miss | the key's value at one moment of the call |
//! | `HashMap::get_copied` | none, for small keys and values | the same | the same |
//! | `HashMap::iter` | one for all of it | the whole table | every key that is there all the time once; of others perhaps some |
//! | `BTreeMap::get` | one | a node for each level | the key's value at one moment |
//! | `BTreeMap::range` | one for all of it | the nodes of the range | the whole map at one moment |
//! | `List::iter` | one for all of it | each element | every element that is there and not moved, once, in order; of others perhaps some |
//!
//! No reader waits, for whatever others do, and none writes anything that another thread reads. A section in
//! which a reader stays for long keeps all that is removed meanwhile from being freed, in the whole domain:
//! `refresh` handles in loops, or give such a collection a domain of its own (`new_in`).
//!
//! # What a change pays
//! | | memory | atomic instructions | who waits for whom |
//! |---|---|---|---|
//! | `HashMap::insert`, `remove`, `update` | an allocation for each entry | a bucket's lock | changes of keys in one bucket, for some stores |
//! | `BTreeMap::insert`, `remove` | the nodes on the way are copied | one exchange | nobody; who comes second begins again |
//! | `List::push_back`, `remove`, `move_to_front` | an allocation for each element, and for each move | the list's lock | all changes of a list, for some stores |
//! | `Queue::push`, `pop` | an allocation for 64 values | two, and a section | nobody |
//! | `WfcQueue::enqueue` | an allocation for each value | one exchange | nobody, ever: it is wait-free |
//! | `WfcQueue`, `Consumer::dequeue` | | none, or an exchange for the last value | for an enqueue in the middle, or it says so; consumers for one another |
//! | `Stack::push`, `pop` | an allocation for each value | one exchange, and a section to pop | nobody; who comes second begins again |
//!
//! What is removed from a map or a list is freed after a grace period, in batches and without waiting; so are
//! the segments of a `Queue` and the nodes of a `Stack`. Values that were popped or dequeued are the caller's at
//! once. Nodes of a `WfcQueue` are freed at once, because nobody can still look at them: see
//! [`wfcqueue`](crate::wfcqueue).
//!
//! # Bytes beside the value
//! | | bytes |
//! |---|---|
//! | `HashMap` | 8 for the hash, and 16 to 32 of a bucket; [`memory_usage`](crate::HashMap::memory_usage) says it exactly |
//! | `List` | 32, and 24 more for an element that has been moved |
//! | `Queue` | 8, and about 400 for a segment of 64 values |
//! | `WfcQueue`, `Stack` | 8 |
//!
//! and what the allocator adds to each allocation (8 to 16).
//!
//! # What is asked of the types
//! Maps and lists ask `Send + 'static` of what is removed from them: somebody may still look at it, so it is
//! dropped later and elsewhere. Queues and stacks hand values over, and ask nothing:
//!
//! ```
//! use urcu_collections::{List, WfcQueue};
//!
//! let text = String::from("borrowed");
//! let queue = WfcQueue::from_iter([text.as_str()]);
//! assert_eq!(queue.consumer().dequeue(), Some("borrowed"));
//! // A list too, of which nothing is removed.
//! let list = List::from([text.as_str()]);
//! assert!(list.pin().iter().eq(&["borrowed"]));
//! ```
//!
//! # Patterns
//! The examples are whole programs, with their measurements:
//!
//! | | |
//! |---|---|
//! | `dns_cache` | records that expire: a map, and for each time to live a list in the order of expiry |
//! | `routing_table` | longest prefix match, by a map for each length of prefix; reloaded in one step by an `Rcu` |
//! | `session_store` | what was not used is dropped: readers note the time in the value, a sweep goes through a list; a log that nobody waits for |
//!
//! An approximation of *least recently used* that costs a hit one store: see `session_store`. A hit that moved
//! its element to the back of a list would make every reader a writer.
