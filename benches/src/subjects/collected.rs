//! Libraries that defer what was replaced: epochs, hyaline, hazard pointers, and counted pointers on
//! top of them.

use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::sync::atomic::{AtomicPtr, Ordering};

use haphazard::{AtomicPtr as HazardCell, HazardPointer};
use seize::{Collector, Guard, reclaim};

use crate::subject::{CROSSBEAM, Kind, Subject};
use crate::subjects::ours::PACKAGE;

pub(super) const KINDS: [Kind; 7] = [
    Kind::of::<Epoch>(
        CROSSBEAM,
        "crossbeam-epoch",
        "`pin`, `Atomic::load`; `swap`, `defer_destroy`",
    ),
    Kind::of::<Seize>(
        "seize",
        "seize",
        "`enter`, `protect`; `swap`, `defer_retire`",
    ),
    Kind::of::<Hazard>(
        "haphazard",
        "haphazard",
        "one `HazardPointer` for the loop, `safe_load`, `reset_protection`; `swap`, `retire`",
    ),
    Kind::of::<HazardEach>(
        "haphazard, a new pointer",
        "haphazard",
        "a `HazardPointer` for each read",
    ),
    Kind::of::<Kovan>("kovan", "kovan", "`Atom::load`; `Atom::store`"),
    Kind::of::<Sdd>("sdd", "sdd", "`Guard::new`, `AtomicOwned::load`; `swap`"),
    Kind::of::<Circ>("circ", "circ", "`cs`, `AtomicRc::load`; `AtomicRc::store`"),
];

/// crossbeam-epoch's interface, by a crate that has it.
macro_rules! epoch_subject {
    ($name:ident, $epoch:ident) => {
        struct $name($epoch::Atomic<u64>);

        impl Subject for $name {
            fn new(value: u64) -> Self {
                Self($epoch::Atomic::new(value))
            }

            fn store(&self, value: u64) {
                let guard = $epoch::pin();
                let old = self.0.swap($epoch::Owned::new(value), AcqRel, &guard);
                // SAFETY: the swap took the only pointer to the value, which nobody else retires.
                unsafe { guard.defer_destroy(old) };
            }

            fn held(&self, body: &mut dyn FnMut(u64)) {
                let guard = $epoch::pin();
                let shared = self.0.load(Acquire, &guard);
                // SAFETY: never null, and not freed before the guard is dropped.
                body(unsafe { *shared.deref() });
            }

            #[inline(never)]
            fn sum(&self, count: u64) -> u64 {
                let mut sum = 0u64;
                for _ in 0..count {
                    let guard = $epoch::pin();
                    let shared = self.0.load(Acquire, &guard);
                    // SAFETY: never null, and not freed before the guard is dropped.
                    sum = sum.wrapping_add(unsafe { *shared.deref() });
                }
                black_box(sum)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                let shared = std::mem::replace(&mut self.0, $epoch::Atomic::null());
                // SAFETY: `&mut self`: nobody reads the value, which no other pointer owns.
                drop(unsafe { shared.try_into_owned() });
            }
        }
    };
}

epoch_subject!(Epoch, crossbeam_epoch);
epoch_subject!(Face, crossbeam_face);

/// This library's face of crossbeam-epoch.
pub(super) const FACE: Kind = Kind::of::<Face>(
    "urcu crossbeam face",
    PACKAGE,
    "`urcu/compat/crossbeam-epoch`: as crossbeam-epoch",
);

struct Seize(AtomicPtr<u64>);

static COLLECTOR: LazyLock<Collector> = LazyLock::new(Collector::new);

impl Subject for Seize {
    fn new(value: u64) -> Self {
        Self(AtomicPtr::new(Box::into_raw(Box::new(value))))
    }

    fn store(&self, value: u64) {
        let new = Box::into_raw(Box::new(value));
        let guard = COLLECTOR.enter();
        let old = guard.swap(&self.0, new, AcqRel);
        // SAFETY: the swap took the only pointer to the value, which came from a box and which
        // nobody else retires.
        unsafe { guard.defer_retire(old, reclaim::boxed) };
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let guard = COLLECTOR.enter();
        // SAFETY: never null, and not freed before the guard is dropped.
        body(unsafe { *guard.protect(&self.0, Acquire) });
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        // As its guide has it: whoever owns the collector has it at hand.
        let collector = &*COLLECTOR;
        for _ in 0..count {
            let guard = collector.enter();
            // SAFETY: never null, and not freed before the guard is dropped.
            sum = sum.wrapping_add(unsafe { *guard.protect(&self.0, Acquire) });
        }
        black_box(sum)
    }
}

impl Drop for Seize {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: nobody reads the value, and no other pointer owns it.
        drop(unsafe { Box::from_raw(*self.0.get_mut()) });
    }
}

/// A cell of haphazard's that frees its last value.
struct Hazards(HazardCell<u64>);

impl Hazards {
    fn store(&self, value: u64) {
        let old = self.0.swap(Box::new(value)).expect("never null");
        // SAFETY: the swap took the only pointer to the value, which nobody else retires.
        unsafe { old.retire() };
    }
}

impl Drop for Hazards {
    fn drop(&mut self) {
        let value = self.0.load_ptr();
        // SAFETY: `&mut self`: nobody reads the value, which came from a box and which no other
        // pointer owns.
        drop(unsafe { Box::from_raw(value) });
    }
}

struct Hazard(Hazards);

impl Subject for Hazard {
    fn new(value: u64) -> Self {
        Self(Hazards(HazardCell::from(Box::new(value))))
    }

    fn store(&self, value: u64) {
        self.0.store(value);
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let mut hazard = HazardPointer::new();
        body(*self.0.0.safe_load(&mut hazard).expect("never null"));
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut hazard = HazardPointer::new();
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*self.0.0.safe_load(&mut hazard).expect("never null"));
            hazard.reset_protection();
        }
        black_box(sum)
    }
}

struct HazardEach(Hazards);

impl Subject for HazardEach {
    fn new(value: u64) -> Self {
        Self(Hazards(HazardCell::from(Box::new(value))))
    }

    fn store(&self, value: u64) {
        self.0.store(value);
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let mut hazard = HazardPointer::new();
        body(*self.0.0.safe_load(&mut hazard).expect("never null"));
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            let mut hazard = HazardPointer::new();
            sum = sum.wrapping_add(*self.0.0.safe_load(&mut hazard).expect("never null"));
        }
        black_box(sum)
    }
}

struct Kovan(kovan::Atom<u64>);

impl Subject for Kovan {
    fn new(value: u64) -> Self {
        Self(kovan::Atom::new(value))
    }

    fn store(&self, value: u64) {
        self.0.store(value);
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let value = self.0.load();
        body(*value);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*self.0.load());
        }
        black_box(sum)
    }
}

struct Sdd(sdd::AtomicOwned<u64>);

impl Subject for Sdd {
    fn new(value: u64) -> Self {
        Self(sdd::AtomicOwned::new(value))
    }

    fn store(&self, value: u64) {
        let new = (Some(sdd::Owned::new(value)), sdd::Tag::None);
        drop(self.0.swap(new, Ordering::AcqRel));
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let guard = sdd::Guard::new();
        let value = self.0.load(Acquire, &guard).as_ref();
        body(*value.expect("never null"));
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            let guard = sdd::Guard::new();
            let value = self.0.load(Acquire, &guard).as_ref();
            sum = sum.wrapping_add(*value.expect("never null"));
        }
        black_box(sum)
    }
}

/// A graph without edges, because circ counts references in graphs.
struct Leaf(u64);

// SAFETY: there are no edges to pop.
unsafe impl circ::RcObject for Leaf {
    fn pop_edges(&mut self, _: &mut Vec<circ::Rc<Self>>) {}
}

struct Circ(circ::AtomicRc<Leaf>);

impl Subject for Circ {
    fn new(value: u64) -> Self {
        Self(circ::AtomicRc::new(Leaf(value)))
    }

    fn store(&self, value: u64) {
        let guard = circ::cs();
        self.0.store(circ::Rc::new(Leaf(value)), AcqRel, &guard);
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let guard = circ::cs();
        let value = self.0.load(Acquire, &guard);
        body(value.as_ref().expect("never null").0);
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut sum = 0u64;
        for _ in 0..count {
            let guard = circ::cs();
            let value = self.0.load(Acquire, &guard);
            sum = sum.wrapping_add(value.as_ref().expect("never null").0);
        }
        black_box(sum)
    }
}
