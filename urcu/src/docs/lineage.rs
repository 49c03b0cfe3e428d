//! Lineage: the ideas that led to this library, and what each became here.
//!
//! No code is taken from any of these. Steps marked with * rely on secondary sources or memory, because the primary
//! source was not at hand when this was written.
//!
//! | when | step | what it became here |
//! |---|---|---|
//! | 2013 to 2015 * | Paul Turner and Andrew Hunter show per-CPU operations that the kernel restarts when it interrupts them | the idea of the package `rseq-ops`: plain loads and stores, one commit |
//! | 2016 * | Mathieu Desnoyers proposes a system call `getcpu_cache`: the kernel keeps the number of the current CPU in a word of each thread | `rseq_ops::current_cpu`, a load in place of a call; and the index in every sequence |
//! | 2016 to 2017 | the two ideas become one system call, `rseq`. `cpu_opv`, for operations that a debugger would restart for ever, was proposed with it and never merged | retries are bounded; after them, atomics on *other* words are used, which always succeed without the kernel's help |
//! | 2016 to 2017 | a prototype of liburcu counts readers per CPU by `rseq`, in two periods; the text of rseq's commit gives 28.6 ns for a section, with a read, on a Xeon E5-2630 v3 | the readers' counters. Three of its faults cannot happen here: nested sections across a flip shared one word for their period, an atomic and a plain addition were made to the same word, and arrays were as long as the *configured* CPUs |
//! | 2017, Linux 4.14 | `membarrier`'s private expedited command: a barrier in all running threads of a process, in microseconds; `MADV_WIPEONFORK` | the writer's barrier, so that readers need none; all state of a domain lies in memory that a forked child finds wiped |
//! | 2018, Linux 4.18 | `rseq` is merged (commit `d7822b1e24f2`) | |
//! | 2020, Linux 5.10 | `membarrier` learns to restart all sequences in flight (commit `2a36ab717e8f`) | the heart of the algorithm: after one flip and one such barrier nobody can begin a section in the old phase, so **one** flip is enough; and a [snapshot](crate::RcuCell::snapshot) can be a whole section in one sequence |
//! | 2022, glibc 2.35 | libc registers every thread, and publishes where the words lie | sections need not check a registration; with other libcs this library registers threads itself |
//! | 2022 | libside counts readers per CPU for tracing, with counters for beginnings and ends, two periods and several barriers | one net counter in place of the two: a section may end on any CPU, and a sum of zero is exact |
//! | 2023, Linux 6.3 | the area grows: the node's number, and `mm_cid`, a number that is dense among the running threads | `rseq_ops::numa_node`, `concurrency_id`. Sections use the CPU's number nevertheless: a thread whose registration has ended reads `mm_cid` 0, which another thread may have, but a negative CPU number |
//! | Linux 6.19 | ids are written only when they change; `mm_cid` is assigned in a new way | nothing relies on a write at each switch |
//! | Linux 7.0, 7.1 | time-slice extension; registrations of more than 32 bytes are handled faster, and the documentation specifies that `membarrier` aborts sequences | `rseq_ops::features`; this library's registrations have the longer form; the proof cites the specification |
//!
//! Beside these:
//!
//! * **SRCU** in the Linux kernel has two per-CPU counters, two flips, and cookies to poll. The numbers of grace
//!   periods here work like its `rcu_seq`.
//! * **Linux's RCU stall detector** is the model of [`stall`](crate::stall).
//! * **seize** uses `membarrier` for its readers, too, and explains each ordering by its two cases.
//! * **arc-swap**, **crossbeam-epoch** and **papaya** set the expectations of Rust programs for such an interface.
