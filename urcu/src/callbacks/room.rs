//! Waiting for room in the budget.

use core::sync::atomic::Ordering::Relaxed;

use super::host::Host;
use super::invoke::inside_callback;
use super::pace::{COALESCE_WINDOW, begin_grace_period_if_due};
use crate::gp::grace_period::GpState;
use crate::stall;
use crate::sync::Instant;

/// Waits until there is room in the budget, for its patience at most. Does not wait unless `waits` is set.
/// No callback, destructor or waker runs here unless the caller `helps`; only the hook for reports may.
pub(super) fn wait_for_room(host: &dyn Host, gp: &GpState, waits: bool, helps: bool) {
    let callbacks = host.callbacks();
    let has_room = || callbacks.has_room();
    if has_room() {
        return;
    }
    let (queue, limits) = (callbacks.queue(), &callbacks.limits);
    if waits && !inside_callback() {
        queue.held_up.fetch_add(1, Relaxed);
        // Inside the hook nothing is reported.
        if !stall::is_in_hook() && limits.take_report() {
            host.report_held_up(gp, limits.budget(), queue.pending());
        }
        let begun = Instant::now();
        // A child that was forked meanwhile does not wait for callbacks of its parent.
        while callbacks.is_current_process() {
            if helps {
                begin_grace_period_if_due(host, gp);
            }
            let left = limits.budget().patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            queue.wait(left.min(COALESCE_WINDOW), has_room);
            if has_room() {
                return;
            }
            host.schedule();
        }
    }
    queue.over_budget.fetch_add(1, Relaxed);
}
