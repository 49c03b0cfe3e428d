//! What is promised, how it is tested, what is not promised.
//!
//! To try it on your own machine:
//!
//! ```sh
//! .ci/test                                                      # suites, models, random programs
//! cargo run --release -p urcu-benches --bin rcu-torture         # faults, injected and counted
//! cargo run --release -p urcu-loom-tests --bin mutants          # what the models notice
//! .ci/guests                                                    # other kernels and processors
//! .ci/sanitizers                                                # AddressSanitizer, ThreadSanitizer, MemorySanitizer
//! .ci/i686                                                      # 32-bit x86
//! ```
//!
//! # What is promised
//!
//! A test that cannot fail proves nothing. So each of these tests was run with something deliberately broken, which it
//! must notice; the last column says what. (`rcu-torture --break NAME --placebo` does the same without the fault, and must
//! pass.)
//!
//! | promise | tested by | what the tests notice |
//! |---|---|---|
//! | what a section sees is not freed while it is open | models `two_sections_two_updates`, `nested_and_moved`, ...; torture `steady`, `guards`, `signal-storm`, `migration-storm` | every mutant of an ordering or barrier; `--break plain-membarrier` with delays inside the sequences; `--break early-reclaim` |
//! | a snapshot is of one version, which was not freed | models `snapshots`, those of the cell; torture `snapshots` | the sequence that goes on after an interrupt; the plain membarrier |
//! | a section that begins after a grace period sees what came before it | models `new_sections_see_the_new_world`, litmus shapes; the age of every version in the torture | relaxed phase, relaxed flip |
//! | no waiter is forgotten | models of sharing, waiting, polling, the worker; the watchdog of the torture; fuzzing | a dropped fence, second look or wake-up: 30 mutants and more |
//! | a callback runs once, after its grace period; `barrier` waits for it | models of callbacks; suites `callbacks::*`; torture `callback-flood`; fuzzing | tickets, seals and barriers left out |
//! | retired memory and queued callbacks stay within the [`Budget`](crate::Budget), except for what the budget lets through and counts | suites `callbacks::budget`, `held_up`; torture `stalled-reader` | a budget without a limit |
//! | sections in signal handlers, destructors of thread-local data, threads made by C, after `exec` | suites `signals`, `first_use`, `tls`, `hostile`, `registration` | a lock or an allocation on the way |
//! | forked children work at once, and hang at no lock | suite `fork`: forks between any two instructions of a section, a grace period, a callback, a first cookie; handlers that fork and return while other threads are inside every lock; torture `fork-generations` | state that is not wiped; a lock that is waited for |
//! | CPUs come and go, affinity shrinks, readers are starved | suites `hotplug`, `migration`, `hostile`; torture `cpu-hotplug`, `affinity`, `rt-priorities`; guests | a CPU that is not summed |
//! | without rseq, without membarrier, with either refused, with filters installed late | suites `environments`, `refusal`; torture `self-registered`, `no-rseq`, `no-membarrier`, `neither` | the plain membarrier; a refusal that is forgotten |
//! | a section, a snapshot or a callback on a CPU that `/sys` does not admit, or on a thread that libc did not register, is waited for; the number of CPUs needs no descriptor | suites `cpus`, `registration::unknown_cpus`; every sequence on an area of the test's own with every kind of index (`arch::tests::area`); models `a_cpu_without_a_slot`, `a_thread_without_a_registration`, `snapshots_without_a_registration` | a bound that is off by one, a signed comparison; a sequence that commits without a registration |
//! | the mode of the readers is told, with its reason; a barrier that is refused after a granted registration is not counted on | suites `reader_mode`, `registration::environments` | a registration taken for the barrier |
//! | no sequence writes the words that are the kernel's; programs need no newer glibc on our account | `arch::tests::area`; suite `reader_mode` | a sequence that stores there; a versioned symbol |
//! | a passing refusal (`ENOMEM`, `EAGAIN`) of the kernel's decides nothing for the process's life, and loses no grace period | suites `passing`, `percpu::refusals`, `refusal` | any error taken for "cannot"; a refusal taken for one that stays |
//! | a child forked in the middle of a grace period, by a hook or a handler, spoils none of its own; the child of a process that has only read starts anew | suites `fork`, `fork::in_handlers`, `fork::at_every_instruction`; model `a_hook_forks`; a unit test of `global` | a leader that flips whatever phase is the current one; a state set up without its process |
//! | hooks, callbacks, destructors and wakers run under no lock or lead of ours: they may wait, await, drop their domain, panic, fork, or never return | suites `stalls`, `refusal`, `threads`; models `who_is_woken_to_lead_reports`, `a_leader_that_gives_up_tells_the_worker` | a report after the sleep; a lead that is kept |
//! | what is awaited completes though callbacks, destructors and wakers block; no thread is started for domains that callers or executors drive | suite `threads`; models `a_callback_awaits_what_the_worker_drives`, `a_callback_waits_for_what_the_worker_was_to_drive` | the role of driving kept inside a callback; nobody who stands by |
//! | a thread that could not be started, and a barrier that was refused, are tried again | suite `threads`; model `the_worker_tries_again_when_a_barrier_is_refused` | one attempt in 126 callbacks; a sleep without an end |
//! | `call` and `try_call` run no callback, destructor or waker on the calling thread | suite `callers` | helping, or leading, in `call` |
//! | no waker runs under a lock of whoever stores, retires, waits or polls ([`Runner::Shared`](crate::Runner), `OwnThread`) | suite `threads` | waking where the grace period ends |
//! | drops that retire more do not nest; large callbacks are called and dropped where they lie | suites `callers`, `callbacks::runners`; unit tests of `record` | helping inside a callback; a closure moved out of its box |
//! | a budget holds in every build, for a thread that is itself the reader too; the first wait is reported at once; it can be changed while threads wait, and from outside | suites `held_up`, `callbacks::budget` | an exemption; a report each time, or none |
//! | a correct program is never ended by the suspicion of a deadlock | suite `stalls` | the panic of former versions |
//! | a user's code on the library's threads has the program's signal mask, and faults are never blocked; the threads have the process's CPUs, policy and nice value, and the stack that was asked for | suite `threads` | everything blocked; everything inherited; the default stack |
//! | any number of plugins with the library inside can be loaded, and none is unloaded from under the kernel; two copies work in one program | suite `plugins`; `rseq-ops/tests/suite/copies.rs` | initial-exec data; an object that is unloaded; an exported symbol |
//! | nobody is refused per-CPU memory within the limit; what fails to be mapped takes nothing of it; drops and constructors that panic lose nothing; rings count exactly | suites `percpu::refusals`, `percpu::ring`; unit tests of `percpu` | a chunk counted twice; a leaked header; a late writer, a consumer one ring behind |
//! | a thread's own registration ends before the thread, and destructors that come later use atomics | `rseq-ops`: suite `registration::own` and unit tests | an area that is not given back |
//! | 32-bit x86 works, with atomics | `.ci/i686`: both suites; `record`: closures of every alignment at every place | a closure of alignment 8 in a record of 4; bytes in 32 bits |
//! | builds for ThreadSanitizer and MemorySanitizer count readers where the tool can see it | `.ci/sanitizers`: a program that is built with each says which | the build script without its list |
//! | where this library registers threads, from Linux 7.1 on, it is the optimised kind | `rseq-ops`: suite `registration::kinds`; `.ci/guests` | a registration of 32 bytes |
//! | who asks again and again keeps nobody from driving; without threads a hook for stalls does not keep whoever drives | suite `threads` | a stand-in that waits for quiet; a hook that runs with the role of driving |
//! | hooks may panic when they are dropped, also while they run; destructors of thread-local data on the library's threads have the program's mask | suite `threads` | a drop outside the catch; everything blocked |
//! | a forked child starts threads though another thread was changing the environment; what the environment says wrongly is told once | suites `threads`, `held_up` | the standard library's lock; silence |
//! | misuse panics at the caller's line | suite `domains` | a missing `track_caller` |
//! | errno is what it was, whatever the kernel refuses | suites `registration::last_error`, `passing` | any call without it put back |
//! | a thread keeps its area to its last destructor, and is not registered in any that comes after ours; keys, areas and chunks that are not used are given back | suites `registration::own`, `registration::environments`, `percpu::refusals`; unit tests of `alloc` and `own` | an area given back a pass early; a leaked chunk |
//! | libc's words are looked for in the objects of the program's start alone | unit tests of `loader` | an object that came later |
//! | a task that awaits a grace period is woken, whoever ends it, even if the background thread is about to find that nothing is left to do | models `a_future_hears_of_another_callers_grace_period`, `a_worker_leaves_no_future_that_is_due`; suite `stalls::hooks` | an end that wakes nobody; a background thread that leaves |
//! | a forked child's callbacks, futures and reports have threads, whatever thread of the parent was being started or ended | suite `fork::in_std` | the standard library's lock |
//! | a grace period whose barrier is refused for a while is not over; whoever ends one of a caller's domain, or the domain, wakes those who await it; what nobody can relieve is driven by those who await | suites `refusal`, `asynchronous`, `threads` | a refused poll taken for the end; waking nobody |
//! | after a burst the last callbacks run by themselves; empty chunks are bounded and given back | suites `callbacks::budget`, `allocations` | a heavy load that is never over; spare chunks without a bound |
//! | an rseq area that the kernel does not give back is nobody else's | unit tests of `registration::own` | an area that is reused |
//! | benchmarks, torture, test support and fuzz target are built in layers | `urcu-host`: `layers` | any import turned around |
//! | every ordering of the two libraries has a mutant, or a reason and a litmus test | `every_ordering_has_a_mutant_or_a_reason`; `.ci/litmus`; `.ci/barriers` for the code of AArch64 and RISC-V 64 | any ordering weakened |
//! | a fault that makes a wait endless fails a test, and does not only hang it | `deadlines` | a test program without deadlines |
//! | `rcu-torture` counts no error that it does not tell, and says which process died or hung | unit tests of `urcu-torture`; `benches/tests/torture.rs` | `--break callback-panics`, `handler-reads-on`, `process-dies`, `child-hangs` |
//! | per-CPU counters, stacks, pools, rings and memory lose nothing and give nothing twice | `rseq-ops`: suites `percpu::*`; models of the stack; torture `per-cpu`; fuzzing | `--break split-addition`; an interrupted push or pop that goes on; a record that is skipped |
//! | sequences are what the kernel expects, commit last, and abort safely at every instruction | `rseq-ops`: every range against the disassembly; single-stepping; delays at every point; guests | a sequence that ends one instruction early |
//! | what is retired is freed once, after its readers, whichever way is used | suite `retire::each_way_*`, `values_are_whole_*`; models `a_retired_node_*`, `a_retired_box_*`, `an_intrusive_node_*`, `a_node_retired_by_a_closure_*`, `a_stack_of_retired_nodes`; torture `raw-list`; fuzzing | freed at once, twice, or never: 5 mutants; `--break node-freed-early` |
//! | the budget holds for every way of retiring | suite `retire`: `a_budget_of_16_mib_holds_*`, `the_budget_counts_what_each_way_stands_for`, `with_a_section_that_stays_open_*` | bytes that are not counted |
//! | retiring works in callbacks, thread-local destructors and forked children | suite `retire::each_way_works_*` | lost or double frees; a thread that waits for itself |
//! | `raw` keeps to strict provenance | a build with `--cfg urcu_strict_provenance` | a pointer made from an integer |
//! | sections are counted right whichever way the processor counts | suite `sections::sections_may_be_counted_by_guesses`; `rseq-ops`: suite `sequences::counts` | lost or doubled additions; a bound that is looked at too late |
//! | a list's nodes are kept for readers that stand on them, and freed once | suite `cells::links`; models `a_reader_goes_on_from_what_was_taken_out`, `a_reader_meets_a_push`, `a_reader_meets_what_moves_up`, `two_take_nodes_out`, `who_takes_a_node_out_sees_it_whole`, `an_insertion_meets_a_removal` | a missing mark; a relaxed ordering; a node that keeps what has moved up |
//! | a node that is moved away and back while it is being removed outlives its readers | models `what_comes_back_in_the_middle_of_a_removal`, `what_comes_back_behind_another_*` | a note of readers that stops at a marked node, or has no release |
//! | a node that is inserted elsewhere waits for readers that found it before | suite `cells::links`; models `what_is_put_elsewhere_waits_for_its_first_readers`, `a_chain_goes_from_hand_to_hand` | readers of the old place forgotten, or not passed on |
//! | an unlinked value belongs to its owner, and stays valid for its readers | suite `cells::unlinked`; model `an_unlinked_value` | a value handed back, or dropped, at once |
//! | a cloned guard protects what the first one did | suite `cells::handles`; model `a_doubled_section` | a cloned section that is not counted |
//! | a guard of another domain does not compile, or panics | `tests/ui/fail/typed_guard_of_another_domain.rs` and its kin; suites `cells::domains`, `cells::links` | a check left out |
//! | the structures of the pages are linearizable and drop each value once | suite `structures`; for crossbeam's, `benches/tests/structures.rs` | wrong histories of three threads, found by search; values used after their end |
//! | a lookup without a guard finds what is there, misses nothing that is, and never copies what was reclaimed | models `lookups`, `lookups_without_a_registration`, `a_lookup_beside_a_move`, `a_slot_that_changes_its_key`; `rseq-ops`: suite `sequences::lookup`; torture `per-cpu`; `.ci/barriers` | a plain barrier in place of the restart; a sequence that goes on after an interrupt or without a registration; a relaxed root; a moved bucket that is not noticed |
//! | a map of `urcu-collections` answers as the standard one does | `map_properties`: random histories beside `std`, also with one hash for all keys | an iteration without its filter; lost replacements; duplicate keys |
//! | operations on a key of a map are linearizable | `map_histories`: recorded histories of 2 and 3 threads, checked by search; the checker is tested against impossible histories | insertions that are not checked again under the lock |
//! | a key that nobody touches is always found, and an iteration meets it once | `map_iteration` (resizes at every point), `map_resizing`, `map_threads` | the rest of a moved bucket forgotten |
//! | a map drops keys and values once, whatever panics or lies | `map_drops`, `map_hostile`, `ordered`, `queues` | slots that are not emptied; drafts that are not freed |
//! | no value of a collection is freed while a section may see it | `map_threads`, `ordered` (freed memory is poisoned) | values dropped without a grace period |
//! | a child works with a map though other threads held its locks at the fork | `map_fork` | locks that outlive a fork |
//! | a reloaded configuration is never half a file, and several files are of one moment | `urcu-reload`: suites `torn` (random writers in every way), `writers` | a version that is not whole |
//! | a writer of a configuration may be killed anywhere | `urcu-reload`: suite `torn`, with SIGKILL | a cut version accepted; a repair not noticed |
//! | no way of changing a configuration file goes unnoticed | `urcu-reload`: suites `ways` (in place, renames, links, directories, overflow of the queue, mounts), `limits` | old content that stays in force |
//! | a bad file changes nothing but the error, which is told once, with its line | `urcu-reload`: suite `errors`, in three formats | a wrong line, column or key; a second report; a lost version |
//! | a reload's hooks run under no lock: they may panic, reload, wait or stop; a forked child reads on and reloads | `urcu-reload`: suite `hooks` | a hang; a hook left out, or out of order |
//! | the face of crossbeam-epoch has every public item of version 0.9.21, and two more | `.ci/crossbeam`: `items` compares rustdoc's JSON | a missing, changed or additional item |
//! | programs on crossbeam-epoch run on the face | `.ci/crossbeam`: the published suites of crossbeam-deque, crossbeam-skiplist and rayon-core, unmodified, with and without `rseq=0`; `dependents`: moka, congee, rayon | a failing test; a build that does not use the face |
//! | these programs use no freed memory on the face, and leak nothing | `.ci/sanitizers`: crossbeam-skiplist's suite under AddressSanitizer and LeakSanitizer | a face that defers nothing; leaks |
//! | the face's guards nest, outlive handles and collectors, work while thread-local data dies, repin and flush | its suite `guards` | a deferred call made at once; a section that ends with any guard; a flush that takes no steps |
//! | the face's `pin` is a fence | its test `pin_is_a_fence` | the fence left out, in 2 of 5 release runs |
//! | the face collects a quiet program's garbage; its memory is bounded while another thread is pinned; a thread that blocks itself is not held up | its tests `a_quiet_program_is_collected_without_another_call`, `memory::*` | a hang (deadline); more than 60,000 pending calls |
//! | a section whose guard was given up stays open until its guard is made again | suite `sections::a_section_without_its_guard_is_open_*` | a section that ends with its guard |
//! | every library keeps to its layers | `urcu-host`: `layers`, which turns every arrow between rooms around | one import that runs back up; a circle of files |
//! | no source escapes the mutants and the audit of orderings | `loom-tests/src/mutations/files.rs` walks `urcu/src` | a file that nobody looks at |
//! | test support refuses what it says, and nothing else | unit tests of `urcu-host` | a filter that looks at another argument; a trap that does not let its own call through |
//! | a build with `--cfg rseq_ops_portable` has no sequences | suite `in_force` | a build script that ignores the cfg |
//! | results of guests are read as they are | unit tests of `urcu-ci` | a failed run, a lost line, a missing abort in a good guest's output |
//! | values without a size are dropped once, give all memory back, are counted with all bytes | `urcu-percpu`: `suite/cells/without_size.rs`; `allocations.rs`; `ui/fail/box_of_*`, `longer_lifetime_of_an_object`, `snapshot_without_a_size` | the outer block leaked; an exchange that does not compare; variance |
//! | a snapshot behind a pointer is of one version and of living memory | `urcu-percpu`: `suite/cells/snapshots_of_parts.rs`; `suite/torture.rs` (`SnapshotBehind`, with the wrong barrier too); rseq-ops `sequences::copy`, `arch::tests::area`; model `snapshots_behind_a_second_pointer`, mutants "snapshots go on with / behind a second pointer"; torture `snapshots`, `delay-injection`; `ui/fail/part_behind_*` | a sequence that goes on after an interrupt; `Arc`, `Option`, unsized and two pointers |
//! | a raw link of a domain takes its guards alone | `urcu-percpu`: `suite/cells/domains.rs`; `ui/fail/raw_link_*` | another domain's guard, an untyped one, a link whose domain is forgotten |
//! | links under fuzzing | `urcu/fuzz/src/links.rs` | freed at once by `Unlinked` or `retire_shared` |
//! | a slot of a bucket is used again after a grace period alone, and a pair that is found does not change in its section | models `a_slot_waits_for_its_readers`, `a_slot_is_left_alone`, `a_pair_goes_to_the_list`, `a_pair_of_the_list_is_replaced` (the shipped `pairs.rs`), `a_slot_that_is_filled_again`, `a_pair_that_moves_to_the_list` (the sequence) ; `map_restartable`, `sequences/lookup_inline.rs` | a slot filled at once, emptied without a stamp, a stamp of a grace period that has begun, the list before the header, a relaxed header, a plain barrier, a pair of the list freed at once |
//! | two writers that put a pair with one key: each replaces what it says, none is lost | models `two_put_a_pair_that_is_missing`, `two_put_a_pair_that_is_there` | no look under the lock |
//! | a map of pairs grows although all its slots wait | `a_map_grows_although_all_slots_wait_for_a_reader` | no growth from lists |
//! | a child finds a pair once whose writer was lost in the fork | models `who_moves_a_pair_to_the_list_is_lost` etc. | `mend` left out |
//! | a list answers as a vector does, in both directions | `list_basics` (random histories, cursors, positions that are gone, other lists and domains) | lost links, a count that is wrong, a removed element that is not refused, foreign positions and guards |
//! | a walk meets what stays once and in order, from both ends, whatever comes, goes and moves | unit tests `list::tests`: walks interrupted at every load, and changes at every store, by random steps of the others; stress in `list_walks`; models of `lists` | homes stored too early or taken back too late, ends that are not looked at again, removed nodes that lose their links, moves that take the same node |
//! | an element is inserted, removed and moved by one store | `at_each_moment_both_directions_see_a_change_or_neither_does` | any other order of the stores |
//! | values of a list are dropped once, after the sections that may see them | `list_drops` (poisoned memory, bombs) | freed at once; leaked after a panic |
//! | a child goes on with a list, or queue, that others were changing | `list_fork`, `wfcqueues`, unit tests `list::links::tests` and `wfcqueue::tests` for each store in the middle | no repair, locks and consumers that outlive a fork, batches and tails with a gap |
//! | a `WfcQueue` is linearizable, and exactly one is told that it was empty | `writers_histories`; a consumer that sleeps in `wfcqueues`; models | an answer that is always true; an exchange whose failure is ignored |
//! | the example programs give right answers | `tests/examples.rs` | (their own checks: stale, foreign or mixed answers; books that do not balance) |
//! | no value of a queue, stack or list is lost, doubled or torn, and no node is freed while a section may see it | models `a_queue_*`, `two_consumers_leave_a_segment`, `a_consumer_follows_another`, `a_new_segment_is_whole`, `the_length_of_a_queue`, `a_stack_hands_values_over`, `all_of_a_stack_is_taken*`, `a_walk_meets_*`, `two_change_a_list`, `a_consumer_meets_enqueues`, `all_is_taken_beside_an_enqueue`, `two_enqueue`; torture `queues`, `list`, `wfc-queue` | 45 mutants; `--break value-pushed-twice`, `element-freed-early`, `post-moved`, `value-enqueued-twice`, `value-lost` |
//! | values come out of a queue once, however long consumers poll it | unit tests `queue::tests::popping_from_a_segment_that_is_used_up_counts_no_further`, `the_length_is_right_when_the_numbers_of_slots_wrap_around` | a number that each poll increments; lengths without wrapping |
//! | a child's values do not go where only a lost consumer would look | `queue::tests::a_child_pushes_nothing_that_only_a_lost_consumer_would_pop` | a push to a segment of the parent |
//! | a refused pipe keeps its writer waiting | `urcu-reload`: `errors::a_pipe_is_refused_without_being_opened` | a pipe that is opened first |
//! | a consumer that polls an empty queue allocates nothing | `queue::tests::popping_from_an_empty_queue_claims_no_slot` | a number of claimed slots that is too high |
//! | a reader of an ordered map meets each key that stays exactly once, in order; no change of a leaf, or split of it, is lost; what is replaced is freed once | 22 models of the tree (`a_reader_meets_a_new_leaf`, `a_reader_walks_while_a_leaf_is_split`, `two_change_a_leaf`, `a_leaf_is_split_*`, `parents_are_joined_beside_a_new_leaf`, `a_tree_of_leaves_is_cleared`, ...); suites `ordered`, `ordered_hostile`; torture `ordered-map` | 33 mutants: each check and each ordering; `--break leaf-freed-early` |
//! | what many threads observe of an ordered map is linearizable (get, insert, get_or_insert_with, update, remove, pops, first, last, clear) | `ordered_hostile::histories_of_an_ordered_map_are_linearizable` | a leaf changed without the check of the child, the entry, or the mark |
//! | comparisons that lie to many threads at once do no harm; entries without a size end once, wide ones are aligned | `ordered_hostile` | a separator replaced in place; an entry that is not retired |
//! | an ordered map may be used by the allocator: nothing is allocated under its locks | `urcu-collections`: `tests/allocator.rs` | an allocation under either lock |
//! | writers that join the same parents do not wait for each other; `clear` waits for writers below every parent | models `two_parents_are_joined_from_both_sides`, `a_tree_of_parents_is_cleared` | locks in any order; a parent that `clear` does not wait for |
//! | keys that separate nodes are alive as long as a search may read them, even if comparisons lie | `every_separator_is_an_entry_behind_it_even_if_comparisons_lie`; model `a_reader_meets_a_separator_that_goes` | separators not renewed, or replaced in place |
//! | a forked child goes on with an ordered map that lost threads were changing | models `who_{replaces_a_leaf,replaces_an_entry,splits_a_leaf}_is_lost`, `who_splits_a_leaf_is_lost_during_an_update`; `a_child_takes_over_the_locks_of_lost_threads`; suite `ordered::a_child_goes_on_with_a_map_that_others_were_changing` | a lock that outlives a fork; a parent marked after it was replaced |
//! | an untouched key of a hash map is always found while tables change; of two writers of a key one wins | models `a_bucket_*`, `an_overflow_bucket_loses_an_entry`, `an_untouched_key_is_always_found`, `a_key_is_*`, `an_entry_goes_after_it_was_moved`, `two_insert_a_key`, `two_replace_a_key`, `two_change_a_bucket`, `two_move_a_table`; torture `hash-map` (by guards, by `get_copied` with delays inside, iteration) | 35 mutants; `--break entry-freed-early`, `--break plain-barrier-lookups` |
//! | a child goes on with collections that a lost thread was changing | models `who_moves_to_a_{larger,smaller}_table_is_lost*`, `who_changes_a_key_is_lost`, `a_producer_is_lost`, `who_changes_a_list_is_lost`, `who_enqueues_is_lost`: lost after each single store | first bucket marked first, buckets not cleared, locks that outlive a fork, a lock taken over in the middle, a tail that lags, a list not repaired |
//! | collections answer as the standard ones | fuzzing `collections` (300 programs, 0.3 s in `.ci/test`) | removal that does not empty its slot |
//! | borrows, `Send`, `Sync`, variance | `urcu/collections/src/refused.rs`: programs that must not compile, each beside one that does | |
//! | workers call in order, after a grace period, on their CPU, with the program's signal mask; freed ones lose nothing; forks at any moment | `urcu/capi/tests/c/workers.c` | 14 of 14 faults put in: order reversed, no grace period, rest dropped, no fork handler, no affinity, a wake-up left out, RT workers that are woken (seccomp), mask kept, budget ignored, barrier without markers, ... |
//! | a signal handler at each instruction of a section (read, nest, begin a grace period, fork) does no harm, inlined and by the functions | `tests/c/steps.c` with breakpoints inside the sequences (release builds for the functions: `cargo test --release -p urcu-capi`) | word cleared after the end, not put back, stored without a commit, not looked at |
//! | liburcu's own tests pass on this flavour | `.ci/liburcu` (37 runs, list in `urcu/capi/tests/liburcu.list`) | without read_lock: assertions of test_urcu, crash of the hash table, stale reads in urcutorture (which itself says "ok") |
//! | the C face's functions hold under torture: nested sections, handlers, workers that come and go | `rcu-torture --scenario c-face` | control `nesting-lost`, its placebo passes |
//! | the header compiles alone as C11 and C++17, gcc, clang, and both for AArch64 | `tests/suite/symbols.rs` | |
//! | each exported name and each macro has one entry in the reference | `tests/suite/symbols.rs` | missing or doubled entries |
//! | figures are of what they say | `subjects::tests`, `structures::*::tests`, `children`: every subject, map and queue has what was stored last, on this thread and on another; every timed loop checks its sum | a subject that reads something else, a map that misses |
//! | published figures are those of a kept run | `benches/tests/published.rs` | a number changed by hand; a plot of a run that is gone |
//! | the page can be read on a phone and in the dark | `.ci/page` | a table wider than the window, text as dark as its paper, anything fetched, anything on the console |
//! | one barrier a grace period, an interrupt for each other CPU of the process | `counts --check` in x86-64 guests | a second barrier |
//! | whoever stays pinned with the face is named | `compat/crossbeam-epoch/tests/stalls.rs`, `stalls::reports` | a report without the thread's name, number or place |
//! | a guard of the face from before a fork is one again once it is pinned again | `guards.rs`: `a_guard_from_before_a_fork_...` | the child's garbage running under it |
//! | published packages build from their tarballs, with licences; `urcu-percpu` and `rseq-ops` depend on `libc` alone; each set of features compiles; nothing in the public interface changes unnoticed | `.ci/packages` | a missing licence file, another item |
//! | each example says at its end that nothing was wrong, and is in the gallery | `urcu-ci -- gallery` | another last line, an example the page does not name |
//! | what is published compiles with Rust 1.93, and the unit tests of `rseq-ops` and `urcu` pass | `urcu-ci oldest`, with that compiler; clippy's `incompatible_msrv` | a newer item of std, a newer feature of the language |
//! | sources stay readable: no file past 530 lines, no `SAFETY:` that only points elsewhere, no public summary that begins with a question, none of the words that the field has better ones for, a README of 120 lines | `urcu-host`: `sources` | each of these |
//! | a C program uses liburcu's lists, and is linked shared, with the archive, and with its libc | `urcu-capi`: `programs::liburcus_lists_need_no_library_of_liburcu`, `installed` | the switch left out of the header; `-lgcc_s` in the pkg-config file |
//! | a wrong file costs no memory, and errors name the file at fault | `urcu-reload`: `suite/errors.rs` | a limit that is not looked at; a list that replaces all keys; no path for an empty directory; options ignored |
//! | what a Markdown page links to is there, and no name is taken for a tag | `urcu-host`: `pages` | a tag-like name; a missing file |
//! | programs on papaya move by changing the import | `.ci/papaya`: papaya's published tests and examples under its name, with and without `rseq=0`; all names (`urcu-ci papaya`) | a test that fails or is not there; a name or an implementation of a trait that is missing; a change or an omission that finds nothing |
//! | collections work wherever the library does | `.ci/environments`, `.ci/i686`: the suite with threads registered by this library, with membarrier refused, on 32-bit x86 | |
//! | what Miri compiles compiles, without warnings | `.ci/environments` | imports of what is not there for Miri |
//! | a report blames no section that is not waited for, and is short | `urcu-percpu`: suites `stalls::reports`, `held_up` | a younger section blamed; all places in one list; all of them shown |
//! | the examples of the page for those who come from papaya and dashmap give the same answers in both maps | `urcu-collections`: suite `coming_from` | a method that answers otherwise |
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
//! * **Unloading.** A shared object with this library inside stays loaded by itself under glibc: the
//!   kernel may look at a sequence's descriptor after the sequence is over. Elsewhere link it with
//!   `-z nodelete`.
//! * **Asynchronous cancellation.** `pthread_cancel` with `PTHREAD_CANCEL_ASYNCHRONOUS`, and anything
//!   else that ends a thread between two instructions (`TerminateThread`), may leave a section open
//!   for ever, as it leaves locks, or end the process: Rust does not unwind from everywhere.
//! * **Whoever writes the words that belong to the kernel.** A library that changes `cpu_id`,
//!   `cpu_id_start` or `mm_cid` of `struct rseq`, or leaves its own descriptor armed, breaks this one.
//!   So does a signal handler of the program's that itself *registers* a thread which had no
//!   registration, in the middle of one of its sequences. (A thread whose registration somebody *ends* is
//!   safe.)
//! * **Time.** How long a grace period takes is up to the readers and to the scheduler. One that
//!   takes long is reported ([`stall`](crate::stall)).
//! * **An end to what waits, while a section does not end.** Past its budget a domain takes one more
//!   from each thread that retires, each time that this one has waited for its patience, and from
//!   callbacks without a wait ([`Budget`](crate::Budget)). [`Domain::try_call`](crate::Domain::try_call)
//!   refuses.
//! * **A callback that forks and returns in the child.** The child's one thread then ends as a thread of the
//!   standard library does, whose lock another thread of the parent may have held: it may hang there instead.
//!   End such a child in the callback.
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
//! The suites under AddressSanitizer and, without the tests that fork, under ThreadSanitizer (which does
//! without sequences): no reports.
