//! The restartable sequences. Each function here makes one attempt at a sequence.
//!
//! There are two families.
//!
//! # By stride
//! Memory has a stretch of `1 << SHIFT` bytes for each CPU ([`crate::percpu::Area`]). The sequence itself
//! finds the calling CPU's word, at `base + (cpu << SHIFT)`. These sequences are the shortest.
//!
//! Each sequence compares the CPU number with the bound of the [`Handle`]. The attempt is aborted on a CPU
//! that has no memory, and on a thread that is not registered. The CPU number of such a thread is negative,
//! so as an unsigned number it is beyond every bound.
//!
//! | | in one sequence |
//! |---|---|
//! | [`add`] | `*word(base) += delta` |
//! | [`add_through`] | `p = *source; *word(p) += 1` |
//! | [`sub_if_current`] | `if *source == p { *word(p) -= 1 }` |
//! | [`increment_through`], [`decrement_if_current`] | the same, fastest where the processor renames memory |
//!
//! The following sequences have no word for each CPU, so they need no bound. Besides interruptions, only a
//! missing registration of the thread aborts them:
//!
//! | | in one sequence |
//! |---|---|
//! | [`copy_through`] | `p = *source; *target = *p` |
//! | [`copy_part_through`] | `p = *source + offset; *target = *p` |
//! | [`copy_behind_through`] | `p = *(*source + offset) + behind; *target = *p` |
//! | [`lookup`] | finds a key in a hash table, and copies its value |
//! | [`lookup_inline`] | the same, in a table whose pairs lie in the buckets |
//!
//! # With an index
//! The caller asks for its index ([`Handle::current_index`]), prepares pointers for that index, and
//! passes both. The sequence compares the index with the thread's first. If the thread has moved, the
//! attempt is aborted, and the caller prepares again for the new index.
//!
//! | | in one sequence, with words of this index |
//! |---|---|
//! | [`compare_store`] | `if *word == expected { *word = new }` |
//! | [`compare_two_store`] | `if *word == expected && *other == other_expected { *word = new }` |
//! | [`compare_store_store`] | `if *word == expected { *first = first_new; *word = new }` |
//! | [`compare_copy_store`] | `if *word == expected { copy(source, target, size); *word = new }` |
//! | [`pop`] | `if *word != unwanted { head = *word; *word = *(head + offset) }` |
//! | [`add_at`] | `*word += delta` |
//! | [`add_through_offset`] | `**(*source + offset) += delta` |
//!
//! The index is the CPU number ([`Handle::by_cpu`], which is [`crate::current_thread`]) or the
//! concurrency id ([`Handle::by_concurrency_id`]). All sequences on one structure use the same kind.
//! The sequences by stride use the CPU number, whatever the handle's index.
//!
//! # Attempts
//! An attempt is aborted ([`Outcome::Aborted`]) when the kernel interrupts it: nothing was committed.
//! Try again *a bounded number of times* ([`retry`]), because a debugger or a storm of signals can
//! interrupt every attempt. Then take a way that always ends, such as an atomic operation on *another*
//! word. It must be another word: if an atomic addition comes between the load and the store of a plain
//! addition to the same word, it is lost.
//!
//! Where there are no sequences at all, [`Handle::by_cpu`] and [`Handle::by_concurrency_id`] return `None`,
//! and the other way is the only one.
//!
//! # Async-signal safety
//! No sequence takes a lock, allocates, or makes a system call: all are async-signal-safe. A signal
//! handler may use the very words that the interrupted sequence works on, because that sequence is aborted.
//!
//! # Ordering
//! * Loads of pointers are acquires, and so are loads of words that sequences with an index compare.
//! * Loads of words that are added to are relaxed.
//! * The commits of [`sub_if_current`] and [`add`] are releases. That of [`add_through`] is relaxed:
//!   only [`crate::membarrier`] orders it.
//! * The commit of a sequence with an index is [`Relaxed`] or [`Release`], as the caller chooses.
//!
//! Orderings matter to threads with another index. Threads that have the same index one after the other
//! need none: each sees what the one before did.
//!
//! # Safety of sequences with an index
//! * `handle` is the calling thread's, or the process's where libc registers threads. `index` comes
//!   from [`Handle::current_index`]. If the handle's index is the concurrency id, nobody has ended the
//!   thread's registration since that call.
//! * If `index` is the thread's index when the sequence runs, the words that the sequence reads and writes
//!   are aligned, and valid for that. If the thread has another index by then, the sequence touches nothing
//!   but the thread's own area.
//! * Only sequences of one kind of handle and of one index store to a word. Anybody may load it atomically.
//!   Anybody may also store to it atomically while no sequence can commit to it. For example, the holder of a
//!   lock may do so while all others compare the word with "free".
//!
//! [`Handle`]: crate::Handle
//! [`Handle::by_concurrency_id`]: crate::Handle::by_concurrency_id
//! [`Handle::by_cpu`]: crate::Handle::by_cpu
//! [`Handle::current_index`]: crate::Handle::current_index

mod append;
mod copy;
mod indexed;
mod lookup;
mod retry;
mod stride;

pub use append::*;
pub use copy::*;
pub use indexed::*;
pub use lookup::*;
pub use retry::*;
pub use stride::*;

pub use crate::outcome::{Commit, Outcome, Popped, Relaxed, Release};
pub use crate::record::Record;
