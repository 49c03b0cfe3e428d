//! The sequences, one attempt each.
//!
//! There are two families.
//!
//! **By stride**: the calling CPU's word is `base + (cpu << SHIFT)`, found inside the sequence, and
//! `1 << SHIFT` bytes is the stride of the memory ([`crate::percpu::Area`]). These are the shortest.
//!
//! One unsigned comparison with the bound of the [`Handle`] aborts the attempt on a thread that is
//! not registered (any more), whose CPU number is negative, and on a CPU beyond the bound, which has
//! no word.
//!
//! | | in one sequence |
//! |---|---|
//! | [`add`] | `*word(base) += delta` |
//! | [`add_through`] | `p = *source; *word(p) += 1` |
//! | [`sub_if_current`] | `if *source == p { *word(p) -= 1 }` |
//! | [`increment_through`], [`decrement_if_current`] | the same, fastest where the processor renames memory |
//! | [`lookup`] | `bucket = table[hash]; if some entry's key == key { value = entry.value }` (no word; likewise) |
//! | [`copy_through`] | `p = *source; *target = *p` (no word; aborts without a registration) |
//!
//! **With an index**: the caller asks for its index ([`Handle::current_index`]), prepares pointers
//! for it, and passes both. The sequence first compares the index with the thread's, and is given
//! up where the thread has moved: the retry is with the new index.
//!
//! | | in one sequence, all for `index` only |
//! |---|---|
//! | [`compare_store`] | `if *word == expected { *word = new }` |
//! | [`compare_two_store`] | `if *word == expected && *other == other_expected { *word = new }` |
//! | [`compare_store_store`] | `if *word == expected { *first = first_new; *word = new }` |
//! | [`compare_copy_store`] | `if *word == expected { copy(source, target, size); *word = new }` |
//! | [`pop`] | `if *word != unwanted { head = *word; *word = *(head + offset) }` |
//! | [`add_at`] | `*word += delta` |
//! | [`add_through_offset`] | `**(*source + offset) += delta` |
//!
//! The index is the CPU number ([`Handle::by_cpu`], the same as [`crate::current_thread`]) or the
//! concurrency id ([`Handle::by_concurrency_id`], which see for what it cannot tell). One structure
//! is used with one kind of index only. The first family goes by CPU number whatever the handle.
//!
//! # Attempts
//! An attempt is given up ([`Outcome::Aborted`]) when the kernel interrupts it. Callers try again
//! *a bounded number of times* ([`retry`]), because a debugger or a signal storm can interrupt for
//! ever, and then take a way that always ends: an atomic operation on *another* word. On one word,
//! a plain addition would lose an atomic one that came between its load and its store.
//!
//! Where there are no sequences at all, [`Handle::by_cpu`] and its like answer `None`, and that
//! other way is the only one.
//!
//! None takes a lock, allocates or makes a system call: all are async-signal-safe. A handler may
//! run them on the very words that the sequence it interrupted works on; that one starts over.
//!
//! # Orderings
//! Loads of the pointers above, and of the words that the second family compares, are acquires;
//! that of a word that is added to is relaxed. In the first family the commits of
//! [`sub_if_current`] and [`add`] are releases, and that of [`add_through`] is ordered by
//! [`crate::membarrier`] alone; in the second the caller chooses [`Relaxed`] or [`Release`].
//! Threads that have the same index one after the other need neither: what one did, the next one
//! sees. They are for those who look, or store, from elsewhere.
//!
//! # Safety of the sequences with an index
//! * `handle` is the calling thread's (or the process's, where libc registers threads), and
//!   `index` comes from [`Handle::current_index`]. If the handle's index is the concurrency id, the
//!   thread is registered still.
//! * Words are aligned and valid for the reads and writes that the sequence makes if `index` is
//!   the thread's index when it runs. If it is not, nothing but the thread's own area is touched.
//! * A word that is stored to is stored to by sequences with the same kind of handle and the same
//!   index alone. Anybody may load it with an atomic load. Anybody may store to it atomically as
//!   long as no sequence commits to it meanwhile: say, a lock's holder, while all others compare
//!   with "free".
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
