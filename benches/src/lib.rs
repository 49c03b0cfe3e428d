//! What the benchmarks of `urcu-percpu` share: the read-side sections and the grace
//! periods of the library and of its peers, and the means to measure and report them.
//!
//! `rcu-compare` measures everything side by side in one process; the criterion benches
//! `read_side` and `grace_period` follow single figures over time.

pub mod floor;
pub mod grace;
pub mod machine;
pub mod measure;
pub mod memb;
pub mod plot;
pub mod report;
pub mod sections;
pub mod table;
