//! Queueing callbacks where a CPU's chunk has no room for one more, or there are no sequences.

use core::sync::atomic::Ordering::SeqCst;

use super::chunk::ChunkEnd;
use super::host::Host;
use super::invoke::{inside_callback, run};
use super::pace::begin_grace_period_if_due;
use super::queue::Which;
use super::record::Callback;
use super::room::wait_for_room;
use super::{seal, slots};
use crate::gp::grace_period::GpState;
use crate::sys::{self, Appended};

/// The number of times a sequence is tried before the stripe's lock is taken.
const ATTEMPTS: u32 = 16;

/// A domain, for its callbacks.
pub(crate) type Home<'d> = (&'d GpState, &'d dyn Host);

/// Queues a callback that [`slots::append`] could not append, which returned `found`. `home` finds the
/// domain's parts, which differ in a forked child.
pub(crate) fn enqueue_slow<'d>(
    home: &dyn Fn() -> Home<'d>,
    mut found: Appended,
    callback: Callback,
    waits: bool,
) {
    let (gp, host) = home();
    let helps = callback.drops();
    if gp.readers.has_sequences() && !callback.is_large() {
        for _ in 0..ATTEMPTS {
            match found {
                Appended::At(_) => break,
                Appended::Full(word) => {
                    if !give_chunk(host, gp, ChunkEnd::of_word(word), helps) {
                        break;
                    }
                }
                Appended::Aborted => {}
            }
            // SAFETY: the record of a callback, which is there until this returns.
            found = unsafe { slots::append(&gp.readers, callback.record()) };
        }
        if let Appended::At(_) = found {
            if !host.callbacks().is_current_process() {
                // A signal handler may have forked, and this may be the child: its slots are unknown to its
                // parent's driver.
                let (_, host) = home();
                host.callbacks().queue().installed.store(true, SeqCst);
                host.schedule();
            }
            return;
        }
    }
    wait_for_room(host, gp, waits, helps);
    // The hook for reports may have forked, and this may be the child.
    let (gp, host) = home();
    let snap = || host.sequence().snap();
    let first = host.callbacks().queue().push(sys::cpu(), callback, snap);
    if first || !host.attend() {
        host.schedule();
    }
    if helps {
        begin_grace_period_if_due(host, gp);
        help(host);
    }
}

/// Gives the calling CPU an empty chunk in the place of the one that ends at `end`, if any. Returns false
/// if the budget is exceeded, so that there is none. A caller that `helps` also begins grace periods.
fn give_chunk(host: &dyn Host, gp: &GpState, end: Option<ChunkEnd>, helps: bool) -> bool {
    let queue = host.callbacks().queue();
    if !host.callbacks().has_room() {
        return false;
    }
    if !host.attend() {
        // The driver cannot be reached now. As the slot stays without a chunk, the next callback comes here
        // again.
        return false;
    }
    let cpu = sys::cpu();
    let new = queue.chunk(cpu);
    // Before the full chunk leaves its slot: a `barrier` after that must know of it.
    let full = end.map(|end| (end, queue.ticket(cpu)));
    // SAFETY: the chunk is empty and left to the slot if it is committed.
    let exchanged = unsafe { seal::exchange(&gp.readers, host.sequence(), end, new.start()) };
    let Some(number) = exchanged else {
        queue.recycle(cpu, new);
        if let Some((_, ticket)) = full {
            queue.cancel(ticket);
        }
        return true;
    };
    new.leave();
    if let Some((end, ticket)) = full {
        // SAFETY: it was in the slot, and this thread has taken it out.
        let (chunk, length) = unsafe { end.take_chunk() };
        queue.seal(chunk, length, number, &ticket);
        if helps {
            begin_grace_period_if_due(host, gp);
        }
    } else {
        // The first callback of this CPU since the last grace period.
        queue.installed.store(true, SeqCst);
    }
    // The worker may not know of the callbacks, or may have looked while this thread had the full chunk.
    host.schedule();
    true
}

/// Drops some values that were retired on this CPU and are ready.
pub(crate) fn help(host: &dyn Host) {
    if inside_callback() || !host.shares_work() {
        return;
    }
    let Some(queue) = host.callbacks().existing_queue() else {
        return;
    };
    let done = host.sequence().done();
    let stripe = sys::cpu();
    if let Some((batch, backlog)) = queue.take(stripe, done, Which::Drops) {
        run(queue, batch);
        // A value's drop may have forked, and this may be the child.
        if backlog
            && host.callbacks().is_current_process()
            && let Some((batch, _)) = queue.take(stripe, done, Which::Drops)
        {
            run(queue, batch);
        }
    }
}
