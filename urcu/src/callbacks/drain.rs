//! Who does not leave the work to others: callers of `barrier` and of `run_callbacks`, and whoever
//! drops the domain.

use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use super::queue::Which;
use super::{PACE, frames, inside_callback, run};
use crate::domain::State;
use crate::machine::{self, Watch, catch_unwind, thread};
use crate::tasks::Tasks;

/// Waits for a grace period, also where the kernel refuses the barrier for a while (the thread may
/// have inherited a filter, or memory is short): callbacks wait then, and none is lost.
fn wait_for(state: &State, tasks: &Arc<Tasks>, round: u64, watch: &Watch<'_>) {
    let mut pause = Duration::from_millis(1);
    while tasks.is_ours() && !tasks.progress.rounds.is_done(round) {
        if let Err(refused) = tasks.wait_for(state, round, watch) {
            // For the panic hook, which says so.
            let _ = catch_unwind(|| machine::cannot_end(refused));
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(60));
        }
    }
    tasks.tell(round);
}

/// Waits until the callbacks queued before have run, and takes part.
#[track_caller]
pub(crate) fn barrier(state: &State, tasks: &Arc<Tasks>) {
    assert!(
        !inside_callback(),
        "barrier() called by an RCU callback, or by a destructor that runs in one: it might wait for \
         itself; call it elsewhere, or use call() for what is to happen later"
    );
    let Some(queue) = tasks.queue.get() else {
        return;
    };
    let watch = Watch::blocking(tasks);
    let rounds = &tasks.progress.rounds;
    queue.seal_loose(|| rounds.join());
    // Its leader collects what is in the slots.
    wait_for(state, tasks, rounds.join(), &watch);
    let tickets: Vec<u64> = (0..queue.stripes())
        .map(|stripe| queue.next_ticket(stripe))
        .collect();
    for (stripe, below) in tickets.into_iter().enumerate() {
        let is_out = || queue.is_out(stripe, below, |_, _| false);
        while tasks.is_ours() && is_out() {
            take_part(state, tasks, stripe, &watch, is_out);
        }
    }
}

/// Waits for the oldest chunk of a stripe, and runs some of it, or waits for those who do.
fn take_part(
    state: &State,
    tasks: &Arc<Tasks>,
    stripe: usize,
    watch: &Watch<'_>,
    is_out: impl Fn() -> bool,
) {
    let queue = tasks.queue();
    if let Some(round) = queue.front(stripe) {
        wait_for(state, tasks, round, watch);
    }
    let done = tasks.progress.rounds.done();
    match queue.take(stripe, done, Which::All) {
        Some((batch, _)) => run(queue, batch),
        None => queue.wait(PACE, || queue.front(stripe).is_some() || !is_out()),
    }
}

/// Runs all callbacks, for a domain that is being dropped, perhaps by one of them.
pub(crate) fn finish(state: &State, tasks: &Arc<Tasks>) {
    let Some(queue) = tasks.queue.get() else {
        return;
    };
    let watch = Watch::passing(tasks);
    let rounds = &tasks.progress.rounds;
    // If one of the callbacks drops the domain, what was to run after it runs now.
    let ours = || frames().filter(|frame| ptr::eq(frame.queue, queue));
    ours().for_each(|frame| frame.run_rest(queue));
    let mine = |stripe, number| ours().any(|frame| frame.batch.ticket().is(stripe, number));
    while tasks.is_ours() {
        queue.seal_loose(|| rounds.join());
        if state.grace_periods.readers.any_chunk() {
            wait_for(state, tasks, rounds.join(), &watch);
        }
        // What is left of a chunk that a callback on this thread's stack is from waits too.
        let is_left =
            |stripe| queue.front(stripe).is_some() || queue.is_out(stripe, u64::MAX, mine);
        if let Some(stripe) = (0..queue.stripes()).find(|stripe| is_left(*stripe)) {
            take_part(state, tasks, stripe, &watch, || is_left(stripe));
        } else if !state.grace_periods.readers.any_chunk() && queue.loose() == 0 {
            return; // Else callbacks have queued others.
        }
    }
}

/// What the worker does, by whoever calls this: see [`Domain::run_callbacks`].
///
/// [`Domain::run_callbacks`]: crate::Domain::run_callbacks
pub(crate) fn run_now(state: &State, tasks: &Arc<Tasks>, most: usize) -> usize {
    if inside_callback() {
        return 0; // One inside the other, they could use up the stack.
    }
    let rounds = &tasks.progress.rounds;
    let ran = tasks.run_up_to(rounds.done(), most);
    if ran >= most || !tasks.is_ours() {
        return ran;
    }
    if let Some(queue) = tasks.queue.get()
        && !tasks.wants_more()
        && tasks.has_callbacks()
    {
        tasks.ask(queue);
    }
    // Refused barriers are tried again with the next call.
    let watch = Watch::passing(tasks);
    let _ = tasks.advance(state, &watch);
    watch.tell();
    if !tasks.is_ours() {
        return ran;
    }
    tasks.tell(rounds.done());
    ran + tasks.run_up_to(rounds.done(), most - ran)
}
