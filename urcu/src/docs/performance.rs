//! Performance: what things cost, on which processors, and where others are faster.
//!
//! Processors differ by more than designs do: an increment of a word in memory waits five to seven
//! cycles for the one before on an Ice Lake, and not at all on a Zen 4, which renames memory. So every
//! figure here names its processor, and none replaces a run on yours:
//!
//! ```sh
//! cargo run --release -p urcu-benches --bin rcu-compare -- --quick
//! ```
//!
//! # A read-side section
//! Begin, load a pointer, dereference, end: one thread, everything in the cache, two virtual CPUs each
//! time; liburcu's sections are inlined C, on a registered thread. Nanoseconds, and ratios to liburcu-memb.
//!
//! | | Zen 5, ns | ratio | Zen 4, ns | ratio | Ice Lake, ratio |
//! |---|---|---|---|---|---|
//! | two plain increments of two words, the floor | 0.32 | 0.45 | 0.54 | 0.47 | 1.47 |
//! | [`snapshot`](crate::RcuCell::snapshot) | 0.43 | 0.61 | 0.58 * | 0.50 * | 0.37 * |
//! | liburcu-memb | 0.71 | 1.00 | 1.16 | 1.00 | 1.00 |
//! | [`read_lock`](crate::read_lock) guard | 1.18 | 1.67 | 1.97 | 1.70 | 1.26 |
//! | [`read`](crate::RcuCell::read) | 1.17 | 1.65 | | | 1.27 |
//! | a guard inside another | 1.40 | 1.97 | | | 1.44 |
//! | `crossbeam_epoch::pin` | 6.1 | 8.6 | 2.2 | 1.9 | 6.45 |
//! | `std::sync::RwLock::read` | 9.3 | 13.1 | | | 10.6 |
//! | `ArcSwap::load` | 10.5 | 14.8 | 4.3 | 3.7 | 9.5 |
//! | arc-swap's `Cache::load` | | | 0.54 | 0.47 | |
//!
//! Zen 5: this version, a `--quick` run on a quiet machine. The others are older runs; (*) a snapshot was
//! some 0.1 ns cheaper then, because it did not look whether its thread is registered.
//!
//! Where this loses: on AMD's processors a guard costs 1.7 x liburcu-memb's section, because there a section
//! is bound by the number of its instructions, not by the chain of additions that the sequences avoid. On a
//! Zen 4 it is hardly cheaper than crossbeam's pin. arc-swap's `Cache`, which looks at one word and keeps an
//! `Arc` for each thread, is four times as fast as `read`.
//!
//! Tried for the read side and not better: both sequences out of line under one descriptor that stays
//! armed (the jumps cost more than the stores); the index loaded pre-shifted; `add` for `inc`; the counters
//! for beginnings and ends on separate lines; slots at other offsets in a page. Code alignment alone
//! moves any variant by up to half, so compare medians over several builds.
//!
//! # A grace period
//! | `synchronize`, Ice Lake | x liburcu-memb's |
//! |---|---|
//! | nobody reads (140 ns more than the system call alone) | 0.74 |
//! | one busy reader | 0.57 |
//! | 2,000 idle threads that have read before | 0.01: liburcu-memb's grows 140-fold, this one does not |
//!
//! 64 callers of `synchronize` share grace periods: 13 to 22 times one caller's rate where sections take
//! 10 us. Where nobody reads a grace period takes 0.3 us, less than a context switch, and 64 callers get
//! through less than one. A thousand reader threads get through fewer sections than liburcu-memb's, by
//! what a section costs more.
//!
//! # Retiring
//! | swap a boxed 24-byte value, retire the old one | Ice Lake, ns | x crossbeam-epoch |
//! |---|---|---|
//! | malloc and free alone | 13 | 0.19 |
//! | [`Rcu::store`](crate::RcuCell::store) | 37 | 0.55 |
//! | seize `defer_retire` | 58 | 0.86 |
//! | crossbeam-epoch `defer_destroy` | 66 | 1.00 |
//! | liburcu-memb `call_rcu` | 91 | 1.38 |
//! | `ArcSwap::store` | 249 | 3.74 |
//!
//! On a Zen 5 `store` takes 26 ns, 0.55 x crossbeam-epoch and 0.19 x `call_rcu`; on a Zen 4 it is at 0.65 x
//! crossbeam-epoch. It was to be at 0.5, and at 0.25 x `call_rcu` (0.40 to 0.45 on the Ice Lake).
//!
//! | two threads replace 1 KiB values for 60 s; Ice Lake | peak, MiB | with a reader stalled for 30 s | replaced/s |
//! |---|---|---|---|
//! | `Rcu::store` | 33 | 33 | 6.6 M |
//! | crossbeam-epoch | 172 | 1 GiB in a second, where the program holds it up | 2.7 M |
//! | seize | 28 | as above | 2.4 M |
//!
//! | from retiring to the drop, p50 / p99; Ice Lake | one in 10 ms | two threads in a loop |
//! |---|---|---|
//! | `Rcu::store` | 1.2 / 14 ms | 0.32 / 11 ms |
//! | crossbeam-epoch | none of 400 was dropped | 0.05 ms / 1 in 90 was not dropped |
//! | seize | 178 ms / 1 in 24 was not dropped | 0.03 / 18 ms |
//!
//! # Without restartable sequences
//! With atomics and full fences a section costs some fifteen times as much (29 ns on the Ice Lake, where
//! an `RwLock` takes 17); where this library registers each thread itself (musl, older glibc) some nine
//! times. [`reader_mode`](crate::reader_mode) says which is in force.
//!
//! # Memory
//! | type | bytes |
//! |---|---|
//! | [`Rcu<T>`](crate::Rcu) of the global domain, [`RcuOption`](crate::RcuOption), [`RcuArc`](crate::RcuArc) | 8 |
//! | `Rcu<T, &Domain>` | 16 |
//! | [`ReadGuard`](crate::ReadGuard) | 40 |
//! | [`Domain`](crate::Domain), once used | 128, and 64 for each CPU that reads |
//! | a callback | 32, in pages of 126, one for each CPU |
