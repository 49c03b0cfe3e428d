//! How it works: the counters, the grace period, callbacks, forks, and where each is in the sources.
//!
//! # A grace period
#![doc = include_str!("grace_period.svg")]
//!
//! A domain has two *phases*. Each CPU has a counter for each of them. A read-side section adds 1 to the counter of
//! the CPU on which it begins, for the current phase, and subtracts 1 from *any* counter of that same phase when it
//! ends. It may end on another CPU, on another thread, or in a signal handler. So one counter alone means nothing;
//! the **sum** over all CPUs is the number of open sections.
//!
//! A grace period then takes three steps:
//!
//! 1. **Flip.** The other phase becomes the current one. Its counters are all zero, because the grace
//!    period before this one waited for them.
//! 2. **Restart.** One system call, `membarrier(2)`, restarts every restartable sequence that is in
//!    flight on any CPU of this process. A reader that had loaded the old phase has either counted
//!    itself, visibly, or starts over and sees the new phase.
//! 3. **Sum.** Nobody can begin a new section in the old phase any more, so a sum of zero is final. (A guard
//!    of the old phase can still be cloned. Clones are counted, and the writer sums again if their number
//!    has changed meanwhile.) Until the sum is zero, the writer spins for a moment and then sleeps; a section
//!    of an old phase wakes it when it ends.
//!
//! Every other RCU that counts per CPU (SRCU in the Linux kernel, the liburcu prototype of 2016-17,
//! libside) needs two flips and more barriers, because there a reader may load the phase, stall, and
//! count itself late. Here loading the phase, finding the CPU and counting are **one** restartable
//! sequence: a few instructions that the kernel starts over if it interrupts them, so that plain loads
//! and stores are enough.
//!
//! # Reads that count nothing
//! [`snapshot`](crate::RcuCell::snapshot) is a whole section in one sequence, which loads the pointer and copies
//! the value. A writer never waits for it, because step 2 restarts every snapshot that is in the middle.
//!
//! # Sharing
//! Callers of [`synchronize`](crate::synchronize) share grace periods: one of them leads, the others sleep until it
//! is done. Callers that poll for a grace period ([`start_poll`](crate::Domain::start_poll)) or await one
//! ([`synchronize_async`](crate::Domain::synchronize_async), with any runtime) share them, too. The process-wide
//! barriers of all domains are shared in the same way.
//!
//! # Callbacks
//! A callback is appended to a *chunk* of the CPU on which it was queued, by another restartable sequence, without
//! a lock or an atomic instruction. The flip and the restart of a grace period take the chunks away from all CPUs
//! at once. Those chunks wait for the *next* grace period, because a removal just before a retirement may have
//! become visible only with that restart. Then their callbacks run. Threads that retire values drop earlier ones in
//! batches of seven, because memory is freed most cheaply where it is allocated; everything else is run by a
//! background thread, or by the domain's [`Runner`](crate::Runner).
//!
//! # Forks
//! All state lies in memory that the kernel wipes in a forked child (`MADV_WIPEONFORK`). Zeroes are the
//! state before the first use, so a child sets everything up again, at addresses that no older guard
//! knows. No fork handler is registered, and a child finds no lock held.
//!
//! # Where it is in the sources
//! `urcu/src` is built in layers: each folder imports only from those below it in this list, and the test
//! `layers` of `benches/host` fails on any other import.
//!
//! | folder of `urcu/src` | what is in it |
//! |---|---|
//! | `cell`, `raw` | [`Rcu`](crate::Rcu) and its kin, [`link`](crate::link); pointers for structures of one's own |
//! | `polling`, `global` | cookies and futures; the global domain and its functions |
//! | `domain` | [`Domain`](crate::Domain), [`ReadGuard`](crate::ReadGuard), and the state of a domain |
//! | `driver` | the background threads, and the grace periods and callbacks that they drive |
//! | `callbacks` | chunks, the queue of sealed chunks, budgets, the pace of grace periods, `barrier` |
//! | `stall`, `stats`; `settings` | reports and counts; [`Budget`](crate::Budget) |
//! | `gp` | the algorithm, with its whole proof in `gp/mod.rs` |
//! | `sys` | the kernel's facilities: the CPUs' slots, the sequences, the barrier, threads |
//! | `sync` | atomics, futexes, locks, and memory that a fork wipes |
//!
//! The models replace `sys` and `sync` and compile the rest as it is. Below `sys` stands the package
//! `rseq-ops`, with the sequences of each processor in `rseq-ops/src/arch`.
//!
//! **A guard.** `domain/guard.rs` begins a section by `enter` in `gp/readers.rs`. This calls, through
//! `sys/sequences.rs`, `increment_through` in `rseq-ops/src/ops/stride.rs`, whose instructions are in
//! `arch/x86_64/stride.rs`. The end of a guard takes the same path, by `exit`. Where a sequence cannot be used or
//! is aborted again and again, `gp/readers.rs` adds to the slot's `shared` counter by an atomic instruction.
//!
//! **A callback.** `domain/enqueue.rs` appends it to the CPU's chunk, by `callbacks/slots.rs`, `sys/sequences.rs`
//! and `rseq-ops/src/ops/append.rs`. When the chunk is full, `callbacks/enqueue.rs` replaces it by another one and
//! hands the full one to `callbacks/queue.rs`. At the end of a grace period `driver/observer.rs` seals the chunks
//! of the old phase (`callbacks/seal.rs`). `callbacks/pace.rs` decides when to begin a grace period for them,
//! `driver` drives it, and `callbacks/invoke.rs` runs the ready callbacks.
//!
//! **A grace period.** [`synchronize`](crate::synchronize) takes a number from `gp/sequence.rs` and waits for it in
//! `gp/grace_period.rs`. One of the waiting threads leads: it flips the phase and restarts the sequences by
//! `gp/barrier.rs`, `sys/barrier.rs` and `rseq-ops/src/membarrier.rs`. It sums the counters and sleeps in
//! `gp/scan.rs`. At the end it notifies the `Observer` (`gp/observer.rs`), which informs statistics, stall reports
//! and callbacks, and then wakes the waiting threads.
//!
//! # Evidence
//! Each ordering has a letter, a partner, and a model in `loom-tests`, which compiles the shipped sources on an
//! emulated kernel. A model proves something only if it fails when the ordering is removed; `cargo run --release -p
//! urcu-loom-tests --bin mutants` removes each in turn.
