//! Coming from `seize` or `haphazard`, in short.
//!
//! # seize
//! | seize | here | what differs |
//! |---|---|---|
//! | `Collector::new()` | [`Domain::new()`](crate::Domain::new) | `const`; or [`global()`](crate::global()), or [`domain!`](crate::domain!) |
//! | `Collector::batch_size(n)` | [`Budget`](crate::Budget) | bounds what waits, in values and in bytes |
//! | `collector.enter()` | [`domain.read_lock()`](crate::Domain::read_lock) | no thread-local state |
//! | `collector.enter_owned()`, `OwnedGuard` | every guard is `Send` | |
//! | `guard.protect(&ptr, ordering)` | [`Atomic::load`](crate::raw::Atomic::load) | `Acquire` is enough |
//! | `guard.swap`, `guard.compare_exchange` | [`Atomic`](crate::raw::Atomic)'s | |
//! | `guard.defer_retire(ptr, reclaim::boxed)` | [`Domain::retire(ptr)`](crate::Domain::retire) | |
//! | `guard.defer_retire(ptr, f)` | [`Domain::retire_with(ptr, f, bytes)`](crate::Domain::retire_with) | |
//! | `guard.refresh()` | [`guard.refresh()`](crate::ReadGuard::refresh) | |
//! | `guard.flush()`, `collector.reclaim_all()` | [`barrier()`](crate::Domain::barrier) | waits |
//! | `guard.collector() == &c` | [`guard.is_of(&domain)`](crate::ReadGuard::is_of) | |
//!
//! In seize, the last thread that leaves a batch frees it. Here a thread that retires a value later frees earlier
//! ones, or the background thread does. In seize, a stalled reader holds up the batches that were retired while it
//! was active. Here it holds up everything that is retired later in its domain; when that reaches the budget, each
//! retirement waits a little.
//!
//! ```
//! use std::ptr;
//! use std::sync::atomic::{AtomicPtr, Ordering::{AcqRel, Acquire}};
//! use urcu::Domain;
//!
//! struct Config { domain: Domain, current: AtomicPtr<String> }
//!
//! impl Config {
//!     fn replace(&self, text: &str) {
//!         let old = self.current.swap(Box::into_raw(Box::new(text.into())), AcqRel);
//!         // SAFETY: from a box, and unlinked just now; every reader has a section of this domain.
//!         unsafe { self.domain.retire(old) };
//!     }
//!
//!     fn len(&self) -> usize {
//!         let _section = self.domain.read_lock();
//!         // SAFETY: never null, and not retired before this section began.
//!         unsafe { &*self.current.load(Acquire) }.len()
//!     }
//! }
//!
//! impl Drop for Config {
//!     fn drop(&mut self) {
//!         // SAFETY: from a box, and nobody else has it.
//!         drop(unsafe { Box::from_raw(*self.current.get_mut()) });
//!     }
//! }
//!
//! let config = Config {
//!     domain: Domain::new(),
//!     current: AtomicPtr::new(Box::into_raw(Box::new("old".into()))),
//! };
//! config.replace("newer");
//! assert_eq!(config.len(), 5);
//! ```
//!
//! ([`Rcu<String>`](crate::Rcu) is the safe form of this structure.)
//!
//! # haphazard
//! | haphazard | here | what differs |
//! |---|---|---|
//! | `AtomicPtr<T>` of a family | [`Rcu<T, D>`](crate::Rcu), [`Atomic<T>`](crate::raw::Atomic) | |
//! | `unique_domain!`, families | [`domain!`](crate::domain!) | a guard, not a pointer, shows its domain |
//! | `HazardPointer::new()`, `many()` | [`read_lock()`](crate::read_lock) | one guard for any number of pointers |
//! | `ptr.safe_load(&mut hazard)` | [`Rcu::load(&guard)`](crate::RcuCell::load) | no fence, no retry; any number of loads under one guard |
//! | `ptr.swap(..)`, then `replaced.retire()` | [`Rcu::unlink`](crate::RcuCell::unlink), then [`Unlinked::retire`](crate::Unlinked::retire) | or just [`store`](crate::RcuCell::store) |
//! | `domain.eager_reclaim()` | [`barrier()`](crate::Domain::barrier) | |
//! | a bound on garbage by the number of hazards | [`Budget`](crate::Budget) | a stalled reader holds up all that is retired later |
//!
//! A hazard pointer protects one object, for any time. A section protects everything, and should be short. To keep
//! one object for long, keep an `Arc` of it ([`RcuArc::load_full`](crate::RcuCell::load_full)).
