//! Coming from [`arc-swap`](https://docs.rs/arc-swap): their methods, ours, and what differs.
//!
//! An `ArcSwap<T>` whose readers only look at the value becomes an [`Rcu<T>`](crate::Rcu), without an `Arc` or a
//! count. If readers keep the `Arc`, it becomes an [`RcuArc<T>`](crate::RcuArc). Both exist with an `Option`, too.
//! All four are one type, [`RcuCell`](crate::RcuCell), as theirs are `ArcSwapAny`.
//!
//! | arc-swap | here | what differs |
//! |---|---|---|
//! | `ArcSwap::new(arc)` | `RcuArc::new(arc)` | |
//! | `ArcSwap::from_pointee(value)` | `Rcu::new(value)` | |
//! | `ArcSwapOption::empty()`, `const_empty()` | `RcuOption::empty()`, `RcuArcOption::empty()` | always `const` |
//! | `load()` | [`read()`](crate::RcuCell::read) | a `Ref` to the value, not to an `Arc`; `Option<Ref>` where it may be missing |
//! | | [`load(&guard)`](crate::RcuCell::load) | many cells under one guard: one load each, a plain `&T` |
//! | | [`snapshot()`](crate::RcuCell::snapshot) | a copy of a small value, without a guard |
//! | `load_full()` | `RcuArc`: [`load_full()`](crate::RcuCell::load_full) | |
//! | `store(arc)` | [`store(value)`](crate::RcuCell::store) | the old one is dropped [later, perhaps elsewhere](#where-old-values-are-dropped) |
//! | `swap(arc)` | `RcuArc`: [`swap(arc)`](crate::RcuCell::swap) | |
//! | | [`replace(value)`](crate::RcuCell::replace) | waits for the readers, so nobody else has the old value; no `Arc::try_unwrap` |
//! | `compare_and_swap(&seen, arc)` | [`compare_exchange(seen, value, &guard)`](crate::RcuCell::compare_exchange) | a `Result`; the new value comes back |
//! | `rcu(f)` | [`update(f)`](crate::RcuCell::update), [`try_update(f)`](crate::RcuCell::try_update) | `f` sees `&T` and runs inside a section; [`fetch_update(f)`](crate::RcuCell::fetch_update) returns the old value |
//! | `into_inner()` | [`into_inner()`](crate::RcuCell::into_inner) | |
//! | | [`take()`](crate::RcuCell::take) | `replace` with the default, which is `None` for an `Option` |
//! | `Access`, `DynAccess`, `Map`, `Constant` | [`Access`](crate::Access), [`Part`](crate::Part), [`Constant`](crate::Constant) | one trait for both: `dyn Access<T>` works |
//! | `Guard` kept with a part of the value | [`Ref::map`](crate::Ref::map), [`Ref::filter_map`](crate::Ref::filter_map) | see [parts](#parts) |
//! | `Cache` | [`Cache`](crate::Cache), of an `RcuArc`; [`CloneCache`](crate::CloneCache), of an `Rcu` | often [not needed](#instead-of-cache) |
//! | `ArcSwapWeak` | none | |
//! | `Guard::into_inner` | `RcuArc::load_full` | |
//! | a `Guard` in a task or a queue | [`read_owned()`](crate::RcuCell::read_owned) | owns the cell, and keeps a section open |
//! | feature `serde` | feature `serde` | an `Arc` needs no feature of `serde` |
//!
//! # Side by side
//! ```
//! use std::sync::Arc;
//! use arc_swap::ArcSwap;
//! use urcu::Rcu;
//!
//! let theirs = ArcSwap::from_pointee(vec![1]);
//! let ours = Rcu::new(vec![1]);
//!
//! assert_eq!(theirs.load().len(), 1);
//! assert_eq!(ours.read().len(), 1);
//!
//! theirs.store(Arc::new(vec![2]));
//! ours.store(vec![2]);
//!
//! theirs.rcu(|old| old.iter().map(|n| n + 1).collect::<Vec<_>>());
//! ours.update(|old| old.iter().map(|n| n + 1).collect());
//!
//! let their_old: Arc<Vec<i32>> = theirs.swap(Arc::new(vec![])); // Others may have the `Arc`, too.
//! let our_old: Vec<i32> = ours.replace(vec![]); // Nobody else has the value.
//! assert_eq!(*their_old, our_old);
//! ```
//!
//! With `Arc`s that are kept:
//!
//! ```
//! use std::sync::Arc;
//! use arc_swap::ArcSwapOption;
//! use urcu::RcuArcOption;
//!
//! static THEIRS: ArcSwapOption<String> = ArcSwapOption::const_empty();
//! static OURS: RcuArcOption<String> = RcuArcOption::empty();
//!
//! let value = Some(Arc::new(String::from("a")));
//! THEIRS.store(value.clone());
//! OURS.store(value.clone());
//!
//! assert!(THEIRS.load().is_some());
//! assert!(OURS.read().is_some());
//!
//! assert_eq!(THEIRS.load_full(), value);
//! assert_eq!(OURS.load_full(), value);
//!
//! assert_eq!(THEIRS.swap(None), value);
//! assert_eq!(OURS.swap(None), value);
//! ```
//!
//! Exchanges compare addresses in both libraries. The one here needs a guard, because it returns a reference to the
//! value that it found:
//!
//! ```
//! use std::sync::Arc;
//! use arc_swap::ArcSwap;
//! use urcu::RcuArc;
//!
//! let (one, two) = (Arc::new(1), Arc::new(2));
//!
//! let theirs = ArcSwap::new(Arc::clone(&one));
//! let before = theirs.compare_and_swap(&one, Arc::clone(&two));
//! assert!(Arc::ptr_eq(&before, &one)); // So it was exchanged.
//! let before = theirs.compare_and_swap(&one, Arc::new(3));
//! assert!(!Arc::ptr_eq(&before, &one)); // And here it was not.
//!
//! let ours = RcuArc::new(Arc::clone(&one));
//! let guard = urcu::read_lock();
//! assert!(ours.compare_exchange(&one, Arc::clone(&two), &guard).is_ok());
//! let error = ours.compare_exchange(&one, Arc::new(3), &guard).unwrap_err();
//! assert_eq!((error.current, *error.new), (&2, 3));
//! ```
//!
//! # What a guard costs
//! Making a guard and dropping it costs a few plain instructions, for any number of guards at once. arc-swap has
//! eight fast guards for each thread; further guards touch the reference count. (`rcu-compare` in the repository
//! has figures.)
//!
//! **Holding** a guard is what differs. A guard of arc-swap keeps one old value. A guard here is a read-side
//! section, and grace periods of its domain wait for it: meanwhile *every* value that is replaced in *any* cell of
//! the domain stays in memory, and callers of `replace`, `synchronize` and `barrier` wait. In particular, a thread
//! that calls `replace` while it holds a guard of the same domain waits for itself. So:
//!
//! * Guards are for reading, not for keeping. To keep a value for long (over a network call, in a
//!   struct), use `RcuArc` and `load_full`.
//! * If sections are long by nature, give them a [`Domain`](crate::Domain) of their own (`RcuArc::new_in(value,
//!   &DOMAIN)`).
//!
//! Both kinds of guard may be moved to other threads and held across an `.await`.
//!
//! ```
//! use std::sync::Arc;
//! use urcu::RcuArc;
//!
//! let cell = RcuArc::new(Arc::new(String::from("old")));
//! let kept = cell.load_full(); // Delays nobody.
//! let old = cell.replace(Arc::new(String::from("new")));
//! assert!(Arc::ptr_eq(&kept, &old));
//! ```
//!
//! # Where old values are dropped
//! With arc-swap, the last owner drops an old value: often the thread that calls `store`, or a reader. Here an old
//! value is dropped after a grace period, on a background thread or by a thread that replaces a value of the same
//! domain later:
//!
//! * Readers never run a destructor.
//! * `store`, `swap`, `update`, `try_update` and `compare_exchange` may run destructors: not that of the value that
//!   they replace, but those of values that were replaced before, in any cell of the same domain. So **do not hold
//!   a lock that such a destructor takes** around these calls. (The same holds for `store` of arc-swap, but only
//!   for the destructor of the replaced value.) A thread that must hold such a lock uses
//!   [`call`](crate::Domain::call), which never runs a destructor, or gives the domain a [`Runner`](crate::Runner)
//!   of its own.
//! * `store`, `swap`, `update` and `compare_exchange` need `T: Send + 'static` (an `Arc` also
//!   `T: Sync`). `replace` needs neither.
//! * Call [`barrier`](crate::barrier) where destructors must have run, for example at the end of `main`. Until a
//!   grace period has passed, the cell still has a count of an `Arc` that `swap` returned, so `Arc::get_mut` and
//!   `Arc::into_inner` fail. After `replace` they do not.
//!
//! ```
//! use std::sync::Arc;
//! use arc_swap::ArcSwap;
//! use urcu::Rcu;
//!
//! let alive = Arc::new(());
//!
//! let theirs = ArcSwap::from_pointee(Some(Arc::clone(&alive)));
//! theirs.store(Arc::new(None));
//! assert_eq!(Arc::strong_count(&alive), 1);
//!
//! let ours = Rcu::new(Some(Arc::clone(&alive)));
//! ours.store(None);
//! urcu::barrier();
//! assert_eq!(Arc::strong_count(&alive), 1);
//! ```
//!
//! # Memory ordering
//! A reader that sees a new value sees its content, and everything that its writer did before. No more is promised:
//! operations here acquire and release, while the operations of arc-swap that write are sequentially consistent.
//! Code that relies on the order of accesses to *several* cells needs [`fence(SeqCst)`](core::sync::atomic::fence)
//! of its own.
//!
//! # Parts
//! A component that needs one part of a configuration takes an [`Access`](crate::Access) to that part:
//!
//! ```
//! use arc_swap::ArcSwap;
//! use urcu::{Access, Part, Rcu};
//!
//! struct Config { limit: usize }
//!
//! fn their_component(limit: impl arc_swap::access::Access<usize>) -> usize { *limit.load() }
//! fn our_component(limit: impl Access<usize>) -> usize { *limit.read() }
//!
//! let theirs = ArcSwap::from_pointee(Config { limit: 3 });
//! assert_eq!(their_component(theirs.map(|config: &Config| &config.limit)), 3);
//!
//! let ours = Rcu::new(Config { limit: 3 });
//! assert_eq!(our_component(Part::of(&ours, |config: &Config| &config.limit)), 3);
//! ```
//!
//! # Instead of `Cache`
//! A `Cache` spares a busy thread most of the cost of `load`, keeps an old value alive until its next use, and must
//! be `&mut`. This is the same in both libraries. But here a busy thread can also hold one guard for a batch of
//! reads, each of which then is one load, and `snapshot` copies a small `Copy` value without a guard.
//!
//! ```
//! use std::sync::Arc;
//! use arc_swap::{ArcSwap, Cache};
//! use urcu::Rcu;
//!
//! let theirs = ArcSwap::from_pointee(5);
//! let mut cache = Cache::new(&theirs);
//! let their_sum: i32 = (0..100).map(|_| **cache.load()).sum();
//!
//! let ours = Rcu::new(5);
//! let our_sum: i32 = (0..100).map(|_| ours.snapshot()).sum();
//! let guard = urcu::read_lock();
//! let in_a_batch: i32 = (0..100).map(|_| *ours.load(&guard)).sum();
//! assert_eq!([their_sum, our_sum], [in_a_batch; 2]);
//! ```
