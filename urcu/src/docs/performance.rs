//! Performance: what things cost, on which processors, and where others are faster.
//!
//! Processors differ by more than designs do: on an Ice Lake, an increment of a word in memory waits five to seven
//! cycles for the previous one; on a Zen 4, which renames memory, it does not wait at all. So every figure here
//! names its processor, and none replaces a run on yours:
//!
//! ```sh
//! cargo run --release -p urcu-benches --bin rcu-compare -- --quick
//! ```
//!
//! # A read-side section
//! Begin a section, load a pointer, dereference it, end the section. One thread, everything in the cache, machines
//! with two virtual CPUs; liburcu's sections are inlined C, on a registered thread. Nanoseconds, and ratios to
//! liburcu-memb.
//!
//! | | Zen 5, ns | ratio | Zen 4, ns | ratio | Ice Lake, ratio |
//! |---|---|---|---|---|---|
//! | two plain increments of two words, the floor | 0.32 | 0.45 | 0.54 | 0.47 | 1.47 |
//! | [`snapshot`](crate::RcuCell::snapshot) | 0.43 | 0.61 | 0.58 * | 0.50 * | 0.37 * |
//! | liburcu-memb | 0.71 | 1.00 | 1.16 | 1.00 | 1.00 |
//! | [`read_lock`](crate::read_lock) guard | 0.88 | 1.25 | 1.97 * | 1.70 * | 1.26 * |
//! | [`read`](crate::RcuCell::read) | | | | | 1.27 * |
//! | a guard inside another | | | | | 1.44 * |
//! | `crossbeam_epoch::pin` | 6.1 | 8.6 | 2.2 | 1.9 | 6.45 |
//! | `std::sync::RwLock::read` | 9.3 | 13.1 | | | 10.6 |
//! | `ArcSwap::load` | 10.5 | 14.8 | 4.3 | 3.7 | 9.5 |
//! | arc-swap's `Cache::load` | | | 0.54 | 0.47 | |
//!
//! Zen 5: this version; the minimum of 61 interleaved rounds, for three builds, which agree within 4 %. (*) Older
//! versions: their sections worked in the same way on all processors (the guess, below) and checked one more word,
//! which took 1.18 ns on the Zen 5, 1.67 x liburcu-memb. Their snapshots did not check whether the thread is
//! registered, which takes about 0.1 ns. No Zen 4 and no Ice Lake was available for this version, so its cost there
//! is not known, and the target, 1.30 x liburcu-memb on both, is shown for the Zen 5 only.
//!
//! ## What limits a section
//! On AMD's processors the chain of additions to one counter does not limit a section, because they rename memory.
//! The number of its instructions does, and above all the number of its **branches**, of which these processors
//! execute two per cycle:
//!
//! | variants in one loop, Zen 5 | ns | x liburcu-memb | branches |
//! |---|---|---|---|
//! | liburcu-memb | 0.70 | 1.00 | |
//! | the version before: two words of a handle, each sequence guesses the counter's value | 1.13 to 1.18 | 1.61 to 1.67 | 8 |
//! | the guess, the bound compared in memory, one null test | 1.09 to 1.15 | 1.57 to 1.65 | 7 |
//! | `cmp [counter], 0; mov [counter], 1` and back | 1.06 to 1.11 | 1.53 to 1.6 | 9 |
//! | `inc` and `dec`, the bound in memory | 0.93 to 0.96 | 1.35 | 6 |
//! | `inc` and `dec`, the bound in a register, one null test or two | 0.86 to 0.93 | 1.25 to 1.32 | 6, 7 |
//! | the same, with the kind of processor encoded in the bound's sign | 1.05 to 1.16 | 1.48 to 1.65 | 9 |
//! | the same in a guard of 24 bytes, which loads the bound again at its end | 1.01 | 1.40 | 8 |
//! | **this version**: one word tells whether there is a handle, and the kind of processor; one null test | 0.87 to 0.88 | 1.25 to 1.26 | 7 |
//! | the handle in a register already, no test of it (nothing that a library can offer) | 0.74 to 0.93 | 1.08 to 1.31 | 6 |
//!
//! So this version is at the limit of this way of counting. The difference between 1.0 and 1.25 is two stores that
//! arm the sequences, and two loads of the CPU's number with their comparisons with the bound. These comparisons
//! protect memory from a thread whose registration was ended by other code, and from a CPU that was reported not to
//! exist. Code alignment changes all of these figures by up to a fifth: compare several builds.
//!
//! On an Ice Lake an increment of memory waits for the previous one, and guessing the counter's value saved 18 %.
//! The library decides between the two when the process first reads: on AMD's families 19h (Zen 3) and later it
//! increments, on all others it guesses, as measured on the Ice Lake. Intel's processors since Golden Cove are said
//! to rename memory, too, and were not measured.
//!
//! A cache of one `Arc` for each thread, which only checks one word, is faster still: arc-swap's `Cache` takes about
//! half of the time of [`read`](crate::RcuCell::read), and this library's [`Cache`](crate::Cache) a quarter.
//!
//! These variants of the read side were tried and were not better: both sequences out of line under one descriptor
//! that stays armed (the jumps cost more than the stores); the index loaded pre-shifted; `add` for `inc`; the
//! counters for beginnings and ends on separate lines; slots at other offsets in a page.
//!
//! # A grace period
//! | `synchronize`, Ice Lake | x liburcu-memb's |
//! |---|---|
//! | nobody reads (140 ns more than the system call alone) | 0.74 |
//! | one busy reader | 0.57 |
//! | 2,000 idle threads that have read before | 0.01: liburcu-memb's time grows 140-fold, this library's does not |
//!
//! 64 callers of `synchronize` share grace periods: together they reach 13 to 22 times the rate of one caller if
//! sections take 10 us. If nobody reads, a grace period takes 0.3 us, less than a context switch, and 64 callers
//! reach a lower rate than one. A thousand reader threads complete fewer sections than with liburcu-memb, in
//! proportion to the cost of a section.
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
//! | the same, Zen 5, ns | least | median | x crossbeam-epoch |
//! |---|---|---|---|
//! | malloc and free alone | 6.0 | 6.5 | 0.15 |
//! | the same with an atomic swap of a pointer | 9.5 | 9.7 | 0.23 |
//! | [`Rcu::store`](crate::RcuCell::store) | 19.8 | 22.4 | 0.49 to 0.54 |
//! | [`retire`](crate::Domain::retire), [`retire_with`](crate::Domain::retire_with), [`retire_fn`](crate::Domain::retire_fn), [`retire_layout`](crate::Domain::retire_layout) | 20.0 to 20.4 | 22 to 23 | 0.50 to 0.54 |
//! | [`retire_head`](crate::Domain::retire_head), of a node two words larger | 21.1 | 23.0 | 0.52 to 0.55 |
//! | [`retire_shared`](crate::Domain::retire_shared) inside a section | 24.0 | 30 | 0.59 to 0.7 |
//! | [`call`](crate::Domain::call) of a closure that frees | 30 | 40 | 0.75 to 0.95 |
//! | crossbeam-epoch `defer_destroy` | 40.3 | 41.7 | 1.00 |
//!
//! A `--quick` run of `rcu-compare` on a quiet Zen 5, medians: `store` 25.8 ns, crossbeam-epoch 43.5 (so 0.59 x), seize
//! 39.6, `call_rcu` 101, `ArcSwap::store` 234. There the guard took 0.88 to 0.92 ns (1.26 to 1.28 x liburcu-memb), a
//! refreshed guard 0.52, a snapshot 0.43, liburcu-qsbr 0.23, arcshift 0.24, arc-swap's `Cache` 0.52, liburcu-bp 0.93,
//! kovan 2.1, crossbeam-epoch 6.1.
//!
//! The 20 ns of `store` consist of the following parts, measured by loops that do one part each (minimum of 21
//! rounds, Zen 5): malloc and free 5.9; the swap, which is a full barrier, 3.5; the record, the sequence that
//! appends it, and its share of the chunk's cost 6 to 7; taking the record out and running it, seven at a time,
//! 2.5; and 3 for the delay of freeing, which happens thousands of values later when the memory has left the
//! nearest cache. The following variants were tried, all in one program, minimum of 125 interleaved rounds of 4 ms
//! on a busy Zen 5, where the previous version took 23.3 to 24.6:
//!
//! | variant of `store` | x the version before |
//! |---|---|
//! | **this version**: the record goes from registers into the chunk, not through the stack | 0.95 |
//! | sealing a chunk records whether all its callbacks only drop, so that running them need not check | 0.98 to 1.03 |
//! | the next records are prefetched | 1.00 to 1.02 |
//! | the place of the next record is prefetched for writing | 1.01 |
//! | the values of the next seven callbacks are prefetched | 0.97 |
//! | a grace period for 1,024, or for 8,192, callbacks in place of 4,096 | 1.01, 1.00 |
//! | six, or fourteen, callbacks run at a time in place of seven | 1.03, 1.15 |
//!
//! Prefetching values is left out: it treats words of callbacks as addresses that need not be any, for a gain that
//! two of three runs do not show. Besides malloc, free and the swap, about 12 ns remain: a sequence, a seventh of a
//! lock, and memory that is freed late.
//!
//! `call` runs nothing on the calling thread, so another thread frees what this one allocates. This explains the
//! difference to `store`, as a comparison of allocators shows (the same program, ns; minimum and median of the best
//! of three runs of 15 rounds):
//!
//! | | glibc's malloc | mimalloc |
//! |---|---|---|
//! | malloc and free alone | 7.9, 8.8 | 5.8, 6.1 |
//! | `store` | 24.4, 25.6 | 21.4, 21.8 |
//! | `retire_fn` of a closure that frees | 24.3, 25.5 | 21.1, 21.5 |
//! | `call` of the same closure | 28.7, 44.7 | 17.8, 34.9 |
//! | `store` in a domain whose own thread frees | 37.2, 52.0 | 20.8, 35.8 |
//! | `call` of a closure that frees nothing | 12.6, 14.0 | 7.9, 11.1 |
//! | crossbeam-epoch `defer_destroy` | 49.1, 50.0 | 25.3, 25.7 |
//!
//! (Where another thread does the work, the median is that of a busy machine, on which that thread has to wait for
//! a CPU.) With glibc the caller spends 44 % of its time in malloc, whose per-thread cache is never filled by the
//! thread's own frees. Beginning the grace periods of `call` as early as those of `store` changed nothing (1.08 to
//! 1.3 x). So retire what only has to be freed, because the caller may help with that. A callback that may do
//! anything cannot run on a thread that does not expect it.
//!
//! On a Zen 4 an older version of `store` took 0.65 x crossbeam-epoch's time. Compared to liburcu's `call_rcu` it
//! takes 0.19 x the time on the Zen 5 and 0.40 to 0.45 x on the Ice Lake. The targets were 0.5 x and 0.25 x. The
//! older version did not reach them on the Zen 4 and the Ice Lake, and neither processor was available for this
//! version.
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
//! | one thread, ns | Zen 5 | Ice Lake, an earlier version |
//! |---|---|---|
//! | atomics with full fences | 14 | 29 |
//! | this library registers each thread (musl, older glibc) | 9.3 | some 9 times a guard's cost |
//! | `std::sync::RwLock::read`, to compare | 9.2 | 17 |
//!
//! So without libc's registrations a section takes about as long as an uncontended `RwLock`, and by atomics half as long
//! again. But readers are spread over the counters of all CPUs. [`reader_mode`](crate::reader_mode) returns which kind is in use.
//!
//! # Memory
//! | type | bytes |
//! |---|---|
//! | [`Rcu<T>`](crate::Rcu) of the global domain, [`RcuOption`](crate::RcuOption), [`RcuArc`](crate::RcuArc) | 8 |
//! | `Rcu<T, &Domain>` | 16 |
//! | [`ReadGuard`](crate::ReadGuard) | 32 |
//! | [`Domain`](crate::Domain), once used | 128, and 64 for each CPU that reads |
//! | a callback | 32, in pages of 126, one for each CPU |
//!
//! # Size and build time
//! What each package adds to a program that prints one number (release build, stripped; KiB), and the processor
//! time of its first build with all its dependencies (Rust 1.95, Zen 5; on two CPUs a build takes little more than
//! half of that time):
//!
//! | package | KiB | with `lto` and one codegen unit | seconds |
//! |---|---|---|---|
//! | `rseq-ops` | 6 | | 2 |
//! | `urcu-percpu` | 259 | 213 | 7 |
//! | `urcu-collections` | 287 | 233 | 9 |
//! | `urcu-reload` with TOML | 736 | | 26 |
//! | the face of `crossbeam-epoch` (the original: 9 KiB, 1 second) | 276 | 229 | 7 |
//! | `liburcu-percpu.so`, all of it | 662 | | |
//!
//! About half of what `urcu-percpu` adds is code of the writers' side: callbacks, the thread that runs them, and
//! stall reports. Readers are inlined, about 100 bytes at each place.
