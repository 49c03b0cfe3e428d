//! Grace periods: the per-CPU reader counters, and the algorithm that waits for them.

pub(crate) mod barrier;
pub(crate) mod grace_period;
pub(crate) mod observer;
pub(crate) mod readers;
pub(crate) mod sequence;
