//! The models. Each is a small program of which every execution, up to a bound on preemptions, must pass: no assertion
//! fails, no value is written while it is read (loom's checked cells), and no thread waits for ever. If an outcome must
//! be *possible*, the model names it as a witness, and fails if no execution has it.

mod callbacks;
mod cell;
mod domains;
mod first_use;
mod hash;
mod inline;
mod links;
mod lists;
mod litmus;
mod locks;
mod lookups;
mod ordered;
mod pairs;
mod polling;
mod queues;
mod raw;
mod readers;
mod shapes;
mod sharing;
mod stacks;
mod waiting;
mod world;

use std::cell::Cell;
use std::env;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize as Count, Ordering::Relaxed as Uncounted};
use std::time::{Duration, Instant};

use crate::kernel;
use world::{World, off_cpu, on};

/// A model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name, for the programs.
    pub name: &'static str,
    /// The obligation that it holds, by number and letter.
    pub obligation: &'static str,
    /// Its size: threads, sections, grace periods.
    pub size: &'static str,
    /// The greatest number of preemptions in one execution, unless `LOOM_MAX_PREEMPTIONS` is set.
    pub preemptions: usize,
    /// Events that must happen in some execution.
    witnesses: &'static [&'static str],
    program: fn(),
}

thread_local! {
    /// The witnesses that were seen, as bits.
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Notes whether an outcome was seen. `n` is its place among the model's witnesses.
fn witness(n: u32, seen: bool) {
    SEEN.set(SEEN.get() | u64::from(seen) << n);
}

/// The extent to which a model was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The number of executions that passed.
    pub executions: usize,
    /// True if these are all executions up to the bound. Otherwise there was no time for more.
    pub all: bool,
}

impl Checked {
    /// Returns whether this result and that of another run may both be right. Loom explores the same executions each
    /// time, so two complete runs find the same number; a run without time for more gives a lower bound.
    pub fn agrees_with(self, other: Checked) -> bool {
        match (self.all, other.all) {
            (true, true) => self.executions == other.executions,
            (true, false) => self.executions >= other.executions,
            (false, true) => self.executions <= other.executions,
            (false, false) => true,
        }
    }
}

impl fmt::Display for Checked {
    /// As in the README.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.all { "" } else { "> " };
        f.pad(&format!("{more}{}", self.executions))
    }
}

impl FromStr for Checked {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let executions = text.strip_prefix("> ");
        Ok(Checked {
            all: executions.is_none(),
            executions: executions.unwrap_or(text).parse()?,
        })
    }
}

/// Returns by how much the models' bounds are raised (`URCU_LOOM_DEEPER`). Builds without optimisation ignore this.
///
/// # Panics
/// If the variable is not a number.
pub fn deeper() -> usize {
    match env::var("URCU_LOOM_DEEPER") {
        Ok(more) if !cfg!(debug_assertions) => {
            more.parse().expect("URCU_LOOM_DEEPER is not a number")
        }
        _ => 0,
    }
}

/// The time that a model may take with raised bounds, unless `LOOM_MAX_DURATION` is set.
const PATIENCE: Duration = Duration::from_secs(180);

/// The number of executions after which loom checks the time.
const LOOK: usize = 100;

impl Model {
    /// Returns the greatest number of preemptions in one execution.
    pub fn bound(&self) -> usize {
        // Without optimisation the full bounds take hours.
        if cfg!(debug_assertions) {
            self.preemptions.min(1)
        } else {
            self.preemptions + deeper()
        }
    }

    /// Runs all executions up to the bound, or as many as there is time for.
    ///
    /// # Panics
    /// If an execution fails, or a witness is missing.
    pub fn check(&self) -> Checked {
        self.check_at_most(usize::MAX)
    }

    /// Runs the executions, of which there are at most `most`, so that a fault that makes a model endless is noticed
    /// soon.
    ///
    /// # Panics
    /// If there are more executions, and in the cases of [`Self::check`].
    pub fn check_at_most(&self, most: usize) -> Checked {
        let count = Arc::new(Count::new(0));
        let counted = Arc::clone(&count);
        let program = self.program;
        let mut builder = loom::model::Builder::new();
        builder.max_branches = 100_000;
        builder.checkpoint_interval = LOOK;
        if deeper() != 0 {
            builder.max_duration.get_or_insert(PATIENCE);
        }
        let bound = *builder.preemption_bound.get_or_insert(self.bound());
        let (permutations, duration) = (builder.max_permutations, builder.max_duration);
        let start = Instant::now();
        SEEN.set(0);
        builder.check(move || {
            let before = counted.fetch_add(1, Uncounted);
            assert!(
                before < most,
                "there are more than the {most} executions that README.md states; run models --update"
            );
            program();
        });
        let executions = count.load(Uncounted);
        // Loom does not say why it has ended. These are its own conditions before each next execution.
        let next = executions + 1;
        let ended_early = next.is_multiple_of(LOOK)
            && (permutations.is_some_and(|most| next >= most)
                || duration.is_some_and(|most| start.elapsed() >= most));
        if bound >= self.preemptions && !ended_early {
            for (n, name) in self.witnesses.iter().enumerate() {
                assert!(
                    SEEN.get() >> n & 1 == 1,
                    "no execution has the outcome: {name}"
                );
            }
        }
        Checked {
            executions,
            all: !ended_early,
        }
    }
}

macro_rules! models {
    ($($module:ident::$name:ident, $preemptions:literal, $obligation:literal, $size:literal
        $(, $witness:literal)*;)*) => {
        /// All models.
        pub const MODELS: &[Model] = &[
            $(Model {
                name: stringify!($name),
                obligation: $obligation,
                size: $size,
                preemptions: $preemptions,
                witnesses: &[$($witness),*],
                program: $module::$name,
            },)*
        ];
    };
}

models! {
    readers::the_barrier_replaces_the_readers_fence, 3, "the kernel: store buffering", "2 threads";
    readers::a_late_end_wakes_the_writer, 5, "5 (F, G)", "1 section, 1";
    readers::a_late_end_by_atomics_wakes_the_writer, 5, "5 (F, G)", "1 section, 1";
    readers::two_late_ends_wake_the_writer, 3, "3, 5 (F, G)", "2 x 1, 1";
    readers::an_aborted_begin_by_atomics_wakes_the_writer, 3, "5, 6 (G, H)", "1, 1";
    readers::an_addition_is_taken_back_beside_an_open_section, 3, "6 (C, H)", "1 and 1, 1";
    readers::a_bystander_sees_that_it_is_over, 3, "3 (D, E, L, M)", "1, 1", "it is over", "it is not";
    readers::a_bystander_of_atomics_sees_that_it_is_over, 3, "3, 6 (D, E, L, M)", "1, 1", "it is over", "it is not";
    readers::a_grace_period_cut_short, 4, "4", "1 x 2, 3 of which 1 fails";
    readers::a_barrier_refused_while_sections_begin, 4, "1, 4 (C)", "1 x 2, 2 of which 1 fails";
    readers::new_sections_see_the_new_world, 5, "2 (A, B)", "1, 1";
    cell::snapshots, 5, "1 for snapshots (C)", "1 x 2, 2";
    cell::snapshots_behind_a_second_pointer, 4, "1 for snapshots (C)", "1 x 2, 1", "the first value is seen", "the second is";
    cell::snapshots_without_a_registration, 3, "1 for snapshots (C)", "1 x 2, 2";
    lookups::lookups, 4, "1 for lookups (C)", "1 x 2, 2", "the first version is seen", "two versions are";
    lookups::lookups_without_a_registration, 3, "1 for lookups (C)", "1, 1";
    lookups::a_lookup_beside_a_move, 3, "1, 2 for lookups (B, C)", "1 x 2, 1", "the old version is seen", "the change is known", "both versions are seen";
    lookups::a_slot_that_changes_its_key, 3, "1 for lookups (C)", "1 x 2, 1", "the new key is found", "the old one is";
    inline::a_pair_is_put_into_a_bucket, 3, "hash", "1 x 2, 1", "found, and not met before", "it is met", "not found";
    inline::a_pair_is_put_into_a_list, 3, "hash", "1 x 2, 1", "found, and not met before", "it is met", "not found";
    inline::a_slot_waits_for_its_readers, 3, "hash", "1 x 2, 3", "the old number", "the change", "the new number";
    inline::a_slot_is_left_alone, 3, "hash", "1 x 2, 3", "the old number", "the change", "the new number";
    inline::a_pair_goes_to_the_list, 3, "hash", "1 x 2, 1", "the old number", "the change", "the new number";
    inline::a_pair_of_the_list_is_replaced, 3, "hash, 8", "1, 2", "the old number", "the new one";
    inline::two_insert_a_pair, 3, "hash", "2 threads", "the one", "the other";
    inline::two_put_a_pair_that_is_missing, 3, "hash", "1 x 1, 1", "the first was the last", "the second was";
    inline::two_put_a_pair_that_is_there, 3, "hash", "1 x 1, 1", "the first was the last", "the second was";
    inline::an_untouched_pair_is_always_found, 2, "hash, 8", "1 x 3, 1", "the next table", "the first one";
    inline::who_moves_a_pair_to_the_list_is_lost, 1, "hash, fork", "1";
    inline::who_moves_a_pair_to_another_slot_is_lost, 1, "hash, fork", "1";
    inline::who_removes_a_pair_is_lost, 1, "hash, fork", "1";
    pairs::a_slot_that_is_filled_again, 3, "1 for lookups (C)", "1 x 2, 1", "the first version is seen", "two versions are";
    pairs::a_slot_that_is_filled_again_without_a_registration, 3, "1 for lookups (C)", "1 x 2, 1", "the first version is seen", "two versions are";
    pairs::a_pair_that_moves_to_the_list, 3, "1, 2 for lookups (C)", "1 x 2, 1", "the first version is seen", "two versions are";
    readers::two_sections_two_updates, 4, "1 to 4 (A to E)", "1 x 2, 2";
    readers::migration_and_settling, 4, "3, 4 (D, E)", "1 x 2, 2";
    readers::nested_and_moved, 3, "3 (D, E)", "2 and 1, 1";
    readers::two_readers, 3, "1 to 3", "2 x 1, 1";
    readers::begun_one_way_ended_another, 4, "3, 4, 6", "1 x 2, 4";
    readers::atomics_only, 4, "6 (H)", "1 x 2, 2";
    readers::mixed_readers, 3, "1, 6", "2 x 1, 1";
    readers::a_thread_without_a_registration, 3, "1 to 4, 6", "1 x 2, 2";
    readers::a_cpu_without_a_slot, 3, "3, 4, 6", "1 x 2, 2";
    sharing::two_callers, 4, "7 (J to O)", "2 callers", "they share a round", "they do not";
    sharing::three_callers, 2, "7 (J to O)", "3 callers", "all share a round", "none do";
    sharing::who_joins_after_the_flip_waits_for_the_next, 4, "7 (J, K)", "2 x 1, 2";
    sharing::two_updaters, 3, "4, 7", "1, 2 callers", "they share a grace period", "they do not";
    sharing::two_domains_share_a_barrier, 2, "1, 7", "1 each, 1 each", "they share a barrier", "they do not";
    waiting::followers_wake_up, 2, "5 (N, O)", "3 threads, 2 rounds";
    waiting::all_followers_wake_up, 2, "5 (N, O)", "3 threads, 1 round";
    waiting::all_followers_wake_up_while_another_leads, 1, "5 (O)", "4 threads, 2 rounds", "another leads the next";
    waiting::followers_of_a_round_that_another_follows, 2, "5 (N)", "3 threads, 2 rounds";
    waiting::followers_with_a_time_limit, 3, "5", "2 callers";
    waiting::a_leader_gives_up, 2, "5, 7", "3 callers";
    waiting::who_is_woken_to_lead_reports, 2, "5", "3 threads, 2 rounds";
    waiting::one_leader_two_grace_periods, 2, "5, 7", "3 callers, 2";
    waiting::a_refused_leader_is_replaced, 2, "1, 4, 5", "2, 2 callers of which 1 fails", "the barrier is refused", "another has issued it";
    polling::a_late_end_pokes_the_worker, 3, "3, 5 (F, G)", "2, 1";
    polling::a_caller_takes_over_from_the_worker, 3, "3, 4, 5 (N, O)", "1, 1 by 2";
    polling::a_leader_that_gives_up_tells_the_worker, 3, "5", "1, 1 by 2", "the caller gives up";
    polling::the_worker_hears_of_every_leader, 2, "5 (N, O)", "2 callers, 1 worker";
    polling::two_pollers, 2, "5", "1, 1 by 2", "the poller ends it";
    polling::a_turn_in_vain_is_quiet, 3, "5", "1, 1";
    litmus::message_passing, 4, "1, 2", "1 x 2, 1", "both stores are missed", "one is", "none is";
    litmus::store_buffering, 4, "1, 3", "1, 1", "the section sees it", "the updater does", "both do";
    litmus::store_buffering_without_a_grace_period, 2, "control", "1, 0", "both miss it";
    litmus::two_grace_periods_for_two_sections, 2, "1 to 4", "2 x 1, 2";
    litmus::one_grace_period_for_two_sections, 3, "control", "2 x 1, 1", "all three miss a store";
    litmus::independent_reads, 2, "1 to 3", "1, 1, 2 writers", "the section sees x alone", "the updater sees y alone";
    litmus::independent_reads_without_a_grace_period, 2, "control", "1, 0, 2 writers", "both orders";
    shapes::a_store_before_and_a_load_after, 4, "1 to 3", "1, 1", "the section is before";
    shapes::a_store_and_a_load_without_a_grace_period, 3, "control", "1, 0", "the section is before", "the first store is missed";
    shapes::store_buffering_around_an_inner_section, 4, "1, 3", "2, 1", "the section sees it", "the updater does", "both do";
    shapes::store_buffering_across_cpus, 4, "1, 3", "1, 1", "the section sees it", "the updater does", "both do";
    shapes::store_buffering_around_an_empty_section, 4, "1, 3", "1, 1", "the section sees it", "the updater does", "both do";
    first_use::two_threads_set_up, 3, "set-up", "1 x 2, 1";
    stacks::two_threads_change_places, 4, "stack", "2 x 2 pushes, 2 pops", "they change places";
    stacks::a_preempted_pop_starts_over, 4, "stack", "1 pop; 2 pops, 1 push", "it is preempted", "it is not";
    stacks::a_preempted_push_starts_over, 4, "stack", "1 push; 1 pop, 1 push", "it is preempted", "it is not";
    stacks::all_is_taken_beside_its_owner, 4, "stack", "2 pushes, 1 pop; 2 takes", "the first push is taken first", "the second push is taken second";
    stacks::two_takers, 2, "stack", "1 push, 1 pop; 2 x 1 take", "the one takes it", "the other one takes it";
    stacks::what_is_refused_stays, 3, "stack", "1 push, 1 pop; 2 takes of which 1 fails";
    stacks::what_is_refused_twice_stays, 3, "stack", "1 push, 1 pop; 3 takes of which 2 fail";
    stacks::a_refusal_beside_pushes, 3, "stack", "2 pushes; 2 takes of which 1 fails", "both are taken", "one is";
    stacks::with_sequences_and_without, 3, "stack", "2 x pushes and pops", "one pops what another gave up", "one pops what was pushed without sequences";
    stacks::two_without_sequences, 4, "stack", "1 pop; 2 pops, 1 push", "in the order of the pops", "in another";
    stacks::all_is_taken_where_others_pop, 4, "stack", "1 pop; 1 take, 1 push", "one each", "all are taken";
    stacks::what_was_pushed_before_is_taken, 3, "stack", "1 push; 1 pop; 1 take", "the new one is popped", "the new one is taken";
    cell::a_snapshot_meets_the_first_use, 4, "set-up", "1, 1";
    cell::a_replaced_value_is_its_owners, 3, "cell", "1, 1";
    cell::a_value_that_carries_its_guard, 3, "cell", "1, 1", "the old value is seen", "the new value is";
    cell::a_doubled_section, 3, "9", "2, 1", "the old value is seen while it is replaced";
    cell::a_section_doubled_beside_the_sum, 3, "9 (P, Q)", "2, 1", "the old value is seen while it is replaced";
    cell::a_refreshed_guard, 3, "cell", "1, 2", "the same value is seen twice", "a grace period ends while the guard is held";
    cell::a_stored_value_is_dropped_after_its_sections, 2, "cell, 8", "1, 1 callback";
    cell::no_update_is_lost, 2, "cell", "2 updaters";
    cell::an_update_meets_a_reader, 3, "cell", "1, 1 updater";
    cell::two_owners_of_replaced_values, 2, "cell", "2 callers";
    cell::a_kept_value_outlives_its_cell, 2, "cell", "1, 1 callback";
    cell::one_of_two_exchanges_succeeds, 2, "cell", "2 updaters", "one succeeds", "both do";
    raw::a_retired_node_outlives_its_sections, 4, "raw, 8", "2, 1 callback";
    raw::a_retired_box_outlives_its_sections, 3, "raw, 8", "2, 1 callback";
    raw::an_intrusive_node_outlives_its_sections, 3, "raw, 8", "2, 1 callback";
    raw::a_node_retired_by_a_closure_outlives_its_sections, 3, "raw, 8", "2, 1 callback";
    raw::a_stack_of_retired_nodes, 4, "raw, 8", "3, 2 callbacks", "the first node is popped here", "the second one is";
    raw::a_node_is_whole_however_it_is_published, 3, "raw", "1", "the exchange fails", "it succeeds";
    links::an_unlinked_value, 2, "cell, 8", "1, 2, 1 callback", "the old value is seen", "the new value is";
    links::a_reader_goes_on_from_what_was_taken_out, 3, "list", "1, 2 pops", "both are seen", "the second one alone", "none";
    links::a_reader_meets_a_push, 3, "list", "1, 1 push", "the new node is seen", "the old one alone";
    links::a_reader_meets_what_moves_up, 3, "list", "1, 1 push, 1 pop", "it is not there yet", "it follows", "it has moved up";
    links::two_take_nodes_out, 3, "list", "2 pops", "the one takes the first", "the other one does";
    links::who_takes_a_node_out_sees_it_whole, 3, "list", "1 push, 1 pop", "the new node is taken", "the old one is, and nothing follows", "the new node comes after";
    links::an_insertion_meets_a_removal, 3, "list", "1 push, 1 pop", "it is inserted", "it is refused";
    links::what_is_put_elsewhere_waits_for_its_first_readers, 2, "list, 8", "1, 1 take, 1 put, 1 pop", "all are seen", "none are";
    links::what_comes_back_in_the_middle_of_a_removal, 2, "list, 8", "1, 2 takes, 2 puts, 1 pop", "it was away in the middle", "it was taken out before";
    links::what_comes_back_behind_another_in_the_middle_of_a_removal, 2, "list, 8", "1, 2 takes, 2 puts, 2 pops", "it was away in the middle", "it was taken out before";
    links::a_chain_goes_from_hand_to_hand, 2, "list, 8", "1 put, 1 take", "the old one is taken", "the new one is";
    callbacks::what_a_flip_collects_waits_for_the_next, 4, "8", "1, 1, 2 callbacks";
    callbacks::a_full_chunk_waits_for_the_next_to_begin, 3, "8 (J)", "1, 1, 3 callbacks";
    callbacks::a_chunk_of_a_stripe_waits_for_the_next_to_begin, 2, "8 (J)", "1, 1, 2 callbacks";
    callbacks::a_barrier_waits_for_batches_in_flight, 3, "barrier", "2 threads, 2 callbacks";
    callbacks::a_barrier_waits_for_every_cpu, 2, "barrier", "2 barriers, 2 callbacks";
    callbacks::a_barrier_waits_for_a_chunk_on_its_way, 3, "barrier, 8", "2 threads, 3 callbacks";
    callbacks::a_barrier_without_sequences, 2, "barrier", "2 threads, 3 callbacks";
    callbacks::the_end_of_a_domain_runs_what_is_left, 2, "end", "6 callbacks";
    callbacks::the_end_of_a_domain_without_sequences, 2, "end", "4 callbacks";
    callbacks::the_end_of_a_domain_in_a_grace_period, 2, "end", "1, 1 callback";
    callbacks::the_end_of_a_domain_waits_for_batches_in_flight, 2, "end", "2 threads, 1 callback";
    callbacks::nothing_is_forgotten_between_two_jobs, 2, "5, driver", "2 threads, 0, 2", "there is another job", "there is none";
    callbacks::a_first_callback_is_not_forgotten, 2, "5, driver", "2 threads, 1 callback", "there is another job", "there is none";
    locks::two_threads_lock, 3, "lock", "2 threads";
    locks::three_threads_lock, 2, "lock", "3 threads";
    locks::a_child_finds_a_lock_held, 2, "fork", "1 thread and the parent's";
    locks::what_goes_is_not_used, 3, "end", "2 users", "it is used", "it is closed";
    polling::a_future_hears_of_another_callers_grace_period, 2, "5, polling", "1, 1 by 2";
    polling::a_worker_leaves_no_future_that_is_due, 3, "5, worker", "1, 1 by 2";
    polling::a_cookie_is_over_after_the_sections, 2, "3, polling", "1, 2 by 3", "it is over at once", "it is not", "it is over after another's";
    polling::the_worker_drives_a_grace_period, 1, "5, worker", "1, 1 by 2";
    polling::the_worker_is_handed_more, 2, "5, worker", "0, 2 by 2";
    polling::the_worker_runs_callbacks, 1, "5, worker", "2 callbacks by 2";
    polling::the_worker_is_handed_two_domains, 1, "5, worker", "2 callbacks of 2 by 2";
    polling::a_callback_awaits_what_the_worker_drives, 1, "5, worker", "1 section, 1 callback of 2 by 3";
    polling::a_callback_waits_for_what_the_worker_was_to_drive, 1, "5, worker", "1 section, 1 callback of 2 by 3";
    polling::the_worker_tries_again_when_a_barrier_is_refused, 1, "5, worker", "1 callback by 2";
    polling::the_worker_starts_late, 1, "5, worker", "1 section, 1 waker, 1 callback by 2";
    polling::the_worker_meets_the_end_of_a_domain, 2, "end, worker", "0, 1";
    polling::two_threads_start_the_worker, 2, "set-up", "2 threads, 1";
    first_use::two_threads_use_a_domain_first, 2, "set-up", "1, 1 by 2";
    first_use::two_threads_use_a_domain_without_sequences, 2, "set-up", "1, 1 by 2";
    first_use::two_threads_find_one_state, 2, "set-up", "2 threads";
    first_use::a_name_is_shown_whole_or_not_at_all, 2, "set-up", "2 threads", "it is there", "it is not";
    first_use::a_callback_meets_the_first_use, 2, "set-up", "1, 1 callback";
    first_use::a_callback_forks, 2, "fork", "2 callbacks";
    first_use::a_hook_forks, 2, "fork", "2 and the parent's 1, 2";
    first_use::a_child_starts_anew, 2, "fork", "1 and the parent's 2, 1";
    queues::a_queue_hands_values_over, 2, "queue", "2 pushes, 2 pops", "both are popped", "a consumer comes too early";
    queues::a_queue_gets_its_first_segment, 2, "queue", "3 pushes, 1 push", "the one comes first", "the other one does";
    queues::a_queue_goes_on_to_the_next_segment, 2, "queue, 8", "1 push, 3 pops", "it is there", "it is not there yet";
    queues::two_consumers_leave_a_segment, 2, "queue, 8", "2 x 2 pops", "the one has two", "the other one has";
    queues::a_consumer_follows_another, 3, "queue, 8", "1 push, 2 x 1 pop", "the other one has the new value";
    queues::a_new_segment_is_whole, 2, "queue", "2 x 1 push", "it is not there yet", "it is there";
    queues::the_length_of_a_queue, 2, "queue, 8", "1 push, 3 pops, 1 length", "nothing is there any more", "all is there";
    queues::a_producer_is_lost, 1, "queue, fork, 8", "1 thread";
    queues::a_stack_hands_values_over, 2, "stack of shared nodes, 8", "1 push, 2 pops", "the first one is popped here", "the second one is";
    queues::all_of_a_stack_is_taken, 3, "stack of shared nodes", "1 push, 1 take", "what was there is taken", "what is new is";
    queues::all_of_a_stack_is_taken_beside_a_pop, 2, "stack of shared nodes, 8", "1 pop, 1 take", "all is taken", "what is left is";
    lists::a_walk_meets_an_insertion, 2, "list of values", "1, 1 insertion", "it comes in the middle", "it is there";
    lists::a_walk_meets_a_removal, 2, "list of values, 8", "1, 1 removal", "it goes in the middle", "it is there";
    lists::a_walk_meets_a_move, 2, "list of values, 8", "1, 1 move", "it is where it was", "it has moved";
    lists::two_change_a_list, 2, "list of values", "2 insertions", "the one is first", "the other one is";
    lists::who_changes_a_list_is_lost, 1, "list of values, fork", "1 thread";
    lists::two_take_a_lock, 3, "list of values", "2 threads";
    lists::a_consumer_meets_enqueues, 3, "batches", "2 enqueues, 3 dequeues", "a consumer comes too early", "both come out", "it is empty";
    lists::all_is_taken_beside_an_enqueue, 3, "batches", "1 enqueue, 1 take", "what was there is taken", "what is new is";
    lists::a_batch_goes_on, 2, "batches", "2 enqueues, 1 take", "behind it", "before it", "behind a part of it";
    lists::two_enqueue, 3, "batches", "2 enqueues", "the one is first", "the other one is";
    lists::who_enqueues_is_lost, 1, "batches, fork", "1 thread";
    ordered::a_reader_of_a_tree_meets_a_change, 2, "tree, 8", "1, 1 change", "it changes meanwhile", "it has changed";
    ordered::two_change_a_tree, 2, "tree, 8", "2 changes";
    ordered::a_tree_is_cleared, 2, "tree, 8", "2 changes", "nothing is left", "what came later is";
    ordered::nodes_are_joined_and_freed, 1, "tree, 8", "1 thread";
    ordered::a_reader_meets_a_new_leaf, 2, "tree, 8", "1, 1 insertion", "it comes in the middle", "it is there";
    ordered::a_reader_meets_a_new_entry, 2, "tree, 8", "1, 1 replacement", "it comes in the middle", "it is there";
    ordered::a_reader_walks_while_a_leaf_is_split, 2, "tree, 8", "1, 1 insertion", "it is not there yet", "it is there";
    ordered::a_reader_meets_a_separator_that_goes, 1, "tree, 8", "1, 1 removal";
    ordered::two_change_a_leaf, 2, "tree", "2 insertions";
    ordered::an_entry_is_replaced_while_its_leaf_is, 2, "tree", "1 insertion, 1 replacement";
    ordered::two_update_an_entry, 2, "tree", "2 updates";
    ordered::two_update_a_separator, 2, "tree", "2 updates";
    ordered::a_leaf_is_split_while_an_entry_is_replaced, 2, "tree", "1 insertion, 1 replacement";
    ordered::a_leaf_is_split_while_it_is_replaced, 2, "tree", "1 insertion, 1 removal";
    ordered::a_leaf_is_split_beside_a_new_one, 2, "tree", "2 insertions";
    ordered::an_entry_is_removed_while_it_is_updated, 2, "tree", "1 removal, 1 update";
    ordered::parents_are_joined_beside_a_new_leaf, 1, "tree", "1 removal, 1 insertion";
    ordered::a_tree_of_leaves_is_cleared, 2, "tree", "1 insertion, 1 removal of all", "nothing is left", "what came later is";
    ordered::a_tree_of_parents_is_cleared, 2, "tree", "1 insertion, 1 removal of all", "nothing is left", "what came later is";
    ordered::two_parents_are_joined_from_both_sides, 2, "tree", "2 removals";
    ordered::who_replaces_a_leaf_is_lost, 1, "tree, fork", "1 thread";
    ordered::who_replaces_an_entry_is_lost, 1, "tree, fork", "1 thread";
    ordered::who_splits_a_leaf_is_lost, 1, "tree, fork", "1 thread";
    ordered::who_splits_a_leaf_is_lost_during_an_update, 1, "tree, fork", "1 thread";
    ordered::who_joins_parents_is_lost, 1, "tree, fork", "1 thread";
    hash::a_bucket_gets_an_entry, 3, "hash", "1, 1 insertion", "it comes in the middle", "it is there", "it is not there yet";
    hash::a_bucket_loses_an_entry, 3, "hash", "1, 1 removal", "it is gone", "it goes in the middle";
    hash::an_overflow_bucket_loses_an_entry, 2, "hash", "1, 1 removal", "it is there", "it is gone";
    hash::an_entry_goes_after_it_was_moved, 2, "hash", "1, 1 removal, 1 move", "it is there", "it is gone";
    hash::two_replace_a_key, 3, "hash", "2 replacements", "the other one is first", "the one is";
    hash::two_insert_a_key, 3, "hash", "2 insertions", "the one does", "the other one does";
    hash::two_change_a_bucket, 3, "hash", "1 insertion, 1 removal";
    hash::a_bucket_overflows, 2, "hash", "1, 1 insertion", "it comes in the middle", "it is there", "it is not there yet";
    hash::an_untouched_key_is_always_found, 2, "hash, 8", "1, 1 move", "it is in the new table", "it is in the old one";
    hash::a_key_is_replaced_after_it_was_moved, 2, "hash, 8", "1 x 2, 1 move", "it is replaced in the middle", "it was replaced";
    hash::two_move_a_table, 1, "hash", "1, 2 move", "the reader has the new table", "the old one";
    hash::a_key_is_inserted_while_its_bucket_is_moved, 2, "hash", "1 insertion, 1 move";
    hash::who_moves_to_a_larger_table_is_lost, 1, "hash, fork", "1 thread";
    hash::who_moves_to_a_smaller_table_is_lost, 1, "hash, fork", "1 thread";
    hash::who_moves_to_a_smaller_table_is_lost_a_store_later, 1, "hash, fork", "1 thread";
    hash::who_moves_to_a_smaller_table_is_lost_two_stores_later, 1, "hash, fork", "1 thread";
    hash::who_changes_a_key_is_lost, 1, "hash, fork", "1 thread";
    first_use::a_child_counts_anew, 3, "fork", "1 and the parent's 2, 1";
}
