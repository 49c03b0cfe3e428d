//! A structure of your own: what to take, from the safest to the barest.
//!
//! | you build | take | `unsafe` |
//! |---|---|---|
//! | something that is replaced as a whole | [`Rcu`](crate::Rcu) and its kin | none |
//! | a stack, a list, a tree of lists, a table of them | [`Link`](crate::link::Link) | none |
//! | anything else: queues with a tail, skip lists, tables that grow | [`raw`](crate::raw) | as little as possible |
//! | on pointers that another library owns | [`Domain::call`](crate::Domain::call), [`Domain::retire_with`](crate::Domain::retire_with), [`Domain::synchronize`](crate::Domain::synchronize) | all |
//!
//! # Which domain
//! * The [`global`](crate::global()) one, if sections are short: then callers can use one guard for several
//!   structures.
//! * A domain that is a type ([`domain!`](crate::domain!)), if sections are long, or others should not delay
//!   yours. A cell or a link is one word all the same, and a wrong guard does not compile.
//! * A [`Domain`](crate::Domain) of the structure's own, as a field, or an `Arc<Domain>` that its cells
//!   share: then what is retired goes at the latest with the structure, and may hold borrowed values.
//!
//! Methods that take a guard of the caller's check it ([`Domain::check`](crate::Domain::check)). What they
//! return borrows the structure *and* the guard: `fn get<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g T`.
//!
//! # Safe links
//! [`link`](crate::link) has a stack and a sorted list; a table is an array of lists. What is taken out is an
//! [`Unlinked`](crate::Unlinked) value, which its owner can look at at once: readers may still see it, so it
//! cannot be changed, nor freed, before a grace period.
//!
//! ```
//! use std::collections::hash_map::RandomState;
//! use std::hash::BuildHasher;
//! use urcu::GuardOf;
//! use urcu::link::{Link, Node, NodeBox};
//!
//! urcu::domain!(pub Names = "names");
//!
//! struct Entry { key: String, value: u32 }
//!
//! /// Keys once inserted stay; the newest value of a key is the first in its list.
//! struct Table { buckets: [Link<Entry, Names>; 64], hasher: RandomState }
//!
//! impl Table {
//!     fn bucket(&self, key: &str) -> &Link<Entry, Names> {
//!         &self.buckets[self.hasher.hash_one(key) as usize % 64]
//!     }
//!
//!     fn get<'g>(&'g self, key: &str, guard: &'g GuardOf<Names>) -> Option<u32> {
//!         self.bucket(key).iter(guard).find(|entry| entry.key == key).map(|entry| entry.value)
//!     }
//!
//!     fn put(&self, key: &str, value: u32) {
//!         let entry = Entry { key: key.into(), value };
//!         self.bucket(key).push(entry).expect("nobody removes a bucket");
//!     }
//! }
//!
//! let table = Table {
//!     buckets: [const { Link::empty_in(Names) }; 64],
//!     hasher: RandomState::new(),
//! };
//! table.put("a", 1);
//! table.put("a", 2);
//! let guard = Names.read_lock();
//! assert_eq!([table.get("a", &guard), table.get("b", &guard)], [Some(2), None]);
//! ```
//!
//! # Raw links
//! [Coming from crossbeam-epoch](crate::docs::crossbeam_epoch) shows a stack, a queue, a sorted list and a
//! map. What one has to see to, in this order:
//!
//! 1. **Publish with `Release`, follow with `Acquire`**: [`raw`](crate::raw#orderings-that-a-structure-may-rely-on)
//!    has the table.
//! 2. **Follow inside a section**, of the domain to which nodes are retired. A pointer that was loaded in one
//!    section is worth nothing in the next.
//! 3. **Unlink, then retire**: from then on no link that a new section can reach leads to the node. A tail
//!    pointer, a cached position, a parent's second link count too.
//! 4. **Retire once**: whoever wins the exchange does.
//! 5. **Do not make a `Box` of what readers still see**, not even to pass it to
//!    [`defer_drop`](crate::defer_drop): [`retire`](crate::Domain::retire) takes the pointer.
//! 6. **Bounds**: values that are freed later, elsewhere, must be `Send`, and `'static` unless the structure owns
//!    its domain. Values that readers see must be `Sync`.
//! 7. **The end**: in `Drop` nobody else has the structure; free the nodes at once, in a loop and not by
//!    recursion.
//! 8. **No user's code inside of what must not stop**: a comparison, a hash or a destructor may panic, retire, read,
//!    or wait for a grace period. Call it before the exchange, or after it.
