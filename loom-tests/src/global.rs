//! In the place of `urcu/src/global.rs`: models have domains of their own.

use crate::domain::{Domain, State};

pub(crate) fn global() -> &'static Domain {
    unreachable!("the global domain is a static, which loom's atomics cannot be in")
}

pub(crate) fn global_state() -> &'static State {
    unreachable!("as above")
}
