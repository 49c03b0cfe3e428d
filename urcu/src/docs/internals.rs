//! How it works: the counters, the grace period, callbacks, forks, and where each is in the sources.
//!
//! # A grace period
#![doc = include_str!("grace_period.svg")]
//!
//! A domain has two *phases*. Each CPU has a counter for each of them. A read-side section adds 1 to the
//! counter of the CPU on which it begins, for the current phase, and subtracts 1 from *any* counter of
//! that same phase when it ends: on another CPU, on another thread, in a signal handler. One counter
//! alone means nothing; the **sum** over all CPUs is the number of sections that are open.
//!
//! A grace period then takes three steps:
//!
//! 1. **Flip.** The other phase becomes the current one. Its counters are all zero, because the grace
//!    period before this one waited for them.
//! 2. **Restart.** One system call, `membarrier(2)`, restarts every restartable sequence that is in
//!    flight on any CPU of this process. A reader that had loaded the old phase has either counted
//!    itself, visibly, or starts over and sees the new phase.
//! 3. **Sum.** Nobody can begin a section in the old phase any more, so its counters only fall, and a
//!    sum of zero is exact. Until then the writer spins for a moment and then sleeps; the end of a
//!    section of an old phase looks whom to wake.
//!
//! Every other RCU that counts per CPU (SRCU in the Linux kernel, the liburcu prototype of 2016-17,
//! libside) needs two flips and more barriers, because there a reader may load the phase, stall, and
//! count itself late. Here loading the phase, finding the CPU and counting are **one** restartable
//! sequence: a few instructions that the kernel starts over if it interrupts them, so that plain loads
//! and stores are enough.
//!
//! # Reads that count nothing
//! [`snapshot`](crate::RcuCell::snapshot) is a whole section in one sequence: load the pointer, copy the
//! value, done. A writer never waits for it, because step 2 restarts whoever is in the middle.
//!
//! # Sharing
//! Callers of [`synchronize`](crate::synchronize) share grace periods: one of them leads, the others
//! sleep until it is done. So do those who poll for one ([`start_poll`](crate::Domain::start_poll)) or
//! await one ([`synchronize_async`](crate::Domain::synchronize_async), with any runtime). The process-wide
//! barriers of all domains are shared in the same way.
//!
//! # Callbacks
//! What is retired goes to a page of the CPU it was retired on, by a restartable sequence again, without
//! a lock or an atomic instruction. The restart of a grace period takes the pages away from all CPUs at
//! once. They wait for the *next* grace period: what was unpublished just before a retirement may have
//! become visible only with that restart. Then their callbacks run: values are dropped six at a time by
//! threads that retire others, because memory is freed most cheaply where it is allocated; all else is
//! run by a background thread, or by whatever [`Runner`](crate::Runner) the domain has.
//!
//! # Forks
//! All state lies in memory that the kernel wipes in a forked child (`MADV_WIPEONFORK`). Zeroes are the
//! state before the first use, so that a child sets everything up again, at addresses that no older guard
//! knows. No handler is registered and no lock can be found held.
//!
//! # Evidence
//! Each ordering has a letter, a partner, and a model in `loom-tests`, which compiles the very sources
//! that ship, on an emulated kernel. A model counts for something only if it fails when the ordering is
//! taken away; `cargo run --release -p urcu-loom-tests --bin mutants` takes each away in turn.
