//! Coming from `crossbeam-epoch`: their items and ours, and four structures in both.
//!
//! Structures are built in the same way: from links with tags, nodes that are not published yet, pointers that
//! borrow a guard, and nodes that are retired after they were unlinked. [`raw`](crate::raw) has all of these.
//! Lists and stacks need [no `unsafe`](crate::docs::own_structure).
//!
//! # Their items and ours
//! | crossbeam-epoch | here | what differs |
//! |---|---|---|
//! | `pin()` | [`read_lock()`](crate::read_lock) | not a fence: see [below](#what-a-guard-is) |
//! | `Guard` | [`ReadGuard`](crate::ReadGuard) | `Send`; may live across an `.await` |
//! | `Guard::repin` | [`ReadGuard::refresh`](crate::ReadGuard::refresh) | one comparison while nobody waits |
//! | `Guard::defer_destroy` | [`Domain::retire_shared`](crate::Domain::retire_shared) | a method of the domain, not of the guard |
//! | `Guard::defer_unchecked` | [`Domain::retire_fn`](crate::Domain::retire_fn) | also takes the number of bytes to count |
//! | `Guard::defer` | [`Domain::call`](crate::Domain::call) | |
//! | `Guard::flush` | not needed | [`barrier`](crate::barrier) waits until all callbacks have run |
//! | `Collector`, `LocalHandle` | [`Domain`](crate::Domain) | no handles: threads need no registration |
//! | `unprotected()` | [`Atomic::load_mut`](crate::raw::Atomic::load_mut), [`Atomic::load_unguarded`](crate::raw::Atomic::load_unguarded) | |
//! | `Atomic`, `Owned`, `Shared` | [the same](crate::raw) | |
//! | `Atomic::compare_exchange` | [the same](crate::raw::Atomic::compare_exchange) | |
//! | `Atomic::fetch_or`, `fetch_and`, `fetch_xor` | [`fetch_or_tag`](crate::raw::Atomic::fetch_or_tag) and so on | |
//! | `Atomic::try_into_owned` | [`Atomic::into_owned`](crate::raw::Atomic::into_owned) | returns an `Option` |
//! | `Owned::into_box`, then `*` | [`Owned::into_inner`](crate::raw::Owned::into_inner) | |
//! | `Shared::as_ref`, `deref`, `into_owned` | the same | |
//! | `Atomic<[MaybeUninit<T>]>` | `Atomic<[T]>`, `Atomic<str>` | one word as well |
//!
//! # What a guard is
//! * **A structure whose methods take a guard must check its domain** ([`Domain::check`](crate::Domain::check)):
//!   grace periods for the nodes wait for the sections of one domain only. With [`domain!`](crate::domain!) the
//!   compiler checks it.
//! * **Beginning a section is not a `SeqCst` fence.** Code that relies on the fence of `pin`, such as a Chase-Lev
//!   deque, needs its own [`fence`](core::sync::atomic::fence).
//! * There is no `is_pinned`, and sections may begin and end in any order and on any thread.
//!
//! # What is retired
//! * Destructors run soon, on a background thread, without another call. With crossbeam they may run late or never.
//! * Destructors run on the background thread, or on *any* thread that retires a value of the same domain later.
//!   With crossbeam they run on any thread that pins.
//! * A [`Budget`](crate::Budget) bounds what is pending: while a reader stalls, a thread that retires beyond it
//!   waits some milliseconds each time. With crossbeam the pending garbage grows without bound.
//! * A structure that owns its [`Domain`](crate::Domain) may hold borrowed values: all retired values are freed
//!   when the domain is dropped, at the latest. Values that are retired to the global domain must be `'static`.
//!
//! # A stack
//! Treiber's.
//!
//! ```
#![doc = include_str!("../../tests/suite/structures/stack.rs")]
//!
//! let stack = Stack::new();
//! stack.push("a");
//! stack.push("b");
//! assert_eq!([stack.pop(), stack.pop(), stack.pop()], [Some("b"), Some("a"), None]);
//! ```
//!
//! With crossbeam-epoch (compiled and tested in this library's repository, as all of the following):
//!
//! ```ignore
#![doc = include_str!("../../tests/suite/structures/crossbeam/stack.rs")]
//! ```
//!
//! # A queue
//! Michael and Scott's.
//!
//! ```
#![doc = include_str!("../../tests/suite/structures/queue.rs")]
//!
//! let queue = Queue::new();
//! queue.push("a");
//! queue.push("b");
//! assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some("a"), Some("b"), None]);
//! ```
//!
//! With crossbeam-epoch:
//!
//! ```ignore
#![doc = include_str!("../../tests/suite/structures/crossbeam/queue.rs")]
//! ```
//!
//! # A sorted list, and a hash map of such lists
//! Harris's and Michael's. (A map for real use would grow, and store its entries inline.)
//!
//! ```
#![doc = include_str!("../../tests/suite/structures/list.rs")]
//!
//! let map = Map::new(16);
//! assert!(map.insert("a", 1) && !map.insert("a", 2));
//! let guard = urcu::read_lock();
//! let value = map.get(&"a", &guard);
//! assert!(map.remove(&"a"));
//! // Still there for this section.
//! assert_eq!((value, map.get(&"a", &guard)), (Some(&1), None));
//! ```
//!
//! With crossbeam-epoch:
//!
//! ```ignore
#![doc = include_str!("../../tests/suite/structures/crossbeam/list.rs")]
//! ```
