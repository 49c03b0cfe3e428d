//! Coming from `dashmap`.
//!
//! A reference from `dashmap` holds the lock of a shard, so a second call, or an `.await`, while it is held may
//! deadlock. Here a handle holds a read-side section, which blocks nobody: call whatever you like meanwhile.
//!
//! | dashmap | here |
//! |---|---|
//! | `map.get(&k)` | `map.pin().get(&k)`; or `map.read(&k, ..)`, `map.get_copied(&k)` |
//! | `*map.get_mut(&k)? += 1` | `map.pin().update(k, ..)`, or values that are atomics |
//! | `map.entry(k).or_insert(v)` | `map.pin().entry(k).or_insert(v)`, which returns a `&V` |
//! | `map.entry(k).and_modify(..).or_insert(v)` | the same, where the closure returns the new value |
//! | `map.alter(&k, f)` | `map.pin().update(k, f)`, `map.pin().compute(k, f)` |
//! | `map.remove_if(&k, f)` | `map.pin().remove_if(&k, f)` |
//! | `map.retain(f)` | `map.pin().retain(f)`, with `&V` |
//! | `map.insert(k, v)`, `map.remove(&k)`, which return what was there | `map.pin().insert(k, v).cloned()`, `map.pin().remove_entry(&k)`, which return references: others may be reading it |
//! | `match map.entry(k) { Occupied(entry) => .., Vacant(entry) => .. }` | `match map.pin().try_insert(k, v) { Ok(new) => .., Err(occupied) => .. }`, or [`compute`](crate::HashMap::compute), which decides by the entry |
//! | `for entry in map.iter()`, `entry.key()`, `entry.value()` | `for (key, value) in &map.pin()` |
//! | `for mut entry in map.iter_mut()`, `map.alter_all(f)` | `for key in pinned.keys() { pinned.update(key.clone(), f); }`, with one handle `pinned`: each key is met once |
//! | `fn user(&self, ..) -> Option<Ref<'_, K, V>>` | `fn user<'g>(&'g self, .., guard: &'g ReadGuard<'_>) -> Option<&'g V>`; or pass a closure to `map.read` |
//! | `map.view(&k, f)` | `map.read(&k, f)` |
//! | `map.len()`, `map.is_empty()`, `map.into_iter()` | the same |
//! | `DashSet` | [`HashSet`](crate::HashSet) |
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//! use urcu_collections::HashMap;
//!
//! let hits = HashMap::new();
//! hits.pin().entry("/").and_modify(|hits| hits + 1).or_insert(1);
//! hits.pin().entry("/").and_modify(|hits| hits + 1).or_insert(1);
//! assert_eq!(hits.get_copied("/"), Some(2));
//!
//! // A value that changes with every hit is better changed in place, which allocates and frees nothing.
//! let hits: HashMap<&str, AtomicU64> = HashMap::new();
//! let pinned = hits.pin();
//! pinned.get_or_insert_with("/", AtomicU64::default).fetch_add(1, Relaxed);
//! // A reference is held, and the same map is changed: no deadlock.
//! let held = pinned.get("/").unwrap();
//! pinned.insert("/other", AtomicU64::new(0));
//! pinned.remove("/");
//! assert_eq!(held.load(Relaxed), 1);
//! ```
//!
//! Where a function returned a `Ref`, it takes a guard now, or a closure:
//!
//! ```
//! use urcu_collections::{HashMap, ReadGuard};
//!
//! struct Users(HashMap<u64, String>);
//!
//! impl Users {
//!     fn name<'g>(&'g self, id: u64, guard: &'g ReadGuard<'_>) -> Option<&'g str> {
//!         Some(self.0.get(&id, guard)?)
//!     }
//!
//!     fn with_name<R>(&self, id: u64, f: impl FnOnce(&str) -> R) -> Option<R> {
//!         self.0.read(&id, |name| f(name))
//!     }
//! }
//!
//! let users = Users(HashMap::from([(7, "alice".to_string())]));
//! assert_eq!(users.name(7, &users.0.guard()), Some("alice"));
//! assert_eq!(users.with_name(7, str::len), Some(5));
//! ```
//!
//! # What is lost
//! A shared map has no `get_mut` and no `iter_mut`: values are replaced, not changed, because others may be reading
//! them. If a change takes long, or the value should not be copied, put a lock into the value: `HashMap<K,
//! Mutex<V>>`. Then the lock covers one entry, and not a shard. For instance `map.entry(word).or_default().push(n)`
//! becomes:
//!
//! ```
//! use std::sync::Mutex;
//! use urcu_collections::HashMap;
//!
//! let lines: HashMap<&str, Mutex<Vec<u32>>> = HashMap::new();
//! lines.pin().entry("fox").or_default().lock().unwrap().push(1);
//! # assert_eq!(*lines.pin().get("fox").unwrap().lock().unwrap(), [1]);
//! ```
//!
//! A value that was removed may still be seen, and changed, by those who found it before. Changing a map requires
//! `Send + 'static` of keys and values.
