//! Who does not leave the work to others: callers of `barrier` and of `run_callbacks`, and whoever
//! drops the domain.

use core::ptr;
use core::time::Duration;
use std::sync::Arc;

use super::invoke::{frames, inside_callback, run};
use super::pace::COALESCE_WINDOW;
use super::queue::Which;
use crate::domain::State;
use crate::driver::Driver;
use crate::stall::Watch;
use crate::sync::{catch_unwind, thread};
use crate::sys;

/// Waits for a grace period, also where the kernel refuses the barrier for a while (the thread may
/// have inherited a filter, or memory is short): callbacks wait then, and none is lost.
fn wait_for(state: &State, driver: &Arc<Driver>, round: u64, watch: &Watch<'_>) {
    let mut pause = Duration::from_millis(1);
    while driver.is_current_process() && !driver.progress.sequence.is_done(round) {
        if let Err(refused) = driver.wait_for(state, round, watch) {
            // For the panic hook, which says so.
            let _ = catch_unwind(|| sys::cannot_end(refused));
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(60));
        }
    }
    driver.tell(round);
}

/// Waits until the callbacks queued before have run, and takes part.
#[track_caller]
pub(crate) fn barrier(state: &State, driver: &Arc<Driver>) {
    assert!(
        !inside_callback(),
        "barrier() called by an RCU callback, or by a destructor that runs in one: it might wait for \
         itself; call it elsewhere, or use call() for what is to happen later"
    );
    let Some(queue) = driver.queue.get() else {
        return;
    };
    let watch = Watch::blocking(driver);
    let sequence = &driver.progress.sequence;
    queue.seal_open(|| sequence.snap());
    // Its leader collects what is in the slots.
    wait_for(state, driver, sequence.snap(), &watch);
    let tickets: Vec<u64> = (0..queue.stripes())
        .map(|stripe| queue.next_ticket(stripe))
        .collect();
    for (stripe, below) in tickets.into_iter().enumerate() {
        let is_out = || queue.is_out(stripe, below, |_, _| false);
        while driver.is_current_process() && is_out() {
            take_part(state, driver, stripe, &watch, is_out);
        }
    }
}

/// Waits for the oldest chunk of a stripe, and runs some of it, or waits for those who do.
fn take_part(
    state: &State,
    driver: &Arc<Driver>,
    stripe: usize,
    watch: &Watch<'_>,
    is_out: impl Fn() -> bool,
) {
    let queue = driver.queue();
    if let Some(round) = queue.front(stripe) {
        wait_for(state, driver, round, watch);
    }
    let done = driver.progress.sequence.done();
    match queue.take(stripe, done, Which::All) {
        Some((batch, _)) => run(queue, batch),
        None => queue.wait(COALESCE_WINDOW, || {
            queue.front(stripe).is_some() || !is_out()
        }),
    }
}

/// Runs all callbacks, for a domain that is being dropped, perhaps by one of them.
pub(crate) fn finish(state: &State, driver: &Arc<Driver>) {
    let Some(queue) = driver.queue.get() else {
        return;
    };
    let watch = Watch::passing(driver);
    let sequence = &driver.progress.sequence;
    // If one of the callbacks drops the domain, what was to run after it runs now.
    let ours = || frames().filter(|frame| ptr::eq(frame.queue, queue));
    ours().for_each(|frame| frame.run_rest(queue));
    let mine = |stripe, number| ours().any(|frame| frame.batch.ticket().is(stripe, number));
    while driver.is_current_process() {
        queue.seal_open(|| sequence.snap());
        if state.gp.readers.any_chunk() {
            wait_for(state, driver, sequence.snap(), &watch);
        }
        // What is left of a chunk that a callback on this thread's stack is from waits too.
        let is_left =
            |stripe| queue.front(stripe).is_some() || queue.is_out(stripe, u64::MAX, mine);
        if let Some(stripe) = (0..queue.stripes()).find(|stripe| is_left(*stripe)) {
            take_part(state, driver, stripe, &watch, || is_left(stripe));
        } else if !state.gp.readers.any_chunk() && queue.open() == 0 {
            return; // Else callbacks have queued others.
        }
    }
}

/// What the worker does, by whoever calls this: see [`Domain::run_callbacks`].
///
/// [`Domain::run_callbacks`]: crate::Domain::run_callbacks
pub(crate) fn run_now(state: &State, driver: &Arc<Driver>, most: usize) -> usize {
    if inside_callback() {
        return 0; // One inside the other, they could use up the stack.
    }
    let sequence = &driver.progress.sequence;
    let ran = driver.run_up_to(sequence.done(), most);
    // Who wants none run wants the step.
    if (ran >= most && most != 0) || !driver.is_current_process() {
        return ran;
    }
    if let Some(queue) = driver.queue.get()
        && !driver.wants_more()
        && driver.has_callbacks()
    {
        driver.ask(queue);
    }
    // Refused barriers are tried again with the next call.
    let watch = Watch::passing(driver);
    let _ = driver.advance(state, &watch);
    watch.tell();
    if !driver.is_current_process() {
        return ran;
    }
    driver.tell(sequence.done());
    ran + driver.run_up_to(sequence.done(), most - ran)
}
