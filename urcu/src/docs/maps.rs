//! Coming from `papaya`, `dashmap` or a locked `HashMap`, in short.
//!
//! The maps are in a package of their own, `urcu-collections` (`urcu/collections` in the repository), whose module
//! `docs` has a page for each of these, and for `crossbeam-queue`, with all methods and what differs. Its README
//! has figures beside these maps, losses first.
//!
//! # papaya
//! Change the import: methods, `Operation`, `Compute` and `OccupiedError` have the same names and arguments. A
//! guard is a [`ReadGuard`](crate::ReadGuard), which serves several maps and cells of a domain.
//!
//! ```ignore
#![doc = include_str!("maps/papaya.rs")]
//! ```
//!
//! # dashmap
//! A guard locks nothing here, so it cannot deadlock, and may be held across an `.await` and further calls. In
//! return, values are replaced and not changed in place; a value that must change in place has to be an atomic or
//! contain a lock.
//!
//! ```ignore
#![doc = include_str!("maps/dashmap.rs")]
//! ```
//!
//! (Both examples are compiled and run in the repository.)
//!
//! # `RwLock<HashMap>`
//! `map.read().unwrap().get(&k)` becomes `map.pin().get(&k)`, and `map.write().unwrap().insert(k, v)` becomes
//! `map.pin().insert(k, v)`. Work that was done under *one* write lock for several keys is no longer one step.
//! If it must be, keep the whole map in an [`Rcu`](crate::Rcu): readers then see one version of all keys.
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
