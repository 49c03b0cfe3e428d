//! Coming from a collection behind an `RwLock` or a `Mutex`.
//!
//! | behind a lock | here |
//! |---|---|
//! | `map.read().unwrap().get(&k)` | `map.pin().get(&k)` |
//! | `map.read().unwrap().get(&k).copied()` | `map.get_copied(&k)` |
//! | `let map = map.read().unwrap();`, for several calls | `let map = map.pin();` |
//! | `map.write().unwrap().insert(k, v)` | `map.pin().insert(k, v)` |
//! | `map.write().unwrap().remove(&k)` | `map.pin().remove(&k)`, which returns an `Option<&V>`: others may be reading it. `.cloned()` keeps it |
//! | `map.write().unwrap().get_mut(&k)` | `map.pin().update(k, \|v\| ..)` with a closure that returns the new value; or [values that are atomics or locks](super::dashmap#what-is-lost) |
//! | `*map.write().unwrap().entry(k).or_insert(0) += 1` | `map.pin().update_or_insert(k, \|n\| n + 1, 1)` |
//! | `map.write().unwrap().retain(f)` | `map.pin().retain(f)`, with `&V` |
//! | `*map.write().unwrap().entry(k).or_default()` and a change in place, such as `push` | [a lock in the value](super::dashmap#what-is-lost), or `update_or_insert` with a closure that copies, pushes and returns |
//! | `map.write().unwrap().iter_mut()`, `values_mut()` | `for key in pinned.keys() { pinned.update(key.clone(), f); }`, with one handle `pinned`. Each key is one step |
//! | `mem::take(&mut *map.write().unwrap())`, `drain()` | `let taken = pinned.keys().filter_map(\|key\| pinned.remove_entry(key));`. Each key is one step; see [below](#several-steps-under-one-lock) for all at once |
//! | `map.read().unwrap()[&k]` | `map.pin().get(&k).unwrap()` |
//! | `iter`, `keys`, `values`, `range`, `first_key_value`, `len` | the same, of `map.pin()` |
//! | `RwLock<BTreeMap>`, `RwLock<HashSet>` | [`BTreeMap`](crate::BTreeMap), [`HashSet`](crate::HashSet) |
//! | `RwLock<LinkedList>`, `RwLock<Vec>` that is walked | [`List`](crate::List) |
//! | `Mutex<VecDeque>` | [`Queue`](crate::Queue), [`WfcQueue`](crate::WfcQueue) |
//!
//! What is found lives as long as the handle: `let v = map.pin().get(&k);` does not compile ("temporary value
//! dropped while borrowed"), as it does not with a lock's guard. Keep the handle in a variable of its own. Do not
//! keep it longer than the work: it delays the freeing of whatever is removed. Keys and values have to be `Send +
//! 'static`.
//!
//! ```
//! use std::sync::RwLock;
//! use urcu_collections::{HashMap, List};
//!
//! let before = RwLock::new(std::collections::HashMap::from([("a", 1)]));
//! let after = HashMap::from([("a", 1)]);
//!
//! assert_eq!(before.read().unwrap().get("a"), after.pin().get("a"));
//! before.write().unwrap().insert("b", 2);
//! after.pin().insert("b", 2);
//! *before.write().unwrap().entry("b").or_insert(0) += 1;
//! after.pin().update_or_insert("b", |n| n + 1, 1);
//! assert_eq!(before.read().unwrap().get("b"), after.pin().get("b"));
//! *before.write().unwrap().get_mut("a").unwrap() *= 10;
//! after.pin().update("a", |n| n * 10);
//! assert_eq!(before.write().unwrap().remove("a"), after.pin().remove("a").copied());
//!
//! // Listeners, called in order.
//! let before: RwLock<Vec<fn(u32) -> u32>> = RwLock::new(vec![|n| n + 1]);
//! let after: List<fn(u32) -> u32> = List::from([(|n| n + 1) as fn(u32) -> u32]);
//! assert_eq!(before.read().unwrap().iter().fold(1, |n, call| call(n)), 2);
//! // Here a listener may add or remove listeners; behind the lock it would wait for itself.
//! assert_eq!(after.pin().iter().fold(1, |n, call| call(n)), 2);
//! ```
//!
//! # Several steps under one lock
//! Two calls are two steps. Several steps for one key become one call: `compute`, `update_or_insert`, `try_insert`
//! or `remove_if`. A change of several keys at once is not possible in these collections; keep the whole collection
//! in an [`urcu::Rcu`], and replace it:
//!
//! ```
//! use std::collections::HashMap;
//! use urcu::Rcu;
//!
//! let accounts = Rcu::new(HashMap::from([("alice", 10), ("bob", 0)]));
//! accounts.update(|accounts| {
//!     let mut accounts = accounts.clone();
//!     *accounts.get_mut("alice").unwrap() -= 3;
//!     *accounts.get_mut("bob").unwrap() += 3;
//!     accounts
//! });
//! // A reader sees both changes, or neither.
//! assert_eq!(accounts.read().values().sum::<i32>(), 10);
//! ```
//!
//! There is no poisoning: your code runs under no lock, so a panic in it leaves nothing half done.
