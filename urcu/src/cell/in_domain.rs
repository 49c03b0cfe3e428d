//! Which domain a cell belongs to.

use crate::domain::{Domain, State};
use crate::global::{global, global_state};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Global {}
    impl Sealed for &super::Domain {}
}

/// Names the domain that a cell belongs to: [`Global`] or `&Domain`. Sealed.
#[expect(private_interfaces, reason = "sealed; only this crate calls `state`")]
pub trait InDomain: sealed::Sealed {
    /// Returns the domain.
    fn domain(&self) -> &Domain;
    #[doc(hidden)]
    fn state(&self) -> &State;
}

/// Stands for the [`global`] domain in the type of a cell. Zero-sized.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

#[expect(private_interfaces, reason = "see the trait")]
impl InDomain for Global {
    fn domain(&self) -> &Domain {
        global()
    }
    #[inline(always)]
    fn state(&self) -> &State {
        global_state()
    }
}

#[expect(private_interfaces, reason = "see the trait")]
impl InDomain for &Domain {
    fn domain(&self) -> &Domain {
        self
    }
    #[inline(always)]
    fn state(&self) -> &State {
        Domain::state(self)
    }
}
