//! A structure of your own: which parts of this library to build it from, the safest first.
//!
//! | you build | take | `unsafe` |
//! |---|---|---|
//! | a value that is replaced as a whole | [`Rcu`](crate::Rcu) and its kin | none |
//! | a stack, a list, a tree of lists, a table of them | [`Link`](crate::link::Link) | none |
//! | anything else: queues with a tail, skip lists, tables that grow | [`raw`](crate::raw) | as little as possible |
//! | something on pointers that another library owns | [`Domain::call`](crate::Domain::call), [`Domain::retire_with`](crate::Domain::retire_with), [`Domain::synchronize`](crate::Domain::synchronize) | all |
//!
//! # Which domain
//! * The [`global`](crate::global()) one, if sections are short: then callers can use one guard for several
//!   structures.
//! * A domain that is a type ([`domain!`](crate::domain!)), if sections are long, or if others should not delay
//!   yours. Cells and links are still one word, and a wrong guard does not compile.
//! * A [`Domain`](crate::Domain) of the structure's own, as a field, or an `Arc<Domain>` that its cells
//!   share: then everything retired is freed when the structure is dropped, at the latest, and values may borrow.
//!
//! Methods that take the caller's guard have to check it ([`Domain::check`](crate::Domain::check)). Their results
//! borrow the structure *and* the guard: `fn get<'g>(&'g self, guard: &'g ReadGuard<'_>) -> &'g T`.
//!
//! # Safe links
//! A table is an array of lists:
//!
//! ```
//! use std::collections::hash_map::RandomState;
//! use std::hash::BuildHasher;
//! use urcu::GuardOf;
//! use urcu::link::Link;
//!
//! urcu::domain!(pub Names = "names");
//!
//! struct Entry { key: String, value: u32 }
//!
//! /// Keys are never removed. The newest value of a key is the first one in its list.
//! struct Table { buckets: [Link<Entry, Names>; 64], hasher: RandomState }
//!
//! impl Table {
//!     fn bucket(&self, key: &str) -> &Link<Entry, Names> {
//!         &self.buckets[self.hasher.hash_one(key) as usize % 64]
//!     }
//!
//!     fn get<'g>(&'g self, key: &str, guard: &'g GuardOf<Names>) -> Option<&'g u32> {
//!         self.bucket(key).iter(guard).find(|entry| entry.key == key).map(|entry| &entry.value)
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
//! assert_eq!([table.get("a", &guard), table.get("b", &guard)], [Some(&2), None]);
//! ```
//!
//! To take something out, walk with the *link*, not with the node: a node is taken out of the link in front of it.
//! It becomes an [`Unlinked`](crate::Unlinked) value, which is retired when it is dropped. Its owner can read it at
//! once; it can be changed or freed only after a grace period, because readers may still see it.
//!
//! * If writers share a lock, a loop of four lines is enough: `unsubscribe` in the example `own_structure`, a tree
//!   of lists.
//! * Without a lock, another writer may be faster: [the sorted list](crate::link#a-sorted-list) is whole, and can
//!   be copied.
//!
//! # Raw links
//! Begin with the [stack of 40 lines](crate::docs::bring_your_own#a-structure-on-urcuraw), which has a domain of
//! its own and takes guards of its callers. [Coming from
//! crossbeam-epoch](crate::docs::crossbeam_epoch#a-stack) has a queue, a sorted list and a map besides. These are
//! the rules:
//!
//! 1. **Publish with `Release`, follow with `Acquire`**: [`raw`](crate::raw#orderings-that-a-structure-may-rely-on)
//!    has the table.
//! 2. **Follow inside a section**, of the domain to which nodes are retired. A pointer that was loaded in one
//!    section is invalid in the next.
//! 3. **Unlink, then retire**: when a node is retired, no link that a new section can reach may lead to it. That
//!    includes a tail pointer, a cached position, and a parent's second link.
//! 4. **Retire once**: the thread that wins the exchange retires the node.
//! 5. **Do not make a `Box` of a node that readers still see**, not even to pass it to
//!    [`defer_drop`](crate::defer_drop). [`retire`](crate::Domain::retire) takes the pointer instead.
//! 6. **Bounds**: values that are freed later, elsewhere, must be `Send`, and `'static` unless the structure owns
//!    its domain. Values that readers see must be `Sync`. [`Atomic`](crate::raw::Atomic) is `Send` and `Sync` if its
//!    nodes are both, so a structure of such links needs no `unsafe impl`.
//! 7. **The end**: in `Drop` no other thread uses the structure. Free the nodes at once, in a loop and not by
//!    recursion.
//! 8. **No user code in the middle of a change**: a comparison, a hash or a destructor may panic, retire, read,
//!    or wait for a grace period. Call it before the exchange, or after it.
