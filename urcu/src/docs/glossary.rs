//! Glossary: the words of this documentation, explained in a sentence or two.
//!
//! | word | meaning |
//! |---|---|
//! | reader | whoever looks at shared data inside a section; any thread, and the same thread may be an updater the next moment |
//! | updater, writer | whoever replaces shared data: makes a new version, publishes it, and retires the old one |
//! | version | a value as readers see it: it is never changed in place, only replaced by the next one |
//! | read-side section | the time from the creation of a guard to its drop, during which nothing is freed that the reader may see |
//! | guard | the value that keeps a section open: [`ReadGuard`](crate::ReadGuard), or one inside a [`Ref`](crate::Ref) |
//! | refresh | to end a guard's section and begin another, in long loops, so that what waits for it can be freed |
//! | grace period | the time until all sections have ended that were open when it began; later ones are not waited for |
//! | domain | a set of sections, and the grace periods that wait for them: [`Domain`](crate::Domain). Most programs need only the [global](crate::global()) one |
//! | cell | an owning pointer that is read inside sections and replaced: [`Rcu`](crate::Rcu) and its kin |
//! | publish | to store a pointer so that readers may follow it; with release ordering, so that they see the value whole |
//! | unlink, unpublish | to replace or remove a pointer, so that sections that begin from now on cannot reach the value |
//! | retire | to hand over an unlinked value, to be freed after a grace period; the caller does not wait |
//! | mark | to decide that a node of a list will be removed: from then on nothing is inserted behind it, and whoever passes may take it out |
//! | tag | what a structure keeps in the low bits of a pointer, which are zero because values are aligned |
//! | callback | queued work to do after a grace period: a closure of [`call`](crate::call), or freeing a retired value |
//! | pending | queued, and not run yet |
//! | budget | the bound on what is pending in a domain: [`Budget`](crate::Budget) |
//! | runner | the choice of who runs a domain's callbacks: [`Runner`](crate::Runner) |
//! | driver | the part of a domain that advances grace periods for which no thread waits, and runs callbacks |
//! | stall | a grace period that takes longer than the timeout, because a section does not end: [`stall`](crate::stall) |
//! | cookie | a number that stands for a grace period, so that it can be asked later whether that is over: [`GracePeriod`](crate::GracePeriod) |
//! | lock-free, wait-free | whatever other threads do or do not do, some thread goes on; each thread does, in a bounded number of steps |
//! | snapshot | a copy of a small value by one restartable sequence, without a guard and without a counter |
//! | restartable sequence, rseq | a few instructions that end with one store, and that the kernel starts over if it interrupts them |
//! | commit | the last store of a sequence: with it the whole sequence has happened |
//! | abort | the fate of a sequence that the kernel has interrupted: it has had no effect, and is tried again |
//! | registration | the agreement with the kernel, for each thread, on where its rseq words lie; made by glibc, or by this library |
//! | membarrier | the system call by which a writer puts a memory barrier into all running threads of its process, and restarts their sequences |
//! | phase | one of the two sets of a domain's counters: sections are counted in the current one, and a grace period waits for the other |
//! | flip | the store that makes the other phase the current one |
//! | slot | one CPU's counters of one domain, a cache line |
//! | possible CPUs | all CPUs that the kernel could ever use in this system, online or not; the library reserves a slot for each |
//! | concurrency id, `mm_cid` | a number that no other running thread of the process has, small as long as few threads run |
//! | leader | the thread that does the work of a grace period for all threads that wait for it |
//! | chunk | a page of callbacks, filled by one CPU |
//! | seal | to close a chunk; from then on it waits for one particular grace period |
//! | fork generation | a number that differs in each forked process, by which a child recognizes copies of its parent's objects |
//! | asymmetric barrier | a pair of barriers, one of which is free (in the reader) and the other expensive (in the writer: membarrier) |
//! | model | a small program that loom runs in all orders, on an emulated kernel and the sources as shipped |
//! | mutant | a copy of the sources with one thing broken, which some model must notice |
//! | placebo | a torture run like a deliberately broken one, but without the breakage: it must pass |
