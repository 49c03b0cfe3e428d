//! The mutants: changes that are made one at a time, to show that the models notice them.

mod audit;
mod files;
mod kept;
mod kept_collections;
mod ops;

pub use audit::unheld;
pub use files::{Source, audited, sources};
pub use kept::{Cover, KEPT, Kept, UNSEEN, Unseen};
pub use kept_collections::KEPT_COLLECTIONS;
pub use ops::{AUDITED, KEPT_OPS};

use std::sync::LazyLock;

use crate::kernel::Fault;

/// A mutant: one thing that is broken.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The letter or the number of what it breaks.
    pub letter: &'static str,
    /// The name of what is broken.
    pub name: &'static str,
    /// The model that must fail.
    pub model: &'static str,
    /// The change.
    pub change: Change,
}

/// The way in which something is broken.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A promise of the emulated kernel.
    Kernel(Fault),
    /// The shipped sources.
    Source(&'static [Edit]),
}

/// In `file`, `to` replaces what is between the angle quotes. The whole text must occur exactly once, so that no
/// mutant outlives the code that it breaks.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The name of the file.
    pub file: &'static str,
    /// A statement, an expression or nothing, in angle quotes, and enough text around it to find its place.
    pub text: &'static str,
    /// The text that takes its place.
    pub to: &'static str,
}

// Names are paths from `urcu/src`.
const BANKS: &str = "../../rseq-ops/src/percpu/banks.rs";
const LOCK: &str = "../../rseq-ops/src/percpu/lock.rs";
const STACK: &str = "../../rseq-ops/src/percpu/stack.rs";
const BARRIER: &str = "callbacks/barrier.rs";
const CHUNK: &str = "callbacks/chunk.rs";
const CALLBACKS_ENQUEUE: &str = "callbacks/enqueue.rs";
const CALLBACKS_OF_DOMAIN: &str = "callbacks/of_domain.rs";
const QUEUE: &str = "callbacks/queue.rs";
const SEAL: &str = "callbacks/seal.rs";
const CALLBACKS_SLOTS: &str = "callbacks/slots.rs";
const LINK: &str = "cell/link/mod.rs";
const NODE: &str = "cell/link/node.rs";
const CELL: &str = "cell/rcu.rs";
const UPDATE: &str = "cell/update.rs";
const CACHE: &str = "cell/cache.rs";
const EXCHANGE: &str = "cell/exchange.rs";
const OWNED: &str = "cell/owned.rs";
const UNLINKED: &str = "cell/unlinked.rs";
const DOMAIN: &str = "domain/domain.rs";
const DOMAIN_GUARD: &str = "domain/guard.rs";
const DOMAIN_STATE: &str = "domain/state.rs";
const DRIVER_FUTURES: &str = "driver/futures.rs";
const DRIVER: &str = "driver/mod.rs";
const WORKER: &str = "driver/worker.rs";
const GP_BARRIER: &str = "gp/barrier.rs";
const GRACE_PERIOD: &str = "gp/grace_period.rs";
const READERS: &str = "gp/readers.rs";
const GP_SCAN: &str = "gp/scan.rs";
const SEQUENCE: &str = "gp/sequence.rs";
const POLLING: &str = "polling/mod.rs";
const ATOMIC: &str = "raw/atomic.rs";
const SYNC_ATOMIC: &str = "sync/atomic.rs";
const RETIRE: &str = "raw/retire.rs";
const FORK: &str = "sync/fork.rs";
const HEAP_LOCK: &str = "sync/mutex.rs";
const ONCE: &str = "sync/once.rs";
const PARKER: &str = "sync/parker.rs";
const RUNDOWN: &str = "sync/rundown.rs";
const WIPED: &str = "sync/wiped.rs";
const COLL_BUCKET: &str = "../collections/src/hash/bucket.rs";
const COLL_EDIT: &str = "../collections/src/btree/edit.rs";
const COLL_FORK: &str = "../collections/src/fork.rs";
const COLL_INLINE: &str = "../collections/src/hash/raw/inline.rs";
const COLL_ITER: &str = "../collections/src/hash/raw_iter.rs";
const COLL_BATCH: &str = "../collections/src/wfcqueue/batch.rs";
const COLL_LINKS: &str = "../collections/src/list/links.rs";
const COLL_LOCKED: &str = "../collections/src/hash/pairs/locked.rs";
const COLL_LOCK: &str = "../collections/src/lock.rs";
const COLL_NODE: &str = "../collections/src/list/node.rs";
const COLL_WFC: &str = "../collections/src/wfcqueue/mod.rs";
const COLL_MAP: &str = "../collections/src/btree/map.rs";
const COLL_PAIRS: &str = "../collections/src/hash/pairs.rs";
const COLL_QUEUE: &str = "../collections/src/queue.rs";
const COLL_RAW: &str = "../collections/src/hash/raw.rs";
const COLL_RESIZE: &str = "../collections/src/hash/raw/resize.rs";
const COLL_STACK: &str = "../collections/src/stack.rs";
const COLL_TREE_NODE: &str = "../collections/src/btree/node.rs";
const COLL_TREE: &str = "../collections/src/btree/tree.rs";

const fn kernel(
    letter: &'static str,
    name: &'static str,
    model: &'static str,
    fault: Fault,
) -> Mutant {
    Mutant {
        letter,
        name,
        model,
        change: Change::Kernel(fault),
    }
}

macro_rules! source {
    ($letter:literal, $name:literal, $model:literal, $($file:ident: $text:literal => $to:literal),+) => {
        Mutant {
            letter: $letter,
            name: $name,
            model: $model,
            change: Change::Source(&[$(Edit { file: $file, text: $text, to: $to }),+]),
        }
    };
}

// After the macro, because these modules use it.
mod callbacks;
mod cells;
mod collections;
mod grace_periods;
mod sync;

/// All mutants.
pub static MUTANTS: LazyLock<Vec<Mutant>> = LazyLock::new(|| {
    [
        grace_periods::MUTANTS,
        callbacks::MUTANTS,
        cells::MUTANTS,
        collections::MUTANTS,
        sync::MUTANTS,
    ]
    .concat()
});
