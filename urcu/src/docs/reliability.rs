//! What is promised, how it is tested, what is not promised.
//!
//! To try it on your own machine, which counts for more than our figures:
//!
//! ```sh
//! .ci/test                                                      # suites, models, random programs
//! cargo run --release -p urcu-benches --bin rcu-torture         # faults, injected and counted
//! cargo run --release -p urcu-loom-tests --bin mutants          # what the models notice
//! .ci/guests                                                    # other kernels and processors
//! .ci/sanitizers                                                # AddressSanitizer, ThreadSanitizer
//! ```
//!
//! # What is promised
//!
//! A test that cannot fail proves nothing, so for each there is something deliberately wrong that it
//! must notice. (`rcu-torture --break NAME --placebo` shows that it is this that is noticed.)
//!
//! | promise | tested by | which notices |
//! |---|---|---|
//! | what a section sees is not freed while it is open | models `two_sections_two_updates`, `nested_and_moved`, ...; torture `steady`, `guards`, `signal-storm`, `migration-storm` | every mutant of an ordering or barrier; `--break plain-membarrier` with delays inside the sequences; `--break early-reclaim` |
//! | a snapshot is of one version, which was not freed | models `snapshots`, those of the cell; torture `snapshots` | the sequence that goes on after an interrupt; the plain membarrier |
//! | a section that begins after a grace period sees what came before it | models `new_sections_see_the_new_world`, litmus shapes; the age of every version in the torture | relaxed period, relaxed flip |
//! | no waiter is forgotten | models of sharing, waiting, polling, the worker; the watchdog of the torture; fuzzing | a dropped fence, second look or wake-up: 30 mutants and more |
//! | a callback runs once, after its grace period; `barrier` waits for it | models of callbacks; suites `callbacks_*`; torture `callback-flood`; fuzzing | tickets, seals and barriers left out |
//! | what waits for grace periods stays within the [`Budget`](crate::Budget), but for what that lets through and counts | suite `callbacks_budget`; torture `stalled-reader` | a budget without a limit |
//! | sections in signal handlers, destructors of thread-local data, threads made by C, after `exec` | suites `signals`, `first_use`, `tls`, `hostile`, `registration` | a lock or an allocation on the way |
//! | forked children work at once, and hang at no lock | suites `fork*`: forks between any two instructions of a section, a grace period, a callback, a first cookie; handlers that fork and return while other threads are inside every lock; torture `fork-generations` | state that is not wiped; a lock that is waited for |
//! | CPUs come and go, affinity shrinks, readers are starved | suites `hotplug`, `migration`, `hostile`; torture `cpu-hotplug`, `affinity`, `rt-priorities`; guests | a CPU that is not summed |
//! | without rseq, without membarrier, with either refused, with filters installed late | suites `environments`, `refusal`, `seccomp`; torture `self-registered`, `no-rseq`, `no-membarrier`, `neither` | the plain membarrier; a refusal that is forgotten |
//! | per-CPU counters, stacks, pools, rings and memory lose nothing and give nothing twice | `rseq-ops`: suites `percpu_*`; models of the stack; torture `per-cpu`; fuzzing | `--break split-addition`; an interrupted push or pop that goes on; a record that is skipped |
//! | sequences are what the kernel expects, commit last, and abort safely at every instruction | `rseq-ops`: every range against the disassembly; single-stepping; delays at every point; guests | a sequence that ends one instruction early |
//!
//! # In a forked child
//!
//! (Linux 4.14 and newer; elsewhere the child of a process with several threads may read.)
//!
//! * Everything works at once, by whatever means it was forked (`fork`, `_Fork`, `clone` without
//!   `CLONE_VM`), and whatever other threads did: none of this library's locks hangs it, nor one of the
//!   standard library's that this one takes. (A panic's message is the standard library's to print.)
//! * Guards from before the fork protect nothing. Grace periods that were asked for before it are over:
//!   the sections of the parent's other threads are not the child's. What was queued is the parent's.
//! * **A signal handler may fork, and return.** What it interrupted ends in the child as if it had been
//!   the parent's: it waits for nothing that other threads would have to do, its callback may not run
//!   there, and a `barrier` returns though the parent's callbacks have not run. What the thread does after
//!   that is the child's, with nothing missing. One thing must not happen: that a handler forks between
//!   the first two loads of a section or a callback and returns there, and that, before the next
//!   instruction, a second handler is the first in that child to use the domain. The section would
//!   count itself anywhere. (To rule that out would cost every section a load.)
//! * The heap is not ours. glibc's `fork` takes its locks, so that its children may allocate; in a
//!   handler that interrupted the heap it may wait for ever. `_Fork` is meant for handlers, and leaves
//!   the heap's locks as they are: such a child may read at any time, but an operation that allocates,
//!   as all but reading may, hangs in the heap if another thread was in there.
//!
//! # What is not promised
//!
//! * **Other processes.** Counters are of one process: `membarrier` reaches no other. Memory that is
//!   shared between processes needs another scheme.
//! * **Unloading.** A shared object with this library inside must stay loaded (`-z nodelete`): the
//!   kernel may look at a sequence's descriptor after the sequence is over.
//! * **Asynchronous cancellation.** `pthread_cancel` with `PTHREAD_CANCEL_ASYNCHRONOUS`, and anything
//!   else that ends a thread between two instructions (`TerminateThread`), may leave a section open
//!   for ever, as it leaves locks, or end the process: Rust does not unwind from everywhere.
//! * **Whoever writes the words that belong to the kernel.** A library that changes `cpu_id`,
//!   `cpu_id_start` or `mm_cid` of `struct rseq`, or leaves its own descriptor armed, breaks this one.
//!   A thread that unregisters rseq while a section begins on it, too.
//! * **Time.** How long a grace period takes is up to the readers and to the scheduler. One that
//!   takes long is reported ([`stall`](crate::stall)).
//! * **An end to what waits, while a section does not end.** Past its budget a domain takes one more
//!   from each thread that retires, each time that this one has waited for its patience, and from
//!   callbacks without a wait ([`Budget`](crate::Budget)). [`Domain::try_call`](crate::Domain::try_call)
//!   refuses.
//! * **Exit.** Callbacks that are queued when the process ends do not run; [`barrier`](crate::barrier)
//!   before that waits for them.
//! * **The memory of weakly ordered processors, seen by tests.** AArch64 and RISC-V 64 run in emulators
//!   only, which are stronger ordered than the processors. What holds their orderings is the models.
//!   Under RISC-V the stress test does not notice the plain membarrier, for a reason that we do not
//!   know, and CPUs do not go off line, of which that kernel dies in the emulator: there `.ci/guests`
//!   leaves out both.
//!
//! # The longest run
//!
//! On two CPUs of a virtual machine (Linux 6.18, x86-64), with delays built into the sequences, 24
//! scenarios of 10.5 s each: 14,760,815,918 verified reads, 7,471,292 grace periods, errors 0.
//!
//! A longer run before it (1.77 x 10^10 reads) had one error, of the torture program itself: a thread of
//! `signal-storm` that polled slept 20 us at a time, and such a sleep never ends under signals that
//! come faster than the timer's slack of 50 us. It no longer sleeps.
//!
//! Fuzzing with AddressSanitizer: 60 minutes in four stretches, 276,563 programs, nothing reported. In
//! earlier runs it reported a leak once (a thread that outlives its domain, whose memory LeakSanitizer
//! does not see) and a thread that had waited for 20 s once, on a machine with 30 others running; 3,000
//! replays of that program did not repeat it. Of 66,000 random programs without a fuzzer one, in which
//! nothing was wrong, stood still for 19 s as a whole, the thread that reports stalls after 10 s too.
//!
//! The suites under AddressSanitizer and, without the tests that fork, under ThreadSanitizer (portable
//! backend): no reports.
