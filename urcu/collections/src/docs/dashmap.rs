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
//! | `for entry in map.iter()` | `for (k, v) in &map.pin()` |
//! | `map.view(&k, f)` | `map.read(&k, f)` |
//! | `map.len()` | the same |
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
//! # What is lost
//! A shared map has no `get_mut` and no `iter_mut`: values are replaced, not changed, because others may be reading
//! them. If a change takes long, or the value should not be copied, put a lock into the value: `HashMap<K,
//! Mutex<V>>`. Then the lock covers one entry, and not a shard.
