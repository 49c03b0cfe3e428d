//! Troubleshooting: what you see, what it means, and what to do.
//!
//! First find out which kind of readers is in use: it explains most surprises about speed.
//!
//! ```
//! println!("readers use {}", urcu::reader_mode());
//! println!("{:?}", urcu::global().stats());
//! ```
//!
//! # It does not compile
//! | the compiler says | why | what to write |
//! |---|---|---|
//! | `temporary value dropped while borrowed` (E0716): `let v = map.pin().get(&k);`, `cell.load(&read_lock())` | what is read lives as long as its guard | `let guard = urcu::read_lock();` in a line of its own |
//! | `cannot return value referencing local variable` (E0515) | the same | take the guard as an argument; or return a [`Ref`](crate::Ref), an [`OwnedRef`](crate::OwnedRef), an `Arc` ([`RcuArc::load_full`](crate::RcuCell::load_full)) or a copy |
//! | `cannot borrow data in dereference of Ref as mutable` (E0596) | others are reading the value | [`update`](crate::RcuCell::update) makes a new one; what is changed in place is an atomic or a lock |
//! | `expected Vec<u32>, found ()` (E0308) in `update` or `compute` | the closure returns the new value and does not change the old one | `update(\|old\| { let mut new = old.clone(); new.push(1); new })` |
//! | `expected &GuardOf<Names>, found &ReadGuard<'_>` (E0308) | the guard is of another domain | `Names.read_lock()` |
//! | `cannot call non-const associated function` (E0015) in a `static` | a value needs an allocation | `LazyLock::new(\|\| Rcu::new(..))`, or [`RcuOption::empty()`](crate::RcuOption), which is `const` |
//! | `cannot be sent between threads safely` (E0277), `must outlive 'static` (E0521) at `store` | old values are dropped later, on another thread | `Arc` instead of `Rc`, `String` instead of `&str`; or [`replace`](crate::RcuCell::replace), which waits and asks for neither |
//!
//! For maps, lists and queues the package `urcu-collections` has a page of its own, `docs::does_not_compile`.
//!
//! # A grace period is reported as stalled
//! The message, on standard error or in the log, is `grace period 7 of RCU domain "x" has waited 10.000s for 1 open
//! read-side section`. It means that a section of that domain does not end. The report says on which CPU it began,
//! and, with the feature `stall-trace` or in a debug build, at which line and on which thread. Usual causes:
//!
//! | cause | remedy |
//! |---|---|
//! | a guard, a [`Ref`](crate::Ref) or an iterator is kept: in a struct, in a task that is not polled, across a network call | drop it earlier; keep an `Arc` instead ([`RcuArc::load_full`](crate::RcuCell::load_full)) |
//! | a guard was forgotten (`mem::forget`, a leaked future) | drop it |
//! | a thread is stopped or starved inside a section: a debugger, a lower real-time priority, a frozen cgroup | let it run; the grace period ends by itself |
//! | long sections that are meant to be long | a [`Domain`](crate::Domain) of their own, and [`refresh`](crate::ReadGuard::refresh) in loops |
//! | the timeout is too short for this program | [`stall::set_timeout`](crate::stall::set_timeout) |
//!
//! # A call of `synchronize`, `replace`, `barrier` or `wait` does not return
//! Usually the calling thread holds a guard of the same domain, and so waits for itself. Debug builds, and builds
//! with `stall-trace`, report this after three seconds with both source lines. Watch for guards that live to the
//! end of a statement: `list.pop(&urcu::read_lock()).unwrap().wait()`. Otherwise another thread's section does not
//! end: see above.
//!
//! # Memory grows
//! | [`Stats`](crate::Stats) | meaning | remedy |
//! |---|---|---|
//! | `callbacks_pending` is large, and a stall is reported | a section does not end, and everything retired later waits for it | see above |
//! | `callbacks_pending` is large, and no section is old | callbacks run more slowly than they are queued, or one of them blocks | a [`Runner`](crate::Runner) of its own; do not block in callbacks |
//! | `callbacks_excess` is not 0 | the budget was exceeded, because the patience is zero, inside callbacks, or by large values | [`Budget`](crate::Budget) |
//! | little is pending, but memory is large | values own memory that their type's size does not show: `Vec`, `String`, `Box` | [`defer_drop_sized`](crate::Domain::defer_drop_sized) and `retire_with` count it |
//! | [`Runner::Caller`](crate::Runner), and nobody calls `run_callbacks` | nothing runs | call it from the program's loop |
//! | memory stays after a burst | the allocator keeps it: compare with the same burst of `Box`es | the allocator's settings |
//!
//! # A domain is reported as over its budget
//! `RCU domain "x" has used seven eighths of its budget or more: ...`. A thread was held up for a few milliseconds
//! because too much is pending. A loop that retires under one guard waits for itself: refresh the guard. Otherwise
//! look for the old section, which the report names, or raise the budget:
//! [`set_budget`](crate::Domain::set_budget), or `URCU_BUDGET=COUNT:BYTES:MILLISECONDS` in the environment.
//!
//! # Destructors do not run
//! * At the end of the program: callbacks that are queued when `main` returns do not run. Call
//!   [`barrier`](crate::barrier) first to wait for them.
//! * In a test that checks at once: destructors run after a grace period, on another thread. Call `barrier` first.
//! * In a forked child: callbacks that the parent had queued run in the parent alone.
//!
//! # An occasional deadlock around `store`
//! `store` may drop values that were retired before. If a destructor takes a lock, do not hold that lock around
//! `store`, or use [`call`](crate::call), which runs nothing on the calling thread.
//!
//! # Reads take ten nanoseconds or more
//! Usually readers do not use libc's registrations.
//!
//! | `reader_mode` says | cause | remedy |
//! |---|---|---|
//! | `restartable sequences on threads registered by libc` | this is the fast mode | none is needed: look for cache misses in your own code |
//! | `... registered at their first sections` | musl, glibc before 2.35, or `GLIBC_TUNABLES=glibc.pthread.rseq=0` | a newer glibc; remove the tunable |
//! | `atomics, because no thread can be registered with rseq(2)` | a kernel before 4.18, a seccomp filter without `rseq`, valgrind | allow `rseq` |
//! | `atomics, because membarrier(2) is refused` | a kernel before 5.10, a seccomp filter | allow `membarrier` |
//! | `atomics, because this build has no restartable sequences` | another processor or system, Miri, ThreadSanitizer, MemorySanitizer, `--cfg rseq_ops_portable` | none is needed for tests |
//!
//! # seccomp and containers
//! Allow `rseq` and `membarrier`. The library's other system calls are those of any program with threads (`futex`,
//! `mmap`, `madvise`, `sched_getaffinity` and so on). At its first use the library finds out which calls are
//! refused, and then works without them, more slowly. The default profiles of container runtimes were not tried.
//!
//! * **Install filters before the first section**, or allow `membarrier` in them: readers that use sequences rely
//!   on it, so a later refusal makes a waiting thread panic with "a grace period cannot end", after three
//!   seconds if the refusal may pass.
//! * `/sys` may be missing or show another number of CPUs, because the library also uses the kernel's own masks. On
//!   a CPU beyond the number that was found, sections use atomics.
//! * CPU limits (cgroup quotas, cpusets) may change at any time.
//! * To see the effect of a strict container: `cargo run -p rseq-ops --example refused -- rseq,membarrier PROGRAM`.
//!
//! # Old kernels
//! | Linux | what is missing |
//! |---|---|
//! | before 4.14 | memory that is wiped in forked children: a child may read, and no more |
//! | before 4.18 | `rseq`: atomics |
//! | before 5.10 | the restart by `membarrier`: atomics |
//! | before 6.3 | `concurrency_id` and `numa_node` of `rseq-ops` without a system call |
//!
//! # Plugins and shared objects
//! * `cannot allocate memory in static TLS block` is not caused by this library, which has no thread-local data of
//!   that model. Check the `thread_local!`s of the host and of the plugin.
//! * Under glibc, an object with this library inside stays loaded after `dlclose`: the kernel may still look at
//!   its sequences. With another libc link it with `-z nodelete`.
//! * Two copies of the library in one process work, but are independent: a section of one does not hold up grace
//!   periods of the other.
//!
//! # Forks
//! The library works in a forked child at once. Guards from before the fork protect nothing there. Under
//! LeakSanitizer, end the child with `_exit`.
//!
//! # valgrind, sanitizers, debuggers
//! [A page of their own](crate::docs::sanitizers). In short: under valgrind, ThreadSanitizer, MemorySanitizer and
//! Miri readers use atomics; call [`barrier`](crate::barrier) before the end, so that no leak is reported; a
//! debugger that steps into a sequence aborts it, and the library then uses atomics.
//!
//! # A panic about the guard of another domain
//! `what belongs to ... was used with a guard of ...`. A cell or a structure was read under a guard of another
//! domain, which would not keep its values. Take a guard of the right domain, or make the domain a type
//! ([`domain!`](crate::domain!)), so that the compiler finds the mistake.
//!
//! # It crashes
//! * An unexplained SIGSEGV: the code of a sequence was unloaded, or other code writes to libc's rseq area.
//!   tcmalloc keeps a word of its own there, and so cannot share a process with other users of `rseq`.
//! * A use after free that AddressSanitizer reports in a reader: some `unsafe` code retires nodes that readers can
//!   still reach. See [the rules](crate::docs::own_structure#raw-links).
//!
//! # Still stuck
//! Report the problem with the output of `cargo run -p rseq-ops --example where_am_i`, the kernel's and libc's
//! versions, and what `reader_mode` and `stats` print.
