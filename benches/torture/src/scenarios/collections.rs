//! The collections of `urcu-collections`, beside threads that change them without end. Freed memory is
//! poisoned, and each value says whether it is whole.

mod hash_map;
mod item;
mod ordered_map;
mod queues;



use crate::scenario::Scenario;

pub(super) const HASH_MAP: Scenario = Scenario::new(
    "hash-map",
    "a hash map that grows and shrinks, looked up by guards and by sequences",
    hash_map::run,
)
.without_chaos();

pub(super) const ORDERED_MAP: Scenario = Scenario::new(
    "ordered-map",
    "an ordered map, scanned while its nodes are split and joined",
    ordered_map::run,
);

pub(super) const QUEUES: Scenario = Scenario::new(
    "queues",
    "a queue and a stack, through which values go in circles",
    queues::run,
);

