//! Coming from `papaya`, `dashmap` or a locked `HashMap`: their methods, and those of `urcu-collections`.
//!
//! The maps are in a package of their own, [`urcu-collections`](https://docs.rs/urcu-collections). Its page has
//! all collections, and figures beside these maps, losses first.
//!
//! # papaya
//! Change the import: methods, `Operation`, `Compute` and `OccupiedError` have the same names and arguments.
//!
//! | papaya | here | what differs |
//! |---|---|---|
//! | `map.pin()`, `map.pin_owned()` | `map.pin()` | may be sent to other threads and live across an `.await` |
//! | `map.guard()`, `map.owned_guard()` | `map.guard()`, or any [`ReadGuard`](crate::ReadGuard) of the map's domain | one guard serves several maps, and cells |
//! | `map.get(&key, &guard)` | the same | what is found borrows the map too, not the guard alone |
//! | `Collector`, shared by hand | a [`Domain`](crate::Domain) | all maps of a domain share it |
//! | `'static` is not asked | keys and values that are removed must be `Send + 'static` | they are dropped later, elsewhere |
//! | | `entry`, `get_copied`, `get_many`, `read`, `iter_mut`, `into_iter`, `shrink_to_fit`, `memory_usage`, `par_iter`, `refresh` | new |
//!
//! ```ignore
#![doc = include_str!("maps/papaya.rs")]
//! ```
//!
//! # dashmap
//! A guard locks nothing here: it deadlocks with nothing, and may be held across an `.await` and further calls.
//! So values are replaced, not changed in place; a value that must be changed in place is an atomic, or a lock.
//!
//! | dashmap | here |
//! |---|---|
//! | `map.get(&k)`, a reference with a lock | `map.pin().get(&k)`; `map.read(&k, f)`; `map.get_copied(&k)` |
//! | `*map.get_mut(&k)? += 1` | `map.pin().update(k, f)`, or values that are atomics |
//! | `map.entry(k).or_insert(v)` | `map.pin().entry(k).or_insert(v)`, a `&V` |
//! | `map.entry(k).and_modify(f).or_insert(v)` | the same, where `f` returns the new value |
//! | `map.alter`, `map.remove_if` | `compute`, `remove_if` |
//! | `map.insert(k, v)`, the old value | `map.pin().insert(k, v)`, a reference to it |
//! | `for entry in map.iter()` | `for (k, v) in &map.pin()` |
//! | `map.view(&k, f)` | `map.read(&k, f)` |
//!
//! ```ignore
#![doc = include_str!("maps/dashmap.rs")]
//! ```
//!
//! # `RwLock<HashMap>`
//! `map.read().unwrap().get(&k)` becomes `map.pin().get(&k)`, and `map.write().unwrap().insert(k, v)` becomes
//! `map.pin().insert(k, v)`. Work that was done under *one* write lock for several keys is no longer one step.
//! Where it must be, keep the whole map in an [`Rcu`](crate::Rcu): readers see one version of all keys.
//!
//! ```
//! use std::collections::HashMap;
//! use urcu::Rcu;
//!
//! let routes = Rcu::new(HashMap::from([("/", 1)]));
//! routes.update(|routes| {
//!     let mut routes = routes.clone();
//!     routes.insert("/a", 2);
//!     routes.remove("/");
//!     routes
//! });
//! let seen = routes.read();
//! assert_eq!((seen.get("/"), seen.get("/a")), (None, Some(&2)));
//! ```
