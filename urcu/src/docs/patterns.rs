//! Patterns: what to write for what you have, and mistakes that look right.
//!
//! # A configuration that is reloaded
//! The cell lives in a `static` or in something that the threads share. Readers [`read`](crate::RcuCell::read) it
//! once for each request, so that a request sees one version. The thread that reloads it calls
//! [`store`](crate::RcuCell::store).
//!
//! ```
//! use std::sync::LazyLock;
//! use urcu::Rcu;
//!
//! struct Config { limit: usize, greeting: String }
//! static CONFIG: LazyLock<Rcu<Config>> =
//!     LazyLock::new(|| Rcu::new(Config { limit: 3, greeting: "hello".into() }));
//!
//! fn answer(name: &str) -> String {
//!     let config = CONFIG.read();
//!     format!("{} {:.*}", config.greeting, config.limit, name)
//! }
//!
//! assert_eq!(answer("world"), "hello wor");
//! CONFIG.store(Config { limit: 5, greeting: "hi".into() });
//! assert_eq!(answer("world"), "hi world");
//! ```
//!
//! # Several cells that belong together
//! Two cells are two loads, and an update may come between them. Put values that must be seen together into
//! one cell: `Rcu<(Routes, Limits)>`.
//!
//! # A counter, a position, a rate
//! [`snapshot`](crate::RcuCell::snapshot) copies a small `Copy` value and touches no counter;
//! [`update`](crate::RcuCell::update) never loses a concurrent update.
//!
//! ```
//! let rate = urcu::Rcu::new((10_u32, 60_u32));
//! rate.update(|(calls, seconds)| (calls * 2, *seconds));
//! assert_eq!(rate.snapshot(), (20, 60));
//! ```
//!
//! [`snapshot_of`](crate::RcuCell::snapshot_of) does the same for a part of a value that is neither small nor
//! `Copy`, even if the part is behind a `Box`:
//!
//! ```
//! use urcu::{Rcu, part};
//!
//! struct Config { hosts: Vec<String>, limits: (u32, u32), rate: Box<u64> }
//!
//! let (hosts, rate) = (vec!["a".into()], Box::new(7));
//! let config = Rcu::new(Config { hosts, limits: (3, 5), rate });
//! assert_eq!(config.snapshot_of(part!(Config, limits.1)), 5);
//! assert_eq!(config.snapshot_of(part!(Config, rate).target()), 7);
//! # assert_eq!(config.read().hosts.len(), 1);
//! ```
//!
//! # Tasks
//! A guard or a [`Ref`](crate::Ref) may be held across an `.await` and moved between threads. Grace periods of the
//! domain wait for it meanwhile. If tasks wait long, give them a [`Domain`](crate::Domain) of their own, or keep an
//! `Arc` ([`RcuArc::load_full`](crate::RcuCell::load_full)).
//!
//! # A structure of your own
//! [A page of its own](crate::docs::own_structure) helps to choose. Stacks, lists and trees need [no
//! `unsafe`](crate::link). All structures work alike underneath: readers follow pointers inside a section. Writers
//! unlink a node, wait until every section that could still see it has ended, and free it. They call
//! [`synchronize`](crate::synchronize) to wait or, if they must not block, [retire](crate::raw#retiring) the node.
//! ([`raw`](crate::raw) has links with tags, and a stack.)
//!
//! ```
//! use std::ptr;
//! use std::sync::atomic::{AtomicPtr, Ordering::{AcqRel, Acquire, Relaxed, Release}};
//!
//! struct Node { value: u32, next: *mut Node }
//! static HEAD: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());
//!
//! fn push(value: u32) {
//!     let mut next = HEAD.load(Relaxed);
//!     let node = Box::into_raw(Box::new(Node { value, next }));
//!     // Release: a thread that sees the node sees its content.
//!     while let Err(other) = HEAD.compare_exchange(next, node, Release, Relaxed) {
//!         next = other;
//!         // SAFETY: nobody else knows the node yet.
//!         unsafe { (*node).next = next };
//!     }
//! }
//!
//! fn sum() -> u32 {
//!     let _section = urcu::read_lock();
//!     let (mut sum, mut next) = (0, HEAD.load(Acquire));
//!     // SAFETY: null or a node that was reachable in this section, so it is not freed before the
//!     // section ends.
//!     while let Some(node) = unsafe { next.as_ref() } {
//!         sum += node.value;
//!         next = node.next;
//!     }
//!     sum
//! }
//!
//! fn clear() {
//!     let mut next = HEAD.swap(ptr::null_mut(), AcqRel);
//!     urcu::synchronize();
//!     while !next.is_null() {
//!         // SAFETY: unlinked by this thread, and no section that could have seen it is open.
//!         next = unsafe { Box::from_raw(next) }.next;
//!     }
//! }
//!
//! push(1);
//! push(2);
//! assert_eq!(sum(), 3);
//! clear();
//! assert_eq!(sum(), 0);
//! ```
//!
//! # Mistakes that look right
//! | mistake | what happens | instead |
//! |---|---|---|
//! | [`synchronize`](crate::synchronize), `replace`, or [`barrier`](crate::barrier) with callbacks queued, while a guard of the same domain is held | it waits for ever; a [stall](crate::stall) report names the section | drop the guard first, or `store`, which does not wait |
//! | `defer_drop(unsafe { Box::from_raw(p) })` while readers hold `&*p` | undefined behaviour: from the moment a `Box` exists it must be the only pointer to its value | `domain.retire(p)`: [`Domain::retire`](crate::Domain::retire) |
//! | `retire_fn(|| free(p), ..)` without `move` | undefined behaviour: the closure borrows `p`, which lies on the stack | `move || free(p)`, or [`retire_with`](crate::Domain::retire_with) |
//! | `defer_drop(vec)`, by the million | the [`Budget`](crate::Budget) counts three words for each `Vec` | [`defer_drop_sized`](crate::Domain::defer_drop_sized), with the bytes that each one owns |
//! | a lock held around `store` that a destructor of an old value takes | an occasional deadlock: `store` may drop values that were retired before | call `store` after releasing the lock, or use [`call`](crate::call), which runs nothing on the calling thread |
//! | `list.pop(&urcu::read_lock()).unwrap().wait()` | the guard lives to the end of the statement, so `wait` waits for ever; a [stall](crate::stall) report names the section | `let old = list.pop(&guard)`, drop the guard, `old.wait()` |
//! | `list.remove(node, &guard)` with a node that is not the first of `list` | `None`: the node stays, marked, and nothing can be put behind it | [`remove`](crate::link::Link::remove) on the link in front of it: [a structure of your own](crate::docs::own_structure#safe-links) |
//! | `mem::forget(guard)` | grace periods of that domain never end | drop it |
//! | a loop that retires under one guard | the guard holds up everything the loop retires, and the [`Budget`](crate::Budget) slows the loop down | [`refresh`](crate::ReadGuard::refresh) the guard in each iteration, or retire after dropping it: while the budget is exceeded, each retirement inside the section waits up to 10 ms for that same section, in vain |
//! | returning from `main` with callbacks queued | they do not run | `barrier()` before |
//! | a plugin that is unloaded, where libc is not glibc | the kernel may look at a sequence whose code is gone | link it with `-z nodelete` |
