//! The state of a domain, at a fixed address.

use core::fmt;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use crate::driver::Driver;
use crate::driver::job::Settings;
use crate::driver::worker;
use crate::gp::grace_period::GpState;
use crate::settings::SharedBudget;
use crate::stall::trace::{self, DomainId};
use crate::sync::fork;
use crate::sync::once::Once;
use crate::sync::{self, Ordering};
use crate::sys::{self, Phase, Zeroed};

/// The state of a domain, two cache lines. Unlike the `Domain`, it never moves, so guards and the worker can refer
/// to it. A forked child finds zeroes, which is the state before the first use: see `fork`.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct State {
    pub(crate) gp: GpState,
    /// Made when there is work to do.
    driver: Once<Arc<Driver>>,
}

// SAFETY: the fields are atomic integers, which may be zero, and a pointer, which may be null.
unsafe impl Zeroed for State {}

/// Not the models' atomic, because nobody reads this pointer and it orders nothing.
pub(super) type Root = core::sync::atomic::AtomicPtr<Arc<Driver>>;

sync::wiped! {
    /// The state of the global domain, at an address that the linker knows.
    pub(crate) static GLOBAL: State
}

impl State {
    sync::const_fn! {
        pub(crate) fn new() -> Self {
            State {
                gp: GpState::new(),
                driver: Once::new(),
            }
        }
    }

    /// Returns whether this is the state of the global domain.
    fn is_global(&self) -> bool {
        ptr::eq(self, GLOBAL.get())
    }

    /// Makes the kernel wipe the global domain's state in children. Allocated states are wiped from the start.
    fn prepare(&self) {
        fork::generation();
        if self.is_global() {
            GLOBAL.prepare();
        }
    }

    /// Forgets the recorded sections whose guards were forgotten, when a domain ends.
    pub(super) fn forget_trace(&self) -> bool {
        trace::forget(DomainId::of(self), || self.gp.readers.any_left())
    }

    /// Allocates a state in per-CPU memory. It uses the memory of one CPU; that of the other CPUs is never touched.
    pub(super) fn allocate(name: Option<&'static str>) -> NonNull<State> {
        let state = NonNull::new(sys::allocate::<State>()).expect("an address");
        // SAFETY: zeroes are a valid state, and nobody else knows it.
        unsafe { state.as_ref() }.set_name(name);
        state
    }

    /// Stores the name for messages: guards only know the state, and the domain itself may move.
    fn set_name(&self, name: Option<&'static str>) {
        if let Some(name) = name {
            let [address, length] = &self.gp.readers.name;
            length.store(name.len(), Ordering::Relaxed);
            // Release: the length is there before the address.
            address.store(name.as_ptr().expose_provenance(), Ordering::Release);
        }
    }

    /// Returns the name, or the address of the state if there is none. In a forked child the name is known once the
    /// domain is used for more than reading.
    pub(crate) fn shown(&self) -> Shown<'_> {
        Shown(self)
    }

    /// # Safety
    /// `state` is from [`State::allocate`] and nobody uses it any more.
    pub(super) unsafe fn free(state: NonNull<State>) {
        // SAFETY: the state is from `allocate`, and nobody uses it or its readers' slots any more, as the caller
        // promises.
        unsafe {
            if let Some(phase) = state.as_ref().gp.readers.current() {
                sys::free_slots(phase);
            }
            sys::free(state.as_ptr());
        }
    }

    /// Sets the readers up, in every process and again in every forked child.
    #[cold]
    #[inline(never)]
    fn set_up(&self) {
        // This comes before any store to memory that the next child must find wiped.
        self.prepare();
        // Determined now and remembered: this takes stack, of which a signal handler may have little, and so does
        // what follows.
        sys::slots();
        let phase = sys::allocate_slots();
        if !self.gp.readers.set_up(phase, worker::parker()) {
            // SAFETY: nobody else knows it.
            unsafe { sys::free_slots(phase) };
        }
    }

    /// Returns the driver, if it was made in this process. If a signal handler forks between making and publishing
    /// the driver, the child publishes its parent's driver, which does not count.
    #[inline]
    pub(crate) fn existing_driver(&self) -> Option<&Arc<Driver>> {
        self.driver
            .get()
            .filter(|driver| driver.is_current_process())
    }

    /// Returns the driver, and makes it if there is none. The readers are then set up, so grace periods are
    /// possible.
    pub(super) fn driver(
        &self,
        settings: &Settings,
        budget: &SharedBudget,
        root: &Root,
    ) -> &Arc<Driver> {
        match self.existing_driver() {
            Some(driver) => driver,
            None => self.make_driver(settings, budget, root),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_driver(&self, settings: &Settings, budget: &SharedBudget, root: &Root) -> &Arc<Driver> {
        let make = || {
            // This comes first. If a handler forks meanwhile, the driver does not count as the child's, however
            // much of the following has happened.
            self.prepare();
            let fork_generation = fork::generation();
            if !self.gp.readers.is_set_up() {
                self.set_up();
            }
            self.set_name(settings.name);
            // SAFETY: `Domain::drop` closes them first; the global domain is not dropped.
            unsafe { Driver::new(&self.gp, settings.clone(), budget, fork_generation) }
        };
        let driver = self
            .driver
            .get_or_make(|driver| driver.is_current_process(), make);
        root.store(ptr::from_ref(driver).cast_mut(), Ordering::Relaxed);
        driver
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn read_lock_slow(&self) -> Phase {
        loop {
            if let Some(phase) = self.gp.readers.enter_slow() {
                return phase;
            }
            self.set_up();
        }
    }
}

/// A domain in messages.
pub(crate) struct Shown<'a>(&'a State);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_global() {
            return write!(f, "RCU domain \"global\"");
        }
        let [address, length] = &self.0.gp.readers.name;
        let address = address.load(Ordering::Acquire);
        if address == 0 {
            return write!(f, "RCU domain at {:p}", self.0);
        }
        // SAFETY: these are the parts of a `&'static str` (`State::set_name`). The length was stored before the
        // address, and no other name is ever stored.
        let name = unsafe {
            core::str::from_utf8_unchecked(core::slice::from_raw_parts(
                ptr::with_exposed_provenance(address),
                length.load(Ordering::Relaxed),
            ))
        };
        write!(f, "RCU domain \"{name}\"")
    }
}

#[cfg(test)]
#[cfg(any(debug_assertions, feature = "stall-trace"))]
mod tests {
    use super::*;
    use crate::Domain;

    fn open(domain: &Domain) -> usize {
        trace::open(DomainId::of(domain.state())).len()
    }

    #[test]
    fn the_table_is_looked_through_only_for_a_guard_that_was_forgotten() {
        let domain = Domain::new();
        drop((domain.read_lock(), domain.read_lock()));
        domain.synchronize();
        let moved = domain.read_lock();
        std::thread::scope(|scope| {
            scope.spawn(|| drop(moved));
        });
        domain.synchronize();
        drop(domain.read_lock());
        assert!(!domain.state().forget_trace(), "no guard was forgotten");
        std::mem::forget(domain.read_lock());
        assert_eq!(open(&domain), 1);
        assert!(domain.state().forget_trace(), "a guard was forgotten");
        assert_eq!(open(&domain), 0);
    }

    #[test]
    fn a_guard_that_was_forgotten_in_the_phase_before_is_known() {
        let domain = Domain::new();
        std::mem::forget(domain.read_lock());
        let readers = &domain.state().gp.readers;
        let phase = readers.current();
        let grace_period = domain.start_poll();
        while readers.current() == phase {
            assert!(!domain.poll(&grace_period));
        }
        assert!(domain.state().forget_trace(), "a guard was forgotten");
        assert_eq!(open(&domain), 0);
    }
}
