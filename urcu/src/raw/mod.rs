//! Pointers for lock-free structures of one's own.
//!
//! [`Atomic`] is a link that many threads read and change. [`Owned`] is a node that nobody else knows. [`Shared`]
//! is a pointer that was loaded from a link. It is valid while a read-side section is open, because it borrows the
//! [`ReadGuard`](crate::ReadGuard) with which it was loaded. All three are one word, and carry a tag in the bits
//! that the alignment of `T` leaves free.
//!
//! The names are those of `crossbeam-epoch`, which this follows where it fits. These are the
//! differences:
//!
//! * An exchange that fails returns the new node, so a loop allocates once. An exchange that succeeds returns the
//!   published pointer.
//! * Pointers to slices and strings take one word.
//! * Nothing exposes an address, so code on top of this module keeps to strict provenance.
//! * A guard may belong to any [`Domain`](crate::Domain), so the structure has to check that it belongs to its own
//!   ([`Domain::check`](crate::Domain::check)). If the domain is a type ([`domain!`](crate::domain!)), links may
//!   name it, as in `Atomic<T, Requests>`: then a wrong guard does not compile.
//!
//! # A stack
//! ```
//! use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
//! use urcu::raw::{Atomic, Owned};
//! use urcu::ReadGuard;
//!
//! /// A Treiber stack of the global domain.
//! struct Stack<T> { head: Atomic<Node<T>> }
//! struct Node<T> { value: T, next: Atomic<Node<T>> }
//!
//! impl<T: Copy> Stack<T> {
//!     fn push(&self, value: T) {
//!         let guard = urcu::read_lock();
//!         let mut node = Owned::new(Node { value, next: Atomic::null() });
//!         loop {
//!             let head = self.head.load(Relaxed, &guard);
//!             node.next.store(head, Relaxed);
//!             match self.head.compare_exchange(head, node, Release, Relaxed, &guard) {
//!                 Ok(_) => return,
//!                 Err(error) => node = error.new,
//!             }
//!         }
//!     }
//!
//!     fn pop(&self) -> Option<T> {
//!         let guard = urcu::read_lock();
//!         loop {
//!             let head = self.head.load(Acquire, &guard);
//!             // SAFETY: a node that was reachable in this section is not freed before its end.
//!             let node = unsafe { head.as_ref() }?;
//!             let next = node.next.load(Relaxed, &guard);
//!             if self.head.compare_exchange(head, next, Relaxed, Relaxed, &guard).is_ok() {
//!                 // SAFETY: from an `Owned`, unlinked by us alone; readers are in the global domain.
//!                 unsafe { urcu::global().retire_shared(head) };
//!                 return Some(node.value);
//!             }
//!         }
//!     }
//!
//!     fn peek(&self, guard: &ReadGuard<'_>) -> Option<T> {
//!         urcu::global().check(guard);
//!         // SAFETY: loaded in the guard's section, which is one of the global domain.
//!         unsafe { self.head.load(Acquire, guard).as_ref() }.map(|node| node.value)
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
//! let stack = Stack { head: Atomic::null() };
//! stack.push(1);
//! stack.push(2);
//! assert_eq!(stack.peek(&urcu::read_lock()), Some(2));
//! assert_eq!((stack.pop(), stack.pop(), stack.pop()), (Some(2), Some(1), None));
//! ```
//!
//! # Retiring
//! A node that was unlinked is *retired*: freed after a grace period, without waiting. These methods of
//! [`Domain`](crate::Domain) are `unsafe`, because only the structure knows that a node was unlinked. They
//! require neither `Send` nor `'static`. [`retire`](crate::Domain::retire) says what they require.
//!
//! | you have | use |
//! |---|---|
//! | a [`Shared`], from an [`Owned`] | [`retire_shared`](crate::Domain::retire_shared) |
//! | a pointer from a `Box` | [`retire`](crate::Domain::retire) |
//! | a pointer and a function that frees it; a value that owns more memory than its own size | [`retire_with`](crate::Domain::retire_with) |
//! | memory without a destructor | [`retire_layout`](crate::Domain::retire_layout) |
//! | a closure, for anything else | [`retire_fn`](crate::Domain::retire_fn) |
//! | a node with an [`RcuHead`] in it | [`retire_head`](crate::Domain::retire_head); [`call_head`](crate::Domain::call_head), if the function does more than free |
//!
//! All cost the same and count in the domain's [`Budget`](crate::Budget) with the bytes that they stand for.
//! A **`Box` of the node must not exist before the grace period is over**: `defer_drop(Box::from_raw(node))`
//! is undefined behaviour while a reader has `&*node`, however late the `Box` is dropped.
//!
//! To wait instead, call [`Domain::synchronize`](crate::Domain::synchronize) outside of any section, and free the
//! node afterwards ([`Shared::into_owned`]).
//!
//! # Orderings that a structure may rely on
//! | | what comes before | what comes after | because | held by |
//! |---|---|---|---|---|
//! | 1 | stores to a node, then a `Release` store, swap or exchange of a link | reads through a pointer that was loaded from that link with `Acquire` | release and acquire; later read-modify-writes of the link, of any ordering, do not break it | `a_node_is_whole_however_it_is_published`, `a_stack_of_retired_nodes` |
//! | 2 | reads and writes inside a section | the end of a grace period that begins after the section did | the section's end releases, the grace period's sum acquires | `a_retired_node_outlives_its_sections` |
//! | 3 | what a thread does before a call that asks for a grace period (`synchronize`, `start_poll`, retiring) | reads inside sections that begin after that grace period has ended | the flip releases, a section's beginning acquires | `new_sections_see_the_new_world` |
//! | 4 | unlinking a node with any ordering, `Relaxed` too, then retiring it on the same thread | its reclamation, and all reads of it | every section that could still find it began before the grace period that its reclamation waits for | `what_a_flip_collects_waits_for_the_next` |
//! | 5 | retiring | the destructor, or function, that reclaims: it sees everything that was done to the node before, by the thread that retired it and in the sections that have ended | the queue's locks, and 2 | `a_retired_box_outlives_its_sections` |
//! | 6 | what reclaims | what comes after `barrier`, or after the domain is dropped | the queue's locks | `a_barrier_waits_for_batches_in_flight` |
//!
//! The last column names models in `urcu-loom-tests`, which compile the sources that ship.
//!
//! What a structure may **not** rely on:
//! * Unlike `crossbeam_epoch::pin`, the beginning of a section is not a fence. Code that relies on one (a
//!   Chase-Lev deque, for example) needs a `fence(SeqCst)` of its own.
//! * Unlinking on one thread and retiring on another needs a happens-before between the two.
//! * Two loads in one section may see two versions, in the order in which the link changed.
//! * Nodes are reclaimed in any order, whatever the order in which they were retired.
//!
//! # Provenance
//! Links keep pointers as pointers, tags are set by `map_addr`, and nothing here exposes an address or makes a
//! pointer from an integer: the tests' build denies the compiler's lints for that in this module. (The library's
//! own counters and callbacks are reached by exposed addresses, which the assembly needs; your pointers are not.)

// These lints are unstable, so only builds that ask for them use them; `.ci` does.
#![cfg_attr(
    urcu_strict_provenance,
    deny(fuzzy_provenance_casts, lossy_provenance_casts)
)]

mod atomic;
mod head;
mod pointee;
mod pointer;
mod retire;
mod sequences;

pub use atomic::{AnyDomain, Atomic, CompareExchangeError, LinkDomain};
pub use head::RcuHead;
pub use pointee::Pointee;
pub use pointer::{Owned, Pointer, Shared};
pub use sequences::SectionWords;
