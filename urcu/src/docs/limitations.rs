//! Limitations: what this library does not do, and what happens then.
//!
//! # Waiting for oneself
//! `synchronize`, `replace`, and `barrier` if callbacks are queued, wait for ever inside a read-side section of the
//! same domain: they wait for a section that ends only after they return. The library cannot tell such a section
//! from one whose guard another thread is about to drop, so nothing panics. The [`stall`](crate::stall) report says
//! which section it is and, with the feature `stall-trace` or debug assertions, where it began.
//!
//! # A section that does not end
//! Grace periods of a domain wait for a guard that is forgotten, for a thread that is stopped inside a section, and
//! for a task that holds a guard and is never polled again. After ten seconds such a section is reported with its
//! CPU, its age and, with `stall-trace`, the place where it began. The domain's [`Budget`](crate::Budget) bounds
//! the values that are retired meanwhile: while it is exceeded, each retirement first waits, up to 10 ms by
//! default.
//!
//! # Exit
//! Callbacks that are queued when the process exits do not run. Call [`barrier`](crate::barrier) first to wait for
//! them.
//!
//! # Forked children
//! Everything works in a forked child at once (Linux 4.14 and newer; elsewhere the child may read). Guards
//! that were taken before the fork protect nothing there, and callbacks that the parent had queued run
//! in the parent alone. A `vfork` child must do none of this. The details are
//! [here](crate::docs::reliability#in-a-forked-child).
//!
//! Under LeakSanitizer, end such a child with `_exit`. Otherwise LeakSanitizer reports memory of the parent's other
//! threads as leaks.
//!
//! # Stacks
//! [`Threads`](crate::Threads) sets the stack of the library's own threads. Callbacks also run inside
//! [`barrier`](crate::barrier) and where a domain is dropped, and destructors also run on threads that retire.
//! There they use the caller's stack.
//!
//! # Other processes
//! RCU across processes, in shared memory, is not supported: `membarrier(2)` does not reach other processes.
//!
//! # Processors and systems
//! Restartable sequences exist here for Linux on x86-64, AArch64 and RISC-V 64. Everywhere else, and where the
//! kernel or a filter refuses them, readers use atomics with full fences: everything works, and a section takes 14
//! ns on a Zen 5, where a guard takes 0.9. [`reader_mode`](crate::reader_mode) returns which kind is in use. On
//! AArch64 and RISC-V 64 the library has run only in emulators.
//!
//! # The kernel's words
//! Only the kernel may write to libc's `struct rseq`. A signal handler must not *register* an unregistered thread
//! by calling `rseq(2)` itself: the section or snapshot that it has interrupted would continue unprotected. (Ending
//! a registration is harmless.)
//!
//! # Shared objects
//! A shared object with this library inside can be loaded at any time, and under glibc stays loaded.
//! This was not tried with musl's `dlopen`. With `stall-trace`, or debug assertions, the first section of a
//! thread in such an object should not be in a signal handler: it uses thread-local data, for which libc may
//! allocate then.
//!
//! # Memory
//! After `mlockall(MCL_FUTURE)` the counters of all possible CPUs are locked in memory: 64 KiB for each
//! CPU for up to 1,024 domains, and as much for the domains' own state. Pass `MCL_ONFAULT` too.
//! A domain takes 128 bytes, and 64 for each CPU that reads, in pages that domains share. Each CPU that
//! retires has a page of 4 KiB.
//!
//! # Time
//! A grace period lasts as long as the longest section that was open when it began, and interrupts the
//! CPUs on which the process runs once. A hard real-time thread that must not be interrupted should not
//! share a process with writers.
