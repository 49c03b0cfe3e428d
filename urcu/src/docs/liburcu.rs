//! Coming from C's `liburcu`: its calls and ours.
//!
//! This page is for code that moves to Rust. A program that stays in C or C++ keeps its source: the package
//! `urcu-capi` has liburcu's calls on this library, and its page `docs/from-liburcu.md` says what differs.
//!
//! # Flavours
//! | liburcu | here |
//! |---|---|
//! | memb, the default | the nearest: readers without a full fence, grace periods by `membarrier(2)` |
//! | bp, which registers threads by itself | no thread is ever registered with the library |
//! | mb | what this library does without restartable sequences: [`reader_mode`](crate::reader_mode()) |
//! | qsbr | none. A section costs a few cycles more than a quiescent state, but threads need not announce quiescent states. A loop may keep one guard and [`refresh`](crate::ReadGuard::refresh) it |
//!
//! # Calls
//! | liburcu | here | what differs |
//! |---|---|---|
//! | `rcu_init`, `rcu_register_thread`, `rcu_unregister_thread`, `rcu_thread_online`, `rcu_thread_offline` | nothing | |
//! | `rcu_read_lock`, `rcu_read_unlock` | [`read_lock`](crate::read_lock), and the drop of the guard | the guard may go to another thread |
//! | `rcu_read_ongoing` | none; a function that needs a section takes a `&ReadGuard` | |
//! | `rcu_dereference(p)` | [`Rcu::load`](crate::RcuCell::load), [`Atomic::load`](crate::raw::Atomic::load) with `Acquire` | the result borrows the guard |
//! | `rcu_assign_pointer(p, v)` | [`Rcu::store`](crate::RcuCell::store), [`Atomic::store`](crate::raw::Atomic::store) with `Release` | `store` of a cell retires the old value too |
//! | `rcu_xchg_pointer`, `rcu_cmpxchg_pointer` | [`Rcu::unlink`](crate::RcuCell::unlink), [`Rcu::compare_exchange`](crate::RcuCell::compare_exchange); `swap` and `compare_exchange` of [`Atomic`](crate::raw::Atomic) | |
//! | `synchronize_rcu` | [`synchronize`](crate::synchronize) | callers share grace periods |
//! | `call_rcu(head, f)` | [`Domain::retire_head`](crate::Domain::retire_head), [`Domain::call_head`](crate::Domain::call_head); [`call`](crate::call) for a closure | a stalled reader holds up whoever queues more: [`Budget`](crate::Budget) |
//! | `defer_rcu(f, p)` | [`Domain::retire_with`](crate::Domain::retire_with) | no per-thread queues |
//! | `rcu_barrier`, `rcu_defer_barrier` | [`barrier`](crate::barrier) | also runs callbacks on the calling thread |
//! | `start_poll_synchronize_rcu`, `poll_state_synchronize_rcu` | [`Domain::start_poll`](crate::Domain::start_poll), [`Domain::poll`](crate::Domain::poll) | a [`GracePeriod`](crate::GracePeriod) can be awaited too |
//! | `create_call_rcu_data`, CPU affinity, `URCU_CALL_RCU_RT` | [`Runner`](crate::Runner), [`set_threads`](crate::set_threads) | set for each domain, not for each thread |
//! | `call_rcu_before_fork`, `call_rcu_after_fork_*` | nothing | a forked child works at once |
//! | `struct rcu_head` | [`RcuHead`](crate::raw::RcuHead) | two words as well |
//! | `struct rcu_flavor_struct` | a [`Domain`](crate::Domain) is a value, passed by reference | |
//!
//! # Containers
//! | liburcu | here |
//! |---|---|
//! | `cds_lfht` | `urcu_collections::HashMap` |
//! | `cds_wfcq` | `urcu_collections::WfcQueue` |
//! | `cds_lfq` | `urcu_collections::Queue` |
//! | `cds_lfs`, `cds_wfs` | `urcu_collections::Stack`, or [`link`](crate::link) |
//! | `cds_list` with `_rcu`, `cds_hlist` | `urcu_collections::List`, or [`link`](crate::link) |
//! | `rcuja`, red-black trees of one's own | `urcu_collections::BTreeMap` |
//!
//! # Side by side
//! ```c
//! struct config { int limit; struct rcu_head head; };
//! static struct config *current;
//!
//! static void free_config(struct rcu_head *head)
//! {
//!     free(caa_container_of(head, struct config, head));
//! }
//!
//! int limit(void)                        /* the thread is registered */
//! {
//!     rcu_read_lock();
//!     int limit = rcu_dereference(current)->limit;
//!     rcu_read_unlock();
//!     return limit;
//! }
//!
//! void reload(int limit)
//! {
//!     struct config *new = malloc(sizeof(*new));
//!     new->limit = limit;
//!     struct config *old = rcu_xchg_pointer(&current, new);
//!     call_rcu(&old->head, free_config);
//! }
//! ```
//!
//! ```
//! use urcu::RcuOption;
//!
//! struct Config { limit: i32 }
//! static CURRENT: RcuOption<Config> = RcuOption::empty();
//!
//! fn limit() -> i32 {
//!     CURRENT.read().map_or(0, |config| config.limit)
//! }
//!
//! fn reload(limit: i32) {
//!     CURRENT.store(Some(Config { limit }));
//! }
//!
//! reload(3);
//! assert_eq!(limit(), 3);
//! ```
//!
//! # Fundamental differences
//! * A section ends when its guard is dropped, on any thread, so there is no missing and no extra unlock.
//! * A section belongs to one [domain](crate::Domain), and grace periods of other domains do not wait for it.
//! * A grace period costs one flip, one system call and a load of each CPU's counter, for any number of threads. In
//!   liburcu it checks each registered thread.
//! * liburcu's `call_rcu` never waits, and the memory of its callbacks has no bound. Here that memory is bounded,
//!   and a caller may wait for milliseconds while a reader stalls.
//! * liburcu-memb's section, inlined, is faster: [figures](crate::docs::performance).
