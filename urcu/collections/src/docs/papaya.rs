//! Coming from `papaya`.
//!
//! Change the import. Types and methods have the names and arguments of papaya 0.2, and papaya's own tests pass (see
//! [below](#papayas-own-tests)). Where the program names guards, hashers or lifetimes, see
//! [what differs](#what-differs).
//!
//! ```
//! use urcu_collections::{Compute, HashMap, Operation};
//!
//! let map = HashMap::new();
//! let pinned = map.pin();
//! pinned.insert("hits", 1);
//! let counted = pinned.compute("hits", |entry| match entry {
//!     Some((_, hits)) if *hits < 10 => Operation::Insert(hits + 1),
//!     Some(_) => Operation::Abort("enough"),
//!     None => Operation::Remove,
//! });
//! assert!(matches!(counted, Compute::Updated { new: (_, 2), .. }));
//! // As with papaya, methods also take guards. One guard serves all maps of a domain.
//! let guard = map.guard();
//! assert_eq!(map.get("hits", &guard), Some(&2));
//! ```
//!
//! # What differs
//! | papaya | here |
//! |---|---|
//! | `&impl Guard` as an argument, `impl Guard` as a result | [`&ReadGuard<'_>`](crate::ReadGuard), `ReadGuard<'_>`: there is one type of guard, and no trait. [`LocalGuard`](crate::LocalGuard) and [`OwnedGuard`](crate::OwnedGuard) are other names of it |
//! | `HashMapRef<'_, K, V, S, G>`, `Iter<'_, K, V, G>` | [`HashMapRef<'_, K, V, S>`](crate::HashMapRef), [`Iter<'_, K, V>`](crate::Iter), without the guard's type |
//! | results borrow the guard: `fn find<'g>(&self, guard: &'g impl Guard) -> Option<&'g V>` | results borrow the guard and the map: `fn find<'g>(&'g self, guard: &'g ReadGuard<'_>) -> Option<&'g V>` |
//! | the default hasher is the standard library's `RandomState` | [`DefaultHashBuilder`](crate::DefaultHashBuilder): foldhash's, seeded at random |
//! | a collector for each map, or a shared one: `collector`, `shared_collector` | a domain, shared by all its maps: [`HashMapBuilder::domain`](crate::HashMapBuilder::domain) |
//! | a guard that is held over many changes lets garbage grow without a bound | the domain's [`Budget`](urcu::Budget) bounds it, by default to 16 MiB, which is about 260,000 changes of small entries: after that each change waits up to 10 ms, and a report names the guard. [`refresh`](crate::HashMapRef::refresh) the handle in such loops, or set a larger budget |
//! | `pin_owned`, `owned_guard`, for guards that are sent or held across an `.await` | the same as `pin` and `guard`, whose results may be sent and held, too |
//! | changes do not restrict the types' lifetimes | changes require `'static` |
//! | a lookup may follow the next table while the map grows | the same, by a bucket's mark; no lookup waits |
//!
//! # What is new
//! ```
//! use urcu_collections::HashMap;
//!
//! let mut map = HashMap::from([(1, 10), (2, 20)]);
//! map.pin().entry(3).or_insert(30);
//! // Takes no guard and touches no counter.
//! assert_eq!(map.get_copied(&3), Some(30));
//! // Looks up several keys at once, so that their cache misses overlap.
//! assert_eq!(map.pin().get_many([&1, &2, &9]), [Some(&10), Some(&20), None]);
//! assert_eq!(map.read(&1, |value| value + 1), Some(11));
//! map.iter_mut().for_each(|(_, value)| *value += 1);
//! map.pin().shrink_to_fit();
//! assert!(map.memory_usage() > 0);
//! assert_eq!(map.into_iter().map(|(_, value)| value).sum::<i32>(), 63);
//! ```
//!
//! Maps shrink by themselves. With the feature `rayon` they have parallel iterators.
//!
//! # Papaya's own tests
//! The repository runs all 99 tests that papaya 0.2 publishes, and 49 of the 52 examples in its documentation, with
//! this package under papaya's name (`.ci/papaya`). Three examples are left out: two call `collector`, and one is
//! generic over `impl Guard`. In the tests only this is changed:
//!
//! * the maps are built without `collector`;
//! * type parameters for keys are `'static`;
//! * to take less time, the stress tests run two rounds with four threads, and the "cuckoo" tests half a second;
//!   the [`Budget`](urcu::Budget) is larger, because some of them make half a million changes under one guard.
//!
//! All other public names of papaya exist here, with implementations of the same traits.
