//! The collections of `urcu-collections`, read while other threads change them. Freed memory is poisoned,
//! and each value shows whether it is whole.

mod hash_map;
mod item;
mod list;
mod ordered_map;
mod queues;
mod wfc_queue;

use crate::scenario::Scenario;

pub(super) const HASH_MAP: Scenario = Scenario::new(
    "hash-map",
    "hash maps that grow and shrink, with lookups under guards and by sequences",
    hash_map::run,
)
.without_chaos();

pub(super) const ORDERED_MAP: Scenario = Scenario::new(
    "ordered-map",
    "an ordered map, scanned while its nodes split and join",
    ordered_map::run,
);

pub(super) const QUEUES: Scenario = Scenario::new(
    "queues",
    "a queue and a stack, through which values pass",
    queues::run,
);

pub(super) const LIST: Scenario = Scenario::new(
    "list",
    "a list, walked both ways while elements are inserted, moved and removed",
    list::run,
);

pub(super) const WFC_QUEUE: Scenario = Scenario::new(
    "wfc-queue",
    "queues of one consumer at a time, through which values pass one by one and in batches",
    wfc_queue::run,
);
