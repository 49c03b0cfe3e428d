//! Cells: owning pointers that readers follow and updaters replace.

mod access;
mod by_value;
mod cache;
mod conversions;
mod exchange;
mod in_domain;
pub mod link;
mod owned;
mod part;
mod payload;
mod rcu;
mod reference;
mod snapshot;
mod unlinked;
mod unwind;
mod update;

pub use access::{Access, Constant, Part};
pub use cache::{Cache, CloneCache};
pub use exchange::CompareExchangeError;
pub use in_domain::{Global, InDomain, StaticDomain};
pub use owned::OwnedRef;
pub use part::{Behind, Offset, PartOf};
pub use payload::{ByValue, OwningPtr, Payload, RefCounted};
pub use rcu::{Rcu, RcuArc, RcuArcOption, RcuCell, RcuOption};
pub use reference::Ref;
pub use snapshot::SNAPSHOT_MAX;
pub use unlinked::{Unlinked, WaitAsync};
