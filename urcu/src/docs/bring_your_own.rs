//! Bring your own structure: your lock-free list, map or queue on top of this library.
//!
//! There are two ways. A structure can begin with the first and move to the second.
//!
//! | | the face of `crossbeam-epoch` | [`urcu::raw`](crate::raw) |
//! |---|---|---|
//! | choose it if | the structure exists and uses `crossbeam-epoch`, or must also run without this library | it is new, or only ever used with this library |
//! | what changes in its source | nothing | types and calls, [see below](#from-one-to-the-other) |
//! | its users write | two lines in `Cargo.toml` | a dependency |
//! | beginning a section | a full fence, and a count of the thread's guards | neither, which saves about 5 ns on a Zen 5 |
//! | guards | stay on their thread | may move to other threads, and be held across an `.await` |
//! | nested sections | share one section | are independent, and cost a few nanoseconds each |
//! | waiting for readers | only through [`Collector::domain`](#the-two-lines) | [`synchronize`](crate::Domain::synchronize), [`synchronize_async`](crate::Domain::synchronize_async), cookies |
//! | pointers | `Pointable`: sized types, and types for which you implement it | [`Pointee`](crate::raw::Pointee): sized types, slices, `str`; strict provenance |
//! | a guard of the wrong collector | unnoticed | [`Domain::check`](crate::Domain::check) |
//! | intrusive nodes, memory without a destructor | `defer_unchecked` with a closure | [`retire_head`](crate::Domain::retire_head), [`retire_layout`](crate::Domain::retire_layout) |
//!
//! # The two lines
//! In the `Cargo.toml` of the *program* (the workspace's root), for all that depends on `crossbeam-epoch` 0.9
//! in its tree, unchanged:
//!
//! ```toml
//! [patch.crates-io]
//! crossbeam-epoch = { path = "../urcu-percpu/urcu/compat/crossbeam-epoch" }
//! ```
//!
//! Then `cargo update -p crossbeam-epoch`, and `cargo tree -i crossbeam-epoch` shows the path. The
//! program makes this choice, not the library: a published structure still depends on `crossbeam-epoch`, and
//! should be tested with both. The package's README says what is promised, what is better and what is lost.
//!
//! The face adds two methods to `Collector`: `domain()`, which leads to this library's
//! [`Domain`](crate::Domain) with its statistics, [`barrier`](crate::Domain::barrier) and budget, and
//! `grace_periods()`. A library that calls them no longer compiles with the original.
//!
//! # A structure on `urcu::raw`
//! You need a link, a guard with which to follow it, and a call that retires what was unlinked:
//!
//! ```
//! use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
//! use urcu::raw::{Atomic, Owned};
//! use urcu::{Domain, ReadGuard};
//!
//! /// A stack: last in, first out.
//! pub struct Stack<T> { head: Atomic<Node<T>>, domain: Domain }
//! struct Node<T> { value: T, next: Atomic<Node<T>> }
//!
//! impl<T: Send + Sync> Stack<T> {
//!     pub const fn new() -> Self {
//!         Stack { head: Atomic::null(), domain: Domain::named("stack") }
//!     }
//!
//!     /// Returns a guard, for several calls in one section.
//!     pub fn guard(&self) -> ReadGuard<'_> { self.domain.read_lock() }
//!
//!     pub fn push(&self, value: T, guard: &ReadGuard<'_>) {
//!         let mut node = Owned::new(Node { value, next: Atomic::null() });
//!         loop {
//!             let head = self.head.load(Relaxed, guard);
//!             node.next.store(head, Relaxed);
//!             match self.head.compare_exchange(head, node, Release, Relaxed, guard) {
//!                 Ok(_) => return,
//!                 Err(error) => node = error.new,   // Allocated once.
//!             }
//!         }
//!     }
//!
//!     pub fn pop<'g>(&self, guard: &'g ReadGuard<'_>) -> Option<&'g T> {
//!         // Only sections of this domain keep the nodes alive that are followed below.
//!         self.domain.check(guard);
//!         loop {
//!             let head = self.head.load(Acquire, guard);
//!             // SAFETY: the node was reachable in this section, so it is not freed before the section ends.
//!             let node = unsafe { head.as_ref() }?;
//!             let next = node.next.load(Relaxed, guard);
//!             if self.head.compare_exchange(head, next, AcqRel, Relaxed, guard).is_ok() {
//!                 // SAFETY: this thread has unlinked it, and retires it once; all references to it are shared.
//!                 unsafe { self.domain.retire_shared(head) };
//!                 return Some(&node.value);         // Valid as long as the guard.
//!             }
//!         }
//!     }
//! }
//!
//! impl<T> Drop for Stack<T> {
//!     fn drop(&mut self) {
//!         let mut head = std::mem::replace(&mut self.head, Atomic::null());
//!         // SAFETY: `&mut self`: nobody else reaches the nodes, and each is owned by one link.
//!         while let Some(node) = unsafe { head.into_owned() } {
//!             head = node.into_inner().next;
//!         }
//!     }
//! }
//!
//! let stack = Stack::new();
//! let guard = stack.guard();
//! stack.push("a", &guard);
//! stack.push("b", &guard);
//! assert_eq!(stack.pop(&guard), Some(&"b"));
//! ```
//!
//! # From one to the other
//! | `crossbeam_epoch` | here |
//! |---|---|
//! | `pin()`, `&Guard` | [`read_lock()`](crate::read_lock) or [`Domain::read_lock`](crate::Domain::read_lock), [`&ReadGuard<'_>`](crate::ReadGuard) |
//! | `pin()` as a fence | `fence(SeqCst)`, **which the section's beginning is not** |
//! | `is_pinned()` | nothing is kept per thread; take a guard as an argument |
//! | `Collector`, `LocalHandle` | [`Domain`](crate::Domain); no handle |
//! | `guard.defer_destroy(shared)` | [`domain.retire_shared(shared)`](crate::Domain::retire_shared) |
//! | `guard.defer_unchecked(f)` | [`domain.retire_fn(f, bytes)`](crate::Domain::retire_fn) |
//! | `guard.defer(f)` | [`domain.call(f)`](crate::Domain::call) |
//! | `guard.flush()` | not needed; in tests [`domain.barrier()`](crate::Domain::barrier), outside of sections |
//! | `guard.repin()` | [`guard.refresh()`](crate::ReadGuard::refresh) |
//! | `guard.repin_after(f)` | drop the guard, call `f`, take another |
//! | `unprotected()` | [`load_unguarded`](crate::raw::Atomic::load_unguarded), [`load_mut`](crate::raw::Atomic::load_mut), [`into_owned`](crate::raw::Atomic::into_owned) |
//! | `Shared::into_owned` after a grace period | the same, after [`synchronize`](crate::Domain::synchronize) |
//!
//! # What to decide
//! * **Which domain.** The [`global`](crate::global) one is a little cheaper, and one guard serves many
//!   structures. A domain of its own keeps the sections of others from delaying its nodes, runs what is left
//!   when it is dropped (so values need not be `'static`), and has a budget of its own.
//! * **Whose guard.** Methods that take a `&ReadGuard` and [check](crate::Domain::check) it cost nothing in
//!   loops; beside them offer methods that take one themselves.
//! * **What is counted.** [`retire`](crate::Domain::retire) counts a node's own size in the
//!   [`Budget`](crate::Budget); where a node owns more, say so with
//!   [`retire_with`](crate::Domain::retire_with).
//! * **What runs where.** Destructors of nodes run on other threads, and on threads that retire: a value's
//!   destructor takes no lock that a writer holds while it retires, and waits for no grace period.
//!
//! # How to test it
//! Drop counters with [`barrier`](crate::Domain::barrier) before the assertion; [your tests under
//! sanitizers](super::sanitizers); and values that are poisoned when they are dropped.
