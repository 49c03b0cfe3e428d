//! Concurrent collections on userspace RCU (`urcu`), for data that is read far more often than it is written.
//!
//! Readers take no lock, write nothing that other threads read, and never wait. Removed values are freed after a
//! grace period.
//!
//! ```toml
//! [dependencies]
//! urcu-collections = { path = "../urcu-percpu/urcu/collections" } # the checkout beside your package
//! ```
//!
//! ```
//! let routes = urcu_collections::HashMap::new();
//! routes.pin().insert("/", "index");
//! assert_eq!(routes.pin().get("/"), Some(&"index"));
//! ```
//!
//! [`docs::choosing`] says when to use which collection, and what each costs. [`docs::does_not_compile`] translates the
//! compiler's messages. The other pages of [`docs`] help to move from `papaya`, `dashmap`, a lock, `crossbeam-queue` or liburcu.
//!
//! # Features
//! | feature | what it adds (all are off by default) |
//! |---|---|
//! | `serde` | `Serialize` and `Deserialize` |
//! | `rayon` | parallel iterators |

// Compiles and runs the README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod btree;
mod count;
pub mod docs;
mod fork;
mod hash;
pub mod list;
mod lock;
pub mod queue;
mod reclaim;
#[cfg(doctest)]
mod refused;
pub mod stack;
mod sync;
pub mod wfcqueue;

pub use btree::{BTreeMap, BTreeMapRef, Range};
pub use equivalent::Equivalent;
pub use hash::*;
#[doc(inline)]
pub use list::List;
#[doc(inline)]
pub use queue::Queue;
#[doc(inline)]
pub use stack::Stack;
#[doc(inline)]
pub use wfcqueue::WfcQueue;

#[doc(no_inline)]
pub use urcu::ReadGuard;
/// The name that [papaya](docs::papaya) has for the guard of a read-side section.
pub type LocalGuard<'d> = ReadGuard<'d>;
/// The name that [papaya](docs::papaya) has for a guard that can be sent to other threads, as all can here.
pub type OwnedGuard<'d> = ReadGuard<'d>;
