//! In the place of `urcu/src/stall/trace.rs`: nothing is noted, as in builds without debug assertions.

use crate::domain::State;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace;

impl Trace {
    pub(crate) fn begin(_: &State) -> Trace {
        Trace
    }
    pub(crate) fn used(self) {}
    pub(crate) fn end(self) {}
}

pub(crate) fn forget(_: &State) -> bool {
    false
}

/// As shipped.
pub(crate) struct Site;

pub(crate) fn begun_by_this_thread(_: *const State) -> Option<Site> {
    None
}
