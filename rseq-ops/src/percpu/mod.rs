//! Memory indexed by CPU.

mod area;

pub use area::{Area, Error, possible_cpus};
