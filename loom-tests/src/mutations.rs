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

/// The sources that are compiled here.
pub const FILES: &[&str] = &[
    CALLBACKS,
    CHUNK,
    DRAIN,
    "callbacks/job.rs",
    QUEUE,
    "callbacks/record.rs",
    SEALING,
    DOMAIN,
    FORK,
    GRACE_PERIOD,
    POLLING,
    RCU,
    "rcu/conversions.rs",
    "rcu/in_domain.rs",
    "rcu/payload.rs",
    "rcu/reference.rs",
    READERS,
    ROUNDS,
    "stats.rs",
    TASKS,
    WORKER,
    // Names are paths from `urcu/src`.
    BANKS,
    LOCK,
    STACK,
];
const CALLBACKS: &str = "callbacks.rs";
const CHUNK: &str = "callbacks/chunk.rs";
const DRAIN: &str = "callbacks/drain.rs";
const QUEUE: &str = "callbacks/queue.rs";
const SEALING: &str = "callbacks/sealing.rs";
const DOMAIN: &str = "domain.rs";
const FORK: &str = "fork.rs";
const GRACE_PERIOD: &str = "grace_period.rs";
const POLLING: &str = "polling.rs";
const RCU: &str = "rcu.rs";
const READERS: &str = "readers.rs";
const ROUNDS: &str = "rounds.rs";
const TASKS: &str = "tasks.rs";
const WORKER: &str = "worker.rs";
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
    source!("set-up", "found set up, relaxed", "two_threads_use_a_domain_without_sequences",
        READERS: "self.period.load(«Ordering::Acquire») != 0" => "Ordering::Relaxed"),
    source!("set-up", "the counters published relaxed", "two_threads_use_a_domain_without_sequences",
        READERS: ".compare_exchange(0, base, «Ordering::AcqRel», Ordering::Acquire)" => "Ordering::Relaxed"),
    source!("set-up", "the handle loaded relaxed by a callback", "a_callback_meets_the_first_use",
        READERS: "let cs = self.cs.load(«Ordering::Acquire»);\n        if cs == 0 {\n            return machine" => "Ordering::Relaxed"),
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

    kernel("8", "kernel: the sequence that replaces a chunk goes on", "a_barrier_waits_for_a_chunk_on_its_way", Fault::ReplaceGoesOn),
    kernel("8", "kernel: the sequence that appends goes on", "what_a_flip_collects_waits_for_the_next", Fault::AppendGoesOn),
    source!("8", "run after the grace period that collects", "what_a_flip_collects_waits_for_the_next",
        SEALING: "«rounds.done() + 2»" => "rounds.done() + 1"),
    source!("8", "the chunk is left in its slot", "a_barrier_waits_for_a_chunk_on_its_way",
        SEALING: "«buffer.store(0, Ordering::Relaxed);»" => ""),
    source!("8, J", "the next to end, not to begin", "a_full_chunk_waits_for_the_next_to_begin",
        SEALING: "«periods.rounds.join()»" => "periods.rounds.done() + 1"),
    source!("8", "taken although it was not exchanged", "a_barrier_waits_for_a_chunk_on_its_way",
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
    source!("8", "a slot is not collected", "a_barrier_waits_for_every_cpu",
        SEALING: "for slot in «0..machine::slots()» {" => "0..1"),

    source!("8, J", "without sequences, the next to end, not to begin", "a_chunk_of_a_stripe_waits_for_the_next_to_begin",
        CALLBACKS: "let join = || «state.grace_periods.rounds.join()»;\n        let first" => "state.grace_periods.rounds.done() + 1"),
    source!("barrier", "the ticket is taken after the chunk has left its slot", "a_barrier_waits_for_a_chunk_on_its_way",
        CALLBACKS: "let ticket = «(end != 0).then(|| queue.ticket(cpu))»;" => "None",
        CALLBACKS: "if let Some(ticket) = «ticket» {\n            // SAFETY" => "(end != 0).then(|| queue.ticket(cpu))"),
    source!("barrier", "a ticket that was not used stays out", "a_barrier_waits_for_a_chunk_on_its_way",
        CALLBACKS: "«queue.cancel(ticket);»" => ""),
    source!("barrier", "the ticket is given back when the last callback is taken", "a_barrier_waits_for_batches_in_flight",
        QUEUE: "«inner.waiting.pop_front().expect(\"a front\").chunk.leave();»" => "let front = inner.waiting.pop_front().expect(\"a front\"); inner.out.remove(&front.ticket); front.chunk.leave();"),
    source!("barrier", "the ticket is given back with the first part", "a_barrier_waits_for_batches_in_flight",
        QUEUE: "«»if let Some(chunk) = unsafe { batch.part.finish() } {" => "self.stripe(batch.ticket.stripe).out.remove(&batch.ticket.number);"),
    source!("barrier", "nobody is told of a chunk that is done", "a_barrier_waits_for_batches_in_flight",
        QUEUE: "drop(inner);\n            «self.notify();»" => ""),
    source!("barrier", "told without the lock", "a_barrier_waits_for_batches_in_flight",
        QUEUE: "!= 0 {\n            «let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);»" => ""),
    source!("barrier", "no look before the wait", "a_barrier_waits_for_batches_in_flight",
        QUEUE: "if «!done()» {" => "true"),
    source!("barrier", "counted after the look", "a_barrier_waits_for_batches_in_flight",
        QUEUE: "«self.waiters.fetch_add(1, Relaxed);»" => "",
        QUEUE: "if !done() {«»" => "self.waiters.fetch_add(1, Relaxed);"),
    source!("barrier", "the parts of a chunk are relaxed", "a_barrier_waits_for_batches_in_flight",
        CHUNK: ".fetch_sub(self.count as u32, «Ordering::AcqRel»)" => "Ordering::Relaxed"),
    source!("barrier", "the first stripe's tickets alone", "a_barrier_waits_for_batches_in_flight",
        DRAIN: "in «tickets.into_iter()».enumerate()" => "{ let mut tickets = tickets; tickets.truncate(1); tickets.into_iter() }"),
    source!("barrier", "no grace period", "a_barrier_waits_for_every_cpu",
        DRAIN: "«wait_for(state, tasks, rounds.join(), &watch);»\n    let tickets" => ""),
    source!("barrier", "what is under the locks is not sealed", "a_barrier_without_sequences",
        DRAIN: "«queue.seal_loose(|| rounds.join());»\n    // Its leader" => ""),
    source!("barrier", "the first stripe is sealed alone", "a_barrier_without_sequences",
        QUEUE: "for stripe in «0..self.stripes()» {\n            let mut inner" => "0..1"),
    source!("end", "what is in slots is left", "the_end_of_a_domain_runs_what_is_left",
        DOMAIN: "«callbacks::finish(state.as_ref(), tasks);»" => ""),
    source!("end", "the other period's slots are forgotten", "the_end_of_a_domain_in_a_grace_period",
        READERS: "[word.get(), «word.get() ^ machine::PERIOD_BIT»]" => "word.get()"),
    source!("end", "batches in flight are not waited for", "the_end_of_a_domain_waits_for_batches_in_flight",
        DRAIN: "|| «queue.is_out(stripe, u64::MAX, mine)»;" => "false"),
    source!("end", "the worker keeps the state", "the_worker_is_handed_more",
        DOMAIN: "«tasks.close();»" => ""),

    source!("cell", "published without a release", "a_replaced_value_is_its_owners",
        RCU: ".swap(P::into_raw(P::own(value)), «Ordering::AcqRel»)" => "Ordering::Acquire"),
    source!("cell", "replaced without an acquire", "two_owners_of_replaced_values",
        RCU: ".swap(P::into_raw(P::own(value)), «Ordering::AcqRel»)" => "Ordering::Release"),
    source!("cell", "loaded relaxed", "a_replaced_value_is_its_owners",
        RCU: "unsafe { P::view(self.current.load(«Ordering::Acquire»)) }" => "Ordering::Relaxed"),
    source!("cell", "read relaxed", "a_value_that_carries_its_guard",
        RCU: "P::guarded(self.current.load(«Ordering::Acquire»), guard)" => "Ordering::Relaxed"),
    source!("cell", "an `Arc` loaded relaxed", "a_kept_value_outlives_its_cell",
        RCU: "P::share(self.current.load(«Ordering::Acquire»))" => "Ordering::Relaxed"),
    source!("cell", "an `Arc` shared without a section", "a_kept_value_outlives_its_cell",
        RCU: "«self.retire(old);»\n        shared" => "drop(unsafe { P::from_raw(old) });"),
    source!("cell", "updated from a relaxed load", "no_update_is_lost",
        RCU: "let seen = self.current.load(«Ordering::Acquire»);" => "Ordering::Relaxed"),
    source!("cell", "exchanged without a release", "an_update_meets_a_reader",
        RCU: ".compare_exchange(seen, new, «Ordering::AcqRel», Ordering::Acquire)" => "Ordering::Acquire"),
    source!("cell", "what was found instead, relaxed", "one_of_two_exchanges_succeeds",
        RCU: ".compare_exchange(seen, new, Ordering::AcqRel, «Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("cell", "an update does not compare", "no_update_is_lost",
        RCU: "«self.current\n            .compare_exchange(seen, new, Ordering::AcqRel, Ordering::Acquire)»" => "Ok(self.current.swap(new, Ordering::AcqRel))"),
    source!("cell", "handed back at once", "a_replaced_value_is_its_owners",
        RCU: "«self.domain().synchronize();»" => ""),
    source!("cell", "dropped at once", "a_stored_value_is_dropped_after_its_sections",
        RCU: "«self.domain()\n            .enqueue(Callback::drop::<_, P::Target>(free), true);»" => "free();"),

    source!("set-up", "the state is loaded relaxed", "two_threads_use_a_domain_first",
        DOMAIN: "NonNull::new(self.state.load(«Ordering::Acquire»))" => "Ordering::Relaxed"),
    source!("set-up", "the state is published relaxed", "two_threads_use_a_domain_first",
        DOMAIN: "made.as_ptr(),\n            «Ordering::AcqRel»," => "Ordering::Relaxed"),
    source!("set-up", "the first state is not acquired", "two_threads_use_a_domain_first",
        DOMAIN: "Ordering::AcqRel,\n            «Ordering::Acquire»," => "Ordering::Relaxed"),
    source!("set-up", "the tasks are loaded relaxed", "two_threads_use_a_domain_first",
        DOMAIN: "unsafe { self.tasks.load(«Ordering::Acquire»).as_ref() }" => "Ordering::Relaxed"),
    source!("set-up", "the tasks are published relaxed", "two_threads_use_a_domain_first",
        DOMAIN: ".compare_exchange(ptr::null_mut(), made, «Ordering::AcqRel», Ordering::Acquire)" => "Ordering::Relaxed"),
    source!("set-up", "the first tasks are not acquired", "two_threads_use_a_domain_first",
        DOMAIN: ".compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, «Ordering::Acquire»)" => "Ordering::Relaxed"),
    source!("fork", "the parent's tasks are the child's", "a_callback_forks",
        TASKS: "«self.incarnation == fork::incarnation()»" => "true"),
    source!("fork", "every process is the first", "a_callback_forks",
        FORK: "let next = «machine::next_incarnation()»;" => "1"),

    source!("5", "polling: no look after the waker is known", "a_future_hears_of_another_callers_grace_period",
        POLLING: "if «!self.grace_period.is_over()» {\n                if !worker" => "true"),
    source!("5", "polling: those of this grace period are not woken", "a_future_hears_of_another_callers_grace_period",
        POLLING: "wakers.split_off(&(«done.saturating_add(1)», 0))" => "done"),
    source!("5", "polling: the mark is taken away before the sleep", "a_future_hears_of_another_callers_grace_period",
        POLLING: "«machine::futex_wait(&self.0, 0, most);»" => "self.0.store(0, Ordering::Relaxed); machine::futex_wait(&self.0, 0, most);"),
    source!("5", "callers of `synchronize` wake no futures", "a_future_hears_of_another_callers_grace_period",
        DOMAIN: "«tasks.wake(round);»" => ""),
    source!("3", "polling: over before it is done", "a_cookie_is_over_after_the_sections",
        POLLING: "«state.grace_periods.rounds.is_done(self.round)»" => "self.round <= state.grace_periods.rounds.done() + 1"),
    source!("5", "tasks: the fence of who queues dropped", "nothing_is_forgotten_between_two_jobs",
        TASKS: "that it has left.\n        «fence(Ordering::SeqCst);»" => ""),
    source!("5", "tasks: the fence of who works dropped", "nothing_is_forgotten_between_two_jobs",
        TASKS: "self.unschedule();\n                «fence(Ordering::SeqCst);»" => ""),
    source!("5", "tasks: no second look", "nothing_is_forgotten_between_two_jobs",
        TASKS: "if «self.is_over(state) || self.scheduled.swap(true, Ordering::Relaxed)» {" => "true"),
    source!("5", "tasks: a slot that was given a chunk is forgotten", "a_first_callback_is_not_forgotten",
        CALLBACKS: "«queue.installed.store(true, SeqCst);»" => ""),
    source!("5", "worker: poked without a fence", "the_worker_is_handed_more",
        WORKER: "the fence in `work`.\n    «fence(Ordering::SeqCst);»" => ""),
    source!("5", "worker: it sleeps without a fence", "the_worker_is_handed_more",
        WORKER: "or we see its change.\n            «fence(Ordering::SeqCst);»" => ""),
    source!("5", "worker: the pokes are read after the look", "the_worker_runs_callbacks",
        WORKER: "futex_wait(&process().poked, «poked», most)" => "process().poked.load(Ordering::Relaxed)"),
    source!("5", "worker: nobody wakes it", "the_worker_is_handed_more",
        WORKER: "«futex_wake(&process().poked, 1);»" => ""),
    source!("5", "worker: handed over without a poke", "the_worker_runs_callbacks",
        WORKER: "drop(inner);\n    «poke();»" => ""),
    source!("set-up", "the worker is loaded relaxed", "two_threads_start_the_worker",
        WORKER: "let known = process().worker.load(«Ordering::Acquire»);" => "Ordering::Relaxed"),
    source!("set-up", "the worker is published relaxed", "two_threads_start_the_worker",
        WORKER: "made,\n        «Ordering::AcqRel»," => "Ordering::Relaxed"),
    source!("set-up", "the first worker is not acquired", "two_threads_start_the_worker",
        WORKER: "Ordering::AcqRel,\n        «Ordering::Acquire»," => "Ordering::Relaxed"),
];

/// Orderings that no model needs, in the form of [`Edit::text`], and why they are there.
#[rustfmt::skip]
pub const KEPT: &[(&str, &str, &str)] = &[
    (CALLBACKS, "queue.installed.load(«SeqCst») || queue",
        "the fences of `tasks` order it; once for each chunk, so it may cost something"),
    (CALLBACKS, "self.wanted.fetch_max(join(), «Release»);",
        "as `Tasks::want`"),
    (QUEUE, "Pairs with the fence in `notify`.\n        «fence(SeqCst);»",
        "a barrier's look takes the lock that whoever finishes a chunk has just given back; the fence \
         is for the counters of the budget, which are not modelled, and where a sleep ends after a \
         millisecond anyway"),
    (QUEUE, "fn notify(&self) {\n        «fence(SeqCst);»",
        "as above"),
    (DOMAIN, "let tasks = state.as_ref().tasks.load(«Ordering::Acquire»);",
        "whoever frees a state has it alone"),
    (DOMAIN, "address.store(name.as_ptr().expose_provenance(), «Ordering::Release»);",
        "for messages alone; the models' domains have no names"),
    (DOMAIN, "let address = address.load(«Ordering::Acquire»);",
        "as above"),
    (FORK, "let known = process().incarnation.load(«Ordering::Acquire»);",
        "the number stands for itself; who knows it may rely on the kernel's having been told to wipe, \
         which no model sees"),
    (FORK, ".compare_exchange(0, next, «Ordering::AcqRel, Ordering::Acquire»)",
        "as above"),
    (CALLBACKS, "queue.installed.store(false, «SeqCst»);",
        "the grace period that it is before begins with a flip, which whoever installs a chunk later acquires"),
    (POLLING, "or we find it over.\n            «fence(Ordering::SeqCst);»",
        "the look behind it takes the lead, and with it what the leader before did, or has a fence (N)"),
    (POLLING, "self.0.store(1, «Ordering::Release»);",
        "who wakes up asks whether the grace period is over, which acquires (M)"),
    (READERS, "NonZeroUsize::new(self.period.load(«Ordering::Acquire»))",
        "whoever flips, or looks for chunks, has set the readers up or acquired them with the tasks"),
    (READERS, ".compare_exchange(0, base, Ordering::AcqRel, «Ordering::Acquire»)",
        "who loses uses the other's counters only after another load of the period"),
    (READERS, "cs: self.cs.load(«Ordering::Acquire»),",
        "whoever replaces a chunk has tried to append, which acquires"),
    (READERS, "let cs = self.cs.load(«Ordering::Acquire»);\n        if cs == 0 {\n            return false;",
        "copies use neither the index nor the period"),
    (READERS, "counter.fetch_sub(1, «Ordering::Release»);\n            self.wake();",
        "no access of a section lies before the addition that is taken back"),
    (ROUNDS, "let turn = turns.fetch_or(1, «Ordering::Acquire») | 1;",
        "the fences N and O order it already"),
    (TASKS, "self.wanted.fetch_max(round, «Ordering::Release»);",
        "who sees the number and not yet that the round before has begun takes one turn more"),
    (TASKS, "let wanted = self.wanted.load(«Ordering::Acquire»);\n        !state",
        "as above"),
    (TASKS, "let wanted = self.wanted.load(«Ordering::Acquire»);\n        state",
        "as above"),
    (WORKER, "process().poked.fetch_add(1, «Ordering::Release»);",
        "what it is poked for is behind a lock, or ordered by F and G, N and O"),
    (WORKER, "let poked = process().poked.load(«Ordering::Acquire»);",
        "as above"),
    (STACK, "list.compare_exchange(seen, next, «Ordering::Acquire», Ordering::Acquire)",
        "the load before it acquires"),
    (STACK, "slot.banks[bank].load(«Ordering::Acquire»)",
        "the restart has fenced every CPU that uses the bank, and the caller's"),
];

/// What no model can notice, and why.
pub const UNSEEN: &[(&str, &str)] = &[
    (
        "not settled",
        "harmless: the sum is right either way; it is for speed",
    ),
    (
        "the mark left when nothing is open, or when the leader wakes up",
        "harmless: one wake-up or poke too many",
    ),
    (
        "no second look at the round with the lead taken",
        "harmless: one grace period too many",
    ),
    (
        "the flip that is taken back relaxed",
        "harmless: the bank was not touched",
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
    (
        "whoever comes second to a new domain keeps a state of its own",
        "three preemptions, with which the model takes too long",
    ),
    (
        "what callbacks queue while their domain ends is not looked for again",
        "only unsafe code has a domain then",
    ),
    (
        "an update without a section, so that an address is used again (ABA)",
        "addresses are the allocator's; the section is what keeps the old value, and mutants of that \
         are above",
    ),
];

/// Every ordering stronger than relaxed, and every fence, that no mutant weakens or drops, and for
/// which no reason is given: file, line, text.
///
/// # Panics
/// If a reason is given for what is not there once.
pub fn unheld(sources: &[(&'static str, String)]) -> Vec<(&'static str, usize, String)> {
    let span = |file: &str, text: &str| {
        let (before, rest) = text.split_once('«').expect("an angle quote");
        let (quoted, after) = rest.split_once('»').expect("two angle quotes");
        let (_, source) = sources
            .iter()
            .find(|(name, _)| *name == file)
            .expect("a source");
        let whole = format!("{before}{quoted}{after}");
        let found: Vec<_> = source.match_indices(&whole).collect();
        let [(at, _)] = found[..] else {
            panic!("in {file}, occurrences of {text:?}: {}", found.len());
        };
        (
            file.to_owned(),
            at + before.len()..at + before.len() + quoted.len(),
        )
    };
    let edits = MUTANTS.iter().flat_map(|mutant| match mutant.change {
        Change::Source(edits) => edits,
        Change::Kernel(_) => &[],
    });
    let held: Vec<_> = edits
        .map(|edit| span(edit.file, edit.text))
        .chain(KEPT.iter().map(|(file, text, _)| span(file, text)))
        .collect();
    let mut unheld = Vec::new();
    for (file, source) in sources {
        let mut start = 0;
        for (number, line) in source.lines().enumerate() {
            if line.contains("#[cfg(test)]") {
                break;
            }
            let code = line.split("//").next().unwrap_or("");
            for word in ["Acquire", "Release", "AcqRel", "SeqCst"] {
                for (column, _) in code.match_indices(word) {
                    let at = start + column;
                    let is_held = |(name, range): &(String, std::ops::Range<usize>)| {
                        name == file && range.contains(&at)
                    };
                    if !code.trim_start().starts_with("use ") && !held.iter().any(is_held) {
                        unheld.push((*file, number + 1, line.trim().to_owned()));
                    }
                }
            }
            start += line.len() + 1;
        }
    }
    unheld
}
