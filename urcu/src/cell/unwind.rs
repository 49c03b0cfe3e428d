//! Unwind safety: a value is published in one step, so a panic never leaves a cell half changed.

use core::panic::{RefUnwindSafe, UnwindSafe};

use super::link::{Link, NodeBox};
use super::{InDomain, OwnedRef, Payload, RcuCell, Ref, StaticDomain, Unlinked};
use crate::domain::{Domain, DomainType, GuardOf, ReadGuard};

impl UnwindSafe for Domain {}
impl RefUnwindSafe for Domain {}
impl UnwindSafe for ReadGuard<'_> {}
impl RefUnwindSafe for ReadGuard<'_> {}
impl<D: DomainType> UnwindSafe for GuardOf<D> {}
impl<D: DomainType> RefUnwindSafe for GuardOf<D> {}

// Readers see the value through a `&T`.
impl<P: Payload, D: InDomain> UnwindSafe for RcuCell<P, D> where P::Target: RefUnwindSafe {}
impl<P: Payload, D: InDomain> RefUnwindSafe for RcuCell<P, D> where P::Target: RefUnwindSafe {}
impl<P: Payload + Send, D: InDomain> UnwindSafe for Unlinked<P, D> where P::Target: RefUnwindSafe {}
impl<P: Payload + Send, D: InDomain> RefUnwindSafe for Unlinked<P, D> where P::Target: RefUnwindSafe {}
impl<T: RefUnwindSafe + ?Sized> UnwindSafe for Ref<'_, T> {}
impl<T: RefUnwindSafe + ?Sized> RefUnwindSafe for Ref<'_, T> {}
impl<C: RefUnwindSafe, T: RefUnwindSafe + ?Sized> UnwindSafe for OwnedRef<C, T> {}
impl<C: RefUnwindSafe, T: RefUnwindSafe + ?Sized> RefUnwindSafe for OwnedRef<C, T> {}
impl<T: RefUnwindSafe + Send + Sync, D: StaticDomain> UnwindSafe for Link<T, D> {}
impl<T: RefUnwindSafe + Send + Sync, D: StaticDomain> RefUnwindSafe for Link<T, D> {}
impl<T: UnwindSafe + Send + Sync, D: StaticDomain> UnwindSafe for NodeBox<T, D> {}
impl<T: RefUnwindSafe + Send + Sync, D: StaticDomain> RefUnwindSafe for NodeBox<T, D> {}
