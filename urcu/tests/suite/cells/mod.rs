//! Cells: `Rcu` and its kin.

mod exchange;
mod kinds;
mod parts;
mod traits;
pub(crate) mod values;
