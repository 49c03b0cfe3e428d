//! Cells: `Rcu` and its kin.

mod domains;
mod exchange;
mod handles;
mod kinds;
mod links;
mod parts;
mod snapshots_of_parts;
mod traits;
mod unlinked;
pub(crate) mod values;
mod without_size;
