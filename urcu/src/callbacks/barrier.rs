//! Callers that do not leave callbacks to other threads: those of `barrier`, and whoever drops the domain.

use core::ptr;

use super::host::Host;
use super::invoke::{frames, inside_callback, run};
use super::pace::COALESCE_WINDOW;
use super::queue::Which;
use super::slots;
use crate::gp::readers::Readers;
use crate::gp::sequence::Round;

/// Waits until the callbacks queued before have run, and runs some of them itself. `wait_for` waits for a
/// grace period.
#[track_caller]
pub(crate) fn barrier(host: &dyn Host, wait_for: &dyn Fn(Round)) {
    assert!(
        !inside_callback(),
        "barrier() called by an RCU callback, or by a destructor that runs in one: it might wait for \
         itself; call it elsewhere, or use call() for what is to happen later"
    );
    let callbacks = host.callbacks();
    let Some(queue) = callbacks.existing_queue() else {
        return;
    };
    let sequence = host.sequence();
    queue.seal_open(|| sequence.snap());
    // The leader of that grace period collects the chunks in the slots.
    wait_for(sequence.snap());
    let tickets: Vec<u64> = (0..queue.stripes())
        .map(|stripe| queue.next_ticket(stripe))
        .collect();
    for (stripe, below) in tickets.into_iter().enumerate() {
        let is_out = || queue.is_out(stripe, below, |_, _| false);
        while callbacks.is_current_process() && is_out() {
            take_part(host, stripe, wait_for, is_out);
        }
    }
}

/// Waits for the oldest chunk of a stripe, and runs some of its callbacks or waits for the threads that run them.
fn take_part(host: &dyn Host, stripe: usize, wait_for: &dyn Fn(Round), is_out: impl Fn() -> bool) {
    let queue = host.callbacks().queue();
    if let Some(number) = queue.front(stripe) {
        wait_for(number);
    }
    let done = host.sequence().done();
    match queue.take(stripe, done, Which::All) {
        Some((batch, _)) => run(queue, batch),
        None => queue.wait(COALESCE_WINDOW, || {
            queue.front(stripe).is_some() || !is_out()
        }),
    }
}

/// Runs all callbacks, for a domain that is being dropped, perhaps by one of them.
pub(crate) fn finish(host: &dyn Host, readers: &Readers, wait_for: &dyn Fn(Round)) {
    let callbacks = host.callbacks();
    let Some(queue) = callbacks.existing_queue() else {
        return;
    };
    let sequence = host.sequence();
    // If one of the callbacks drops the domain, the callbacks that were to run after it run now.
    let ours = || frames().filter(|frame| ptr::eq(frame.queue, queue));
    ours().for_each(|frame| frame.run_rest(queue));
    let mine = |stripe, number| ours().any(|frame| frame.batch.ticket().is(stripe, number));
    while callbacks.is_current_process() {
        queue.seal_open(|| sequence.snap());
        if slots::any_chunk(readers) {
            wait_for(sequence.snap());
        }
        // A callback on this thread's stack may be from a chunk of which a rest still waits.
        let is_left =
            |stripe| queue.front(stripe).is_some() || queue.is_out(stripe, u64::MAX, mine);
        if let Some(stripe) = (0..queue.stripes()).find(|stripe| is_left(*stripe)) {
            take_part(host, stripe, wait_for, || is_left(stripe));
        } else if !slots::any_chunk(readers) && queue.open() == 0 {
            return; // Else callbacks have queued others.
        }
    }
}
