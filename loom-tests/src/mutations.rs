//! What is broken, one at a time, to show that the models would notice.

use crate::machine::Fault;

/// One thing broken.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The letter or the number of what it breaks.
    pub letter: &'static str,
    /// What is broken.
    pub name: &'static str,
    /// The model that must fail.
    pub model: &'static str,
    /// How.
    pub change: Change,
}

/// How something is broken.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// A promise of the emulated kernel.
    Kernel(Fault),
    /// The shipped sources.
    Source(&'static [Edit]),
}

/// In `file`, what stands between the angle quotes becomes `to`. The whole text occurs once, so
/// that no mutant outlives the code it breaks.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The name of the file.
    pub file: &'static str,
    /// A statement, an expression or nothing, in angle quotes, and enough around it.
    pub text: &'static str,
    /// What it becomes.
    pub to: &'static str,
}

/// The sources that are mutated.
pub const FILES: &[&str] = &[READERS, GRACE_PERIOD, ROUNDS, SEALING, BANKS, LOCK, STACK];
const READERS: &str = "readers.rs";
const GRACE_PERIOD: &str = "grace_period.rs";
const ROUNDS: &str = "rounds.rs";
const SEALING: &str = "callbacks/sealing.rs";
// Names are paths from `urcu/src`.
const BANKS: &str = "../../rseq-ops/src/percpu/banks.rs";
const LOCK: &str = "../../rseq-ops/src/percpu/lock.rs";
const STACK: &str = "../../rseq-ops/src/percpu/stack.rs";

const fn kernel(
    letter: &'static str,
    name: &'static str,
    model: &'static str,
    fault: Fault,
) -> Mutant {
    Mutant {
        letter,
        name,
        model,
        change: Change::Kernel(fault),
    }
}

macro_rules! source {
    ($letter:literal, $name:literal, $model:literal, $($file:ident: $text:literal => $to:literal),+) => {
        Mutant {
            letter: $letter,
            name: $name,
            model: $model,
            change: Change::Source(&[$(Edit { file: $file, text: $text, to: $to }),+]),
        }
    };
}

/// All mutants.
#[rustfmt::skip]
pub const MUTANTS: &[Mutant] = &[
    kernel("C", "kernel: no barrier", "the_barrier_replaces_the_readers_fence", Fault::NoBarrier),
    kernel("C", "kernel: a barrier that restarts nothing", "two_sections_two_updates", Fault::PlainBarrier),
    kernel("C, 1", "kernel: the sequence that begins a section goes on", "two_sections_two_updates", Fault::BeginGoesOn),
    kernel("C", "kernel: snapshots go on", "snapshots", Fault::SnapshotGoesOn),
    kernel("B", "kernel: relaxed in sequences", "new_sections_see_the_new_world", Fault::RelaxedPeriod),
    kernel("D", "kernel: relaxed in sequences", "a_bystander_sees_that_it_is_over", Fault::RelaxedExit),
    kernel("C, 5", "kernel: ends do not compare the period", "a_late_end_wakes_the_writer", Fault::ExitDoesNotCompare),
    kernel("E", "kernel: one slot too few", "two_late_ends_wake_the_writer", Fault::OneSlotTooFew),
    kernel("5", "kernel: a wake-up gets lost", "a_late_end_wakes_the_writer", Fault::NoWake),
    kernel("fork", "kernel: a child gets its parent's counters", "a_child_counts_anew", Fault::SlotsAgain),

    source!("A", "relaxed", "new_sections_see_the_new_world",
        READERS: ".store(old ^ machine::PERIOD_BIT, «Ordering::Release»)" => "Ordering::Relaxed"),
    source!("B", "relaxed in the atomic begin", "atomics_only",
        READERS: "if self.period.load(«Ordering::Acquire») == word" => "Ordering::Relaxed"),
    source!("C", "dropped", "two_sections_two_updates",
        GRACE_PERIOD: "watch.restarted(«machine::restart_sequences()»);" => "false"),
    source!("C", "before the flip", "two_sections_two_updates",
        GRACE_PERIOD: "watch.restarted(«machine::restart_sequences()»);" => "false",
        GRACE_PERIOD: "«»old = self.readers.flip()? | RESTART_DUE;" => "machine::restart_sequences();"),
    source!("C", "forgotten by the leader that takes over", "a_barrier_refused_while_sections_begin",
        GRACE_PERIOD: "«self.old.store(old, Ordering::Relaxed);»\n        }\n        if old & RESTART_DUE" => "self.old.store(old & !RESTART_DUE, Ordering::Relaxed);"),
    source!("D", "relaxed in the atomic end", "a_bystander_of_atomics_sees_that_it_is_over",
        READERS: "machine::shared(word, machine::stripe()).fetch_sub(1, «Ordering::Release»)" => "Ordering::Relaxed"),
    source!("E", "relaxed for sequences", "a_bystander_sees_that_it_is_over",
        READERS: "machine::net(old, slot).load(«Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("E", "relaxed for atomics", "a_bystander_of_atomics_sees_that_it_is_over",
        READERS: "machine::shared(old, slot).load(«Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("E", "atomics not summed", "begun_one_way_ended_another",
        READERS: "+ «machine::shared(old, slot).load(Ordering::Acquire)»" => "0"),
    source!("F", "dropped", "a_late_end_wakes_the_writer",
        READERS: "// F: pairs with G.\n        «fence(Ordering::SeqCst);»" => ""),
    source!("G", "dropped", "a_late_end_wakes_the_writer",
        READERS: "sees the subtraction.\n        «fence(Ordering::SeqCst);»" => ""),
    source!("H", "dropped", "atomics_only",
        READERS: "on AArch64.\n            «fence(Ordering::SeqCst);»" => ""),
    source!("H", "no second look at the period", "atomics_only",
        READERS: "if «self.period.load(Ordering::Acquire) == word» {\n                return Some(found)" => "true"),
    source!("5, 6", "an addition taken back does not wake", "an_aborted_begin_by_atomics_wakes_the_writer",
        READERS: "counter.fetch_sub(1, Ordering::Release);\n            «self.wake();»" => ""),
    source!("5", "a late end by a sequence does not wake", "a_late_end_wakes_the_writer",
        READERS: "(Outcome::Committed, false) => return «self.wake()»," => "()"),
    source!("5", "a late end by atomics does not wake", "begun_one_way_ended_another",
        READERS: "fetch_sub(1, Ordering::Release);\n        «self.wake();»" => ""),
    source!("5", "no sum before sleeping", "a_late_end_wakes_the_writer",
        READERS: "let open = «self.any_open(old)»;" => "true"),
    source!("5", "the waker leaves the mark", "a_late_end_wakes_the_writer",
        READERS: "match «self.waiter.swap(0, Ordering::Relaxed)» {" => "self.waiter.load(Ordering::Relaxed)"),
    source!("5", "woken before the mark is taken away", "a_late_end_wakes_the_writer",
        READERS: "match «self.waiter.swap(0, Ordering::Relaxed)» {" => "{ machine::futex_wake(&self.waiter, 1); self.waiter.swap(0, Ordering::Relaxed); 0 }"),
    source!("5", "the leader is not woken", "a_late_end_wakes_the_writer",
        READERS: "LEADER => «machine::futex_wake(&self.waiter, 1)»," => "()"),
    source!("5", "the worker is not poked", "a_late_end_pokes_the_worker",
        READERS: "WORKER => «machine::poke_worker()»," => "()"),
    source!("5", "the worker sets the leader's mark", "a_late_end_pokes_the_worker",
        READERS: "self.mark_while_open(old, «WORKER»)" => "LEADER"),
    source!("4", "settling loses the sum", "begun_one_way_ended_another",
        READERS: "«left += value;»" => ""),
    source!("set-up", "the handle published relaxed", "two_threads_set_up",
        READERS: "self.cs.store(handle.cs, «Ordering::Release»)" => "Ordering::Relaxed"),
    source!("set-up", "the handle loaded relaxed", "two_threads_set_up",
        READERS: "let cs = self.cs.load(«Ordering::Acquire»);\n        if cs == 0 {\n            return None;" => "Ordering::Relaxed"),
    source!("set-up", "the last one wins", "two_threads_set_up",
        READERS: ".compare_exchange(«0», base," => "self.period.load(Ordering::Relaxed)"),
    source!("fork", "the parent's tokens are of now", "a_child_counts_anew",
        READERS: "«(self.period.load(Ordering::Relaxed) ^ token.word) & !machine::PERIOD_BIT == 0»" => "true"),

    source!("3", "not drained", "a_late_end_wakes_the_writer",
        GRACE_PERIOD: "let Some(old) = self.begin(lead, watch) {\n                «self.drain(old, watch);»" => ""),
    source!("3", "drained before C", "two_sections_two_updates",
        GRACE_PERIOD: "let Some(old) = self.begin(lead, watch) {\n                «self.drain(old, watch);»" => "",
        GRACE_PERIOD: "«»watch.restarted(" => "self.drain(old & !RESTART_DUE, watch);"),
    source!("4", "settled before drained", "a_late_end_wakes_the_writer",
        GRACE_PERIOD: "let Some(old) = self.begin(lead, watch) {\n                «self.drain(old, watch);»" => "self.readers.settle(old); self.drain(old, watch);"),
    source!("4", "flipped twice when a leader takes over", "a_caller_takes_over_from_the_worker",
        GRACE_PERIOD: "if «old == 0» {" => "true"),
    source!("4", "a grace period cut short is forgotten", "a_grace_period_cut_short",
        GRACE_PERIOD: "«self.old.store(old, Ordering::Relaxed);»\n        }\n        if old & RESTART_DUE" => ""),
    source!("4", "the next grace period does not flip", "a_grace_period_cut_short",
        GRACE_PERIOD: "«self.old.store(0, Ordering::Relaxed);»" => ""),
    source!("7", "a round begins after its flip", "two_updaters",
        GRACE_PERIOD: "«lead.begin();»" => "",
        GRACE_PERIOD: "old = self.readers.flip()? | RESTART_DUE;«»" => "lead.begin();"),
    source!("3, 7", "done before drained", "two_updaters",
        GRACE_PERIOD: "let Some(old) = self.begin(lead, watch) {\n                «self.drain(old, watch);»" => "lead.finish(); self.drain(old, watch);"),
    source!("3", "the worker's turn does not sum", "a_late_end_pokes_the_worker",
        GRACE_PERIOD: "if «!self.is_drained_soon(old)» && self.readers.poke" => "false"),
    source!("5", "the worker's turn sets no mark", "a_late_end_pokes_the_worker",
        GRACE_PERIOD: "&& «self.readers.poke_worker_while_open(old)» =>" => "true"),
    source!("5", "the worker does not look whether its mark stands", "two_pollers",
        GRACE_PERIOD: "if «self.readers.will_poke_worker()» {" => "true"),
    source!("5", "the worker does not watch who leads", "a_caller_takes_over_from_the_worker",
        GRACE_PERIOD: "if «self.rounds.watch()» {" => "true"),
    source!("5", "the worker gives up the lead as others do", "a_turn_in_vain_is_quiet",
        GRACE_PERIOD: "«lead.leave();»" => "self.rounds.watch(); drop(lead);"),

    source!("J", "a plain load", "two_callers",
        ROUNDS: "«self.begun.fetch_add(0, Ordering::Release)» + 1" => "self.begun.load(Ordering::Acquire)"),
    source!("J", "relaxed", "two_callers",
        ROUNDS: "self.begun.fetch_add(0, «Ordering::Release») + 1" => "Ordering::Relaxed"),
    source!("J", "a round that has begun is joined", "who_joins_after_the_flip_waits_for_the_next",
        ROUNDS: "«self.begun.fetch_add(0, Ordering::Release) + 1»" => "self.begun.fetch_add(0, Ordering::Release).max(1)"),
    source!("J", "only every other round is joined", "two_callers",
        ROUNDS: "«self.begun.fetch_add(0, Ordering::Release) + 1»" => "self.begun.fetch_add(0, Ordering::Release) | 1"),
    source!("K", "relaxed", "two_callers",
        ROUNDS: "rounds.begun.fetch_add(1, «Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("K", "begun again after a leader gave up", "a_leader_gives_up",
        ROUNDS: "if «rounds.begun.load(Ordering::Relaxed) == rounds.done.load(Ordering::Relaxed)» {" => "true"),
    source!("L", "relaxed", "a_bystander_sees_that_it_is_over",
        ROUNDS: ".compare_exchange(before, round, «Ordering::Release», Ordering::Relaxed)" => "Ordering::Relaxed"),
    source!("M", "relaxed for those who wait", "a_bystander_sees_that_it_is_over",
        ROUNDS: "self.done.load(«Ordering::Acquire») >= round" => "Ordering::Relaxed"),
    source!("M", "relaxed for the worker", "a_bystander_of_atomics_sees_that_it_is_over",
        ROUNDS: "self.done.load(«Ordering::Acquire»)\n    }" => "Ordering::Relaxed"),
    source!("4", "the lead taken relaxed", "two_callers",
        ROUNDS: ".compare_exchange(0, 1, «Ordering::Acquire», Ordering::Relaxed)" => "Ordering::Relaxed"),
    source!("4", "the lead given up relaxed", "two_callers",
        ROUNDS: "self.led.store(0, «Ordering::Release»)" => "Ordering::Relaxed"),
    source!("4", "two lead", "two_callers",
        ROUNDS: "«free.is_ok()».then" => "true"),
    source!("N", "dropped", "followers_wake_up",
        ROUNDS: "or we find what it did.\n        «fence(Ordering::SeqCst);»" => ""),
    source!("N", "no second look at the round", "followers_of_a_round_that_another_follows",
        ROUNDS: "if «!self.is_done(round)» && self.led" => "true"),
    source!("N", "no look at the lead", "followers_wake_up",
        ROUNDS: "&& «self.led.load(Ordering::Relaxed) != 0» {" => "true"),
    source!("N", "counted after the look", "followers_wake_up",
        ROUNDS: "«sleepers.fetch_add(1, Ordering::Relaxed);»" => "",
        ROUNDS: "«»if !self.is_done(round) && self.led" => "sleepers.fetch_add(1, Ordering::Relaxed);"),
    source!("N", "the turn is read after the look", "followers_wake_up",
        ROUNDS: "futex_wait(turns, «turn»," => "turns.load(Ordering::Relaxed)"),
    source!("O", "dropped", "followers_wake_up",
        ROUNDS: "// O\n        «fence(Ordering::SeqCst);»" => ""),
    source!("O", "nobody is woken to lead", "followers_wake_up",
        ROUNDS: "«self.wake(parity ^ 1, 1);»" => ""),
    source!("O", "nobody whose round is done is woken", "all_followers_wake_up",
        ROUNDS: "«self.wake(parity, i32::MAX);»" => ""),
    source!("O", "one whose round is done is woken", "all_followers_wake_up",
        ROUNDS: "self.wake(parity, «i32::MAX»);" => "1"),
    source!("O", "the turn stays", "followers_wake_up",
        ROUNDS: "«self.turns[parity].fetch_add(2, Ordering::Release);»" => ""),
    source!("5", "one lead over several rounds", "one_leader_two_grace_periods",
        ROUNDS: "«work(&lead)»,\n                Some(_)" => "while !self.is_done(round) { work(&lead) }"),
    source!("5", "a panic after the sleep", "who_is_woken_to_lead_panics",
        ROUNDS: "«watch.follow();»" => "",
        ROUNDS: "sleepers.fetch_sub(1, Ordering::Relaxed);«»" => "watch.follow();"),
    source!("N", "dropped for the worker", "a_caller_takes_over_from_the_worker",
        ROUNDS: "// N, for the worker.\n        «fence(Ordering::SeqCst);»" => ""),
    source!("O", "the worker is not told of a leader's end", "a_caller_takes_over_from_the_worker",
        ROUNDS: "if «rounds.watched.load(Ordering::Relaxed) != 0» {" => "false"),
    source!("5", "the worker that leaves does not watch", "a_leader_that_gives_up_tells_the_worker",
        ROUNDS: "«self.0.watched.store(1, Ordering::Relaxed);»\n        self.0.hand_over" => ""),
    source!("5", "told before the mark is taken away", "the_worker_hears_of_every_leader",
        ROUNDS: "«rounds.watched.store(0, Ordering::Relaxed);\n            machine::poke_worker();»" => "machine::poke_worker(); rounds.watched.store(0, Ordering::Relaxed);"),

    kernel("8", "kernel: the sequence that replaces a chunk goes on", "a_chunk_leaves_its_slot_once", Fault::ReplaceGoesOn),
    kernel("8", "kernel: the sequence that appends goes on", "what_a_flip_collects_waits_for_the_next", Fault::AppendGoesOn),
    source!("8", "run after the grace period that collects", "what_a_flip_collects_waits_for_the_next",
        SEALING: "«rounds.done() + 2»" => "rounds.done() + 1"),
    source!("8", "the chunk is left in its slot", "a_chunk_leaves_its_slot_once",
        SEALING: "«buffer.store(0, Ordering::Relaxed);»" => ""),
    source!("8, J", "the next to end, not to begin", "a_full_chunk_waits_for_the_next_to_begin",
        SEALING: "«periods.rounds.join()»" => "periods.rounds.done() + 1"),
    source!("8", "taken although it was not exchanged", "a_chunk_leaves_its_slot_once",
        SEALING: "(«replaced == Outcome::Committed»)" => "true"),

    kernel("stack", "kernel: an interrupted pop goes on", "a_preempted_pop_starts_over", Fault::PopGoesOn),
    kernel("stack", "kernel: an interrupted pop goes on if the head is the same", "a_preempted_pop_starts_over", Fault::PopComparesHead),
    kernel("stack", "kernel: an interrupted push goes on", "a_preempted_push_starts_over", Fault::PushGoesOn),
    kernel("stack", "kernel: a push commits before it writes the link", "a_preempted_push_starts_over", Fault::PushCommitsFirst),
    kernel("stack", "kernel: every CPU gets the same list", "two_threads_change_places", Fault::SameList),
    kernel("stack", "kernel: the bank relaxed in sequences", "all_is_taken_beside_its_owner", Fault::RelaxedBank),
    kernel("stack", "kernel: a barrier that restarts no push or pop", "all_is_taken_beside_its_owner", Fault::PlainBarrier),
    kernel("stack", "kernel: no barrier before all is taken", "all_is_taken_beside_its_owner", Fault::NoBarrier),
    source!("stack", "all is taken without a restart", "all_is_taken_beside_its_owner",
        BANKS: "if let Err(refused) = «machine::restart()»" => "Ok::<(), Refused>(())"),
    source!("stack", "restarted before the flip", "all_is_taken_beside_its_owner",
        BANKS: "if let Err(refused) = «machine::restart()»" => "Ok::<(), Refused>(())",
        BANKS: "«»self.current.store(new, Ordering::Release);" => "machine::restart()?;"),
    source!("stack", "no flip", "all_is_taken_beside_its_owner",
        BANKS: "«self.current.store(new, Ordering::Release);»" => ""),
    source!("stack", "the flip relaxed", "all_is_taken_beside_its_owner",
        BANKS: "self.current.store(new, «Ordering::Release»);" => "Ordering::Relaxed"),
    source!("stack", "two flip at once", "two_takers",
        BANKS: "let _locked = self.taker.lock();«»" => "drop(_locked);"),
    source!("stack", "what a refusal left is not taken", "what_is_refused_stays",
        BANKS: "if «self.refused.load(Ordering::Relaxed)» {" => "false"),
    source!("stack", "what a refusal left is taken from those who use it", "a_refusal_beside_pushes",
        BANKS: "«machine::restart()?;»" => ""),
    source!("stack", "a flip that was refused stays", "what_is_refused_stays",
        BANKS: "«self.current.store(old, Ordering::Release);»" => ""),
    source!("stack", "what was taken before a refusal is not put back", "what_is_refused_twice_stays",
        STACK: "«all.for_each(|node| self.push(node));»" => ""),
    source!("stack", "the bank is not emptied", "all_is_taken_beside_its_owner",
        STACK: "«slot.banks[bank].store(ptr::null_mut(), Ordering::Relaxed);»" => ""),
    source!("stack", "the bank in use is taken", "all_is_taken_beside_its_owner",
        STACK: "usize::from(«old != self.slots.base().addr()»)" => "old == self.slots.base().addr()"),
    source!("stack", "a push by atomics relaxed", "what_was_pushed_before_is_taken",
        STACK: "list.compare_exchange_weak(first, node, «Ordering::Release», Ordering::Relaxed)" => "Ordering::Relaxed"),
    source!("stack", "counted after it is pushed", "what_was_pushed_before_is_taken",
        STACK: "«self.shared.fetch_add(1, Ordering::Relaxed);»" => "",
        STACK: "Ok(_) => «return»," => "{ self.shared.fetch_add(1, Ordering::Relaxed); return }"),
    source!("stack", "the lists of atomics are not looked at", "with_sequences_and_without",
        STACK: "if «self.shared.load(Ordering::Relaxed) == 0» {\n            return None;" => "true"),
    source!("stack", "two pop by atomics at once", "two_without_sequences",
        STACK: "let _taker = slot.taker.try_lock()?;«»" => "drop(_taker);"),
    source!("stack", "a pop by atomics relaxed", "what_was_pushed_before_is_taken",
        STACK: "let mut seen = list.load(«Ordering::Acquire»);" => "Ordering::Relaxed"),
    source!("stack", "the second try of a pop by atomics relaxed", "what_was_pushed_before_is_taken",
        STACK: "list.compare_exchange(seen, next, Ordering::Acquire, «Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("stack", "taken relaxed", "what_was_pushed_before_is_taken",
        STACK: "slot.shared.swap(ptr::null_mut(), «Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("stack", "all is taken where another one pops", "all_is_taken_where_others_pop",
        STACK: "let _taker = slot.taker.lock();«»" => "drop(_taker);"),
    source!("stack", "the lock taken relaxed", "two_without_sequences",
        LOCK: ".compare_exchange(0, 1, «Ordering::Acquire», Ordering::Relaxed)" => "Ordering::Relaxed"),
    source!("stack", "the lock given back relaxed", "two_without_sequences",
        LOCK: "self.0.0.store(0, «Ordering::Release»);" => "Ordering::Relaxed"),
    source!("stack", "the lock is not waited for", "two_takers",
        LOCK: "«machine::wait_for(&self.0);»" => "return Locked(self);"),
    source!("stack", "the lock is kept", "two_takers",
        LOCK: "«self.0.0.store(0, Ordering::Release);»" => ""),
];

/// What no model can notice, and why.
pub const UNSEEN: &[(&str, &str)] = &[
    (
        "the addition taken back with a relaxed subtraction",
        "harmless: no access of a section lies before it",
    ),
    (
        "not settled",
        "harmless: the sum is right either way; it is for speed",
    ),
    (
        "the mark left when nothing is open, or when the leader wakes up",
        "harmless: one wake-up or poke too many",
    ),
    (
        "`turns` relaxed on both sides",
        "harmless: the fences N and O order it already",
    ),
    (
        "no second look at the round with the lead taken",
        "harmless: one grace period too many",
    ),
    (
        "the success of a pop by atomics relaxed; the flip that is taken back relaxed",
        "harmless: the load before acquires; the bank was not touched",
    ),
    (
        "the handle loaded relaxed by a snapshot",
        "harmless: copies use neither the index nor the period",
    ),
    (
        "H as a SeqCst read-modify-write",
        "wrong on AArch64; loom takes SeqCst accesses for AcqRel and would reject it on x86-64 too: \
         litmus/dekker-rmw.litmus",
    ),
    (
        "load buffering: a section's load that returns a store from after the grace period",
        "loom never makes a load return a later store: litmus/section-lb.litmus",
    ),
];
