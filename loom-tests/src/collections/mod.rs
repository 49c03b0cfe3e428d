//! `urcu-collections`, unchanged: queues, stack, list and ordered map as they are, and of the hash map what
//! is without types. Stand-ins for where its memory comes from and goes (`reclaim`, `hash/table.rs`), how
//! entries are counted, and how forks are.

pub(crate) mod count;
pub(crate) mod fork;
pub(crate) mod reclaim;
pub(crate) mod table;

#[path = "../../../urcu/collections/src"]
mod shipped {
    pub(crate) mod btree;
    pub(crate) mod list;
    pub(crate) mod lock;
    pub(crate) mod queue;
    pub(crate) mod stack;
    pub(crate) mod wfcqueue;

    #[path = "hash"]
    pub(crate) mod hash {
        pub(crate) mod bucket;
        pub(crate) mod kind;
        pub(crate) mod pairs;
        pub(crate) mod raw;
        pub(crate) mod raw_iter;
        pub(crate) mod seen;

        pub(crate) use crate::collections::table;
    }
}
pub(crate) use shipped::{btree, hash, list, lock, queue, stack, wfcqueue};
