//! Domains, and the guards of their read-side sections.

mod budget;
mod callbacks;
#[allow(clippy::module_inception, reason = "what the room is named after")]
mod domain;
mod enqueue;
mod guard;
mod names;
mod state;
mod stats;
mod typed;

pub use domain::Domain;
pub use guard::{RawGuard, ReadGuard};
pub(crate) use state::{GLOBAL, State};
pub use typed::{DomainType, GuardOf};
