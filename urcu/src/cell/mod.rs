//! Cells: owning pointers that readers follow and updaters replace.

mod conversions;
mod in_domain;
pub mod link;
mod payload;
mod rcu;
mod reference;
mod unlinked;

pub use in_domain::{Global, InDomain, StaticDomain};
pub use payload::{OwningPtr, Payload, RefCounted};
pub use rcu::{CompareExchangeError, Rcu, RcuArc, RcuArcOption, RcuCell, RcuOption, SNAPSHOT_MAX};
pub use reference::Ref;
pub use unlinked::{Unlinked, WaitAsync};
