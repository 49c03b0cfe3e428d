//! Grace periods: the per-CPU reader counters, and the algorithm that waits for them.
//!
//! This page is the whole proof. The code names each ordering by its letter; the models
//! (`loom-tests`) hold every letter by a mutant that takes it away.
//!
//! # State
//! A domain has two *phases*. The phase word is the address of the current phase's counter in slot 0.
//! Each CPU has a slot, and in it for each phase a `net` counter, which restartable sequences write with
//! plain stores, and a `shared` one, which anybody writes with atomic additions.
//!
//! A section adds 1 to one counter of the current phase when it begins, and subtracts 1 from *any* counter
//! of that same phase when it ends, wherever the guard is by then: on another CPU, on a thread without
//! rseq, in a destructor. One counter by itself means nothing; the **sum** over all counters of a phase is the
//! number of its open sections.
//!
//! # The grace period
//! One leader at a time ([`sequence`]) goes through these steps ([`grace_period`]):
//! 1. *Flip* the phase word to the other phase, which is empty.
//! 2. *Restart* all sequences in flight, by one barrier on all CPUs ([`barrier`]).
//! 3. *Drain*: sum the old phase's counters until the sum is 0 ([`scan`]); spin, then sleep.
//! 4. *End*: settle the counters to 0, let the [`observer`] seal what the old phase collected, and release
//!    whoever waits.
//!
//! Every other per-CPU RCU (SRCU in the Linux kernel, the liburcu per-CPU prototype of 2016-17, libside)
//! needs two flips, because a reader may load the phase, stall, and count itself late in the old one. Here
//! loading and counting are one restartable sequence, so one flip and one system call are enough.
//!
//! # Letters
//! | | where | pairs with | obligation |
//! |---|---|---|---|
//! | A | `flip` stores the phase (release) | B | a new reader sees what the updater did before |
//! | B | `enter` loads the phase (acquire) | A | |
//! | C | the restart after the flip | the sequences, H | the old phase's beginnings are final |
//! | D | `exit` subtracts (release) | E | a section's accesses are over |
//! | E | the sum's loads (acquire) | D | |
//! | F | fence between setting `waiter` and the last sum | G | no lost wake-up |
//! | G | fence between a late end and the load of `waiter` | F | |
//! | H | fence between an atomic begin and the second load of the phase | C | Dekker |
//! | J | `snap` reads `begun` by a read-modify-write (release) | K | a grace period that begins later sees what its callers did |
//! | K | `begin` adds to `begun` (acquire) | J | |
//! | L | `finish` stores `done` (release) | M | whoever returns sees what the grace period did |
//! | M | loads of `done` (acquire) | L | |
//! | N | fence between counting a sleeper and its last look | O | no lost wake-up |
//! | O | fence between the leader's last store and the look at the sleepers | N | |
//! | P | `double` counts (release) after it has added | Q | a doubled section is not missed |
//! | Q | the count is loaded (acquire) before the scan, and again after it | P | |
//!
//! # Why it is right
//! 1. **The old phase's beginnings are final after flip and restart.** A sequence that loaded the old phase
//!    either commits before the barrier interrupts its CPU, and the sum sees its addition; or the barrier
//!    comes first, and the sequence starts over and loads the new phase (C).
//! 2. **New readers see the new world.** Whoever loads the flipped phase word (B) sees all that the updater
//!    did before the flip (A).
//! 3. **Old readers are over when the sum is 0.** From the restart on, sections of the old phase only end
//!    (a reader that lost the race with atomics takes its addition back, on the same counter), so each
//!    counter only falls. Each is read at some moment, and is then at least its final value; so the sum
//!    read is at least the number of open sections, which is at least 0. If it is 0, every counter was read
//!    at its last value, and each section's end (D) is visible (E).
//! 4. **The other phase is empty at the flip.** Grace periods come one after the other, and each drains its
//!    own old phase before it ends. One that was cut short is finished by the next leader.
//! 5. **No wake-up is lost.** If a late end's subtraction comes before the writer's last sum, the writer does
//!    not sleep; if the writer's mark comes before the end's look, the end wakes it (F, G). The same holds
//!    between a leader and those who wait for it (N, O). Ends compare the phase inside their sequence, so
//!    after C every end of the old phase is one that looks.
//! 6. **Readers by atomics** add, fence (H), and load the phase again. If their addition comes before the
//!    writer's barrier (C), its sum sees it; else they see the flip, undo, and begin again. On x86 the locked
//!    addition is the fence, and a locked subtraction is G.
//! 7. **Joining.** A caller shares only a grace period whose flip comes after its own unpublishing stores:
//!    `snap` names the next one that has not begun (J, K).
//! 8. **Callbacks** are appended by sequences that go through the phase word, so flip and restart take their
//!    chunks from all CPUs. What was unlinked just before may become visible with that restart alone, so a
//!    chunk that grace period n seals waits for grace period n + 1.
//! 9. **Doubled sections.** `double` begins a section in the phase of one that is open, although that may be
//!    the old phase: then a counter rises after the flip, and 3 does not hold as it stands. So such beginnings
//!    are counted, for each phase. The section is added first, then it is counted (P), and both come before the
//!    end of the section that was doubled (D). The scan loads the count before (Q) and after. If it has
//!    changed, the scan answers "open": a section was open meanwhile, and if the writer sleeps over that, this
//!    section's end comes after the mark, and wakes it, as in 5: an end whose look (G) comes before the mark
//!    (F) was counted before the scan began. If the count has not changed: of every section whose end the scan
//!    saw (E), all that were doubled from it were counted before the load after the scan, so before the load
//!    before it, so the scan saw them begin. The sum is then the number of sections whose beginning was seen
//!    and whose end was not. If it is 0, none is open: the first of each line began before the flip and was
//!    seen to end, and so, one after the other, were all that were doubled from it. Sections that are doubled
//!    in the new phase hold no scan up: theirs is the other count.

pub(crate) mod barrier;
pub(crate) mod grace_period;
pub(crate) mod observer;
pub(crate) mod readers;
mod scan;
pub(crate) mod sequence;
mod snapshots;
