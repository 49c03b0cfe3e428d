//! Coming from `papaya`.
//!
//! Change the import. Methods, `Operation`, `Compute` and `OccupiedError` have the names and arguments of papaya
//! 0.2. Where the program names guards, hashers or lifetimes, see [what differs](#what-differs).
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
//! | `&impl Guard`, `LocalGuard<'_>`, `OwnedGuard<'_>` | `&urcu::ReadGuard<'_>`, `urcu::ReadGuard<'_>`: to name them, the program has to depend on `urcu` itself |
//! | `HashMapRef<'_, K, V, S, G>` | [`HashMapRef<'_, K, V, S>`](crate::HashMapRef): there is one kind of guard |
//! | results borrow the guard: `fn find<'g>(&self, guard: &'g impl Guard) -> Option<&'g V>` | results borrow the guard and the map: `fn find<'g>(&'g self, guard: &'g urcu::ReadGuard<'_>) -> Option<&'g V>` |
//! | the default hasher is the standard library's `RandomState` | [`DefaultHashBuilder`](crate::DefaultHashBuilder): foldhash's, seeded at random |
//! | a collector for each map, or shared | all maps of a domain share theirs: [`HashMapBuilder::domain`](crate::HashMapBuilder::domain) |
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
