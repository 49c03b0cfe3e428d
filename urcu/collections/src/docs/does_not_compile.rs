//! It does not compile: what the compiler says about these collections, why, and what to write instead.
//!
//! | the compiler says | why | what to write |
//! |---|---|---|
//! | `this method takes 3 arguments` (E0061), ``argument of type `&ReadGuard<'_>` is missing`` | methods of a collection take the section to work in; those of its handle do not | `map.pin().insert(k, v)` |
//! | `temporary value dropped while borrowed` (E0716): `let v = map.pin().get(&k);` | what is read lives as long as its handle | `let pinned = map.pin();` in a line of its own; or a copy, `map.pin().get(&k).cloned()` |
//! | `cannot return value referencing temporary value` (E0515) | the same | return a copy; or call a closure, `map.read(&k, \|v\| ..)`; or take the guard as an argument, `fn get<'g>(&'g self, k: &K, guard: &'g ReadGuard<'_>)` |
//! | ``argument requires that `text` is borrowed for `'static` `` (E0597) | readers may still see what was removed, so it is dropped later, on another thread | keys and values that own their data: `String`, `Arc<str>` |
//! | `Rc<..> cannot be sent between threads safely` (E0277) | the same | `Arc` |
//! | `` the method `insert` exists .. but its trait bounds were not satisfied: `K: Send` `` (E0599) in generic code | the same | `K: Hash + Eq + Send + 'static, V: Send + 'static`, and `K: Ord + ..` for a `BTreeMap` |
//! | `RefCell<..> cannot be shared between threads safely` (E0277) | several threads read a value at once | an atomic, or a `Mutex` |
//! | ``cannot borrow `*v` as mutable`` (E0596), `cannot assign to data in a & reference` (E0594): `*map.pin().entry(k).or_insert(0) += 1` | others are reading the value | `map.pin().update_or_insert(k, \|v\| v + 1, 1)`, or an atomic or a lock as the value |
//! | ``expected `Vec<u32>`, found `()` `` (E0308) in `update` or `compute` | the closure returns the new value, and cannot change the old one | `update(k, \|v\| { let mut new = v.clone(); new.push(1); new })` |
//! | `&HashMap<..> is not an iterator` (E0277): `for (k, v) in &map` | an iteration needs a section | `for (k, v) in &map.pin()`, `for x in &list.pin()` |
//! | ``expected `Position<'_, T>` `` (E0308) in `list.pin().remove(x)` | an element is found by its place, not by its value | `pinned.retain(\|x\| x != y)`; or walk over `pinned.positions()` |
//! | `` `m` does not live long enough `` (E0597): `let p = map.pin(); thread::spawn(move \|\| p.get(&k))` | a handle borrows its collection | move an `Arc` of the map to the thread, and `pin` there; or `thread::scope` |
//! | `` no method named `push` `` (E0599), `` method `dequeue` is private `` (E0624) on a `WfcQueue` | only its consumer takes values | `queue.enqueue(x)`; `queue.consumer().dequeue()` |
//!
//! The same with what is to be written, run with the tests:
//!
//! ```
//! use std::hash::Hash;
//! use std::sync::Arc;
//! use std::thread;
//! use urcu_collections::{HashMap, List, WfcQueue};
//!
//! let map: HashMap<String, u32> = HashMap::new();
//! map.pin().insert("a".to_owned(), 1);
//! let pinned = map.pin();
//! let one = pinned.get("a");                              // Lives as long as `pinned`.
//! assert_eq!(one, Some(&1));
//! assert_eq!(map.pin().get("a").cloned(), Some(1));       // A copy needs no handle.
//! map.pin().update_or_insert("a".to_owned(), |v| v + 1, 1);
//! for (key, value) in &map.pin() {
//!     assert_eq!((key.as_str(), *value), ("a", 2));
//! }
//!
//! struct Cache<K, V>(HashMap<K, V>);
//!
//! impl<K: Hash + Eq + Send + 'static, V: Clone + Send + 'static> Cache<K, V> {
//!     fn put(&self, key: K, value: V) { self.0.pin().insert(key, value); }
//!     fn get(&self, key: &K) -> Option<V> { self.0.read(key, V::clone) }
//! }
//!
//! let cache = Arc::new(Cache(HashMap::new()));
//! let its = Arc::clone(&cache);
//! thread::spawn(move || its.put(7, "seven")).join().unwrap();
//! assert_eq!(cache.get(&7), Some("seven"));
//!
//! let list = List::from([1, 2, 3]);
//! let pinned = list.pin();
//! if let Some(second) = pinned.positions().find(|position| *position.get() == 2) {
//!     pinned.remove(second);
//! }
//! assert!(pinned.iter().eq(&[1, 3]));
//!
//! let queue = WfcQueue::new();
//! queue.enqueue("work");
//! let mut consumer = queue.consumer();
//! while let Some(work) = consumer.dequeue() {
//!     assert_eq!(work, "work");
//! }
//! ```
//!
//! Memory that grows, waits that do not end and reports of stalled grace periods are on [`urcu`'s
//! page](urcu::docs::troubleshooting).
