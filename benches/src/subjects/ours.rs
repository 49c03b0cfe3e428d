//! This library.

use std::hint::black_box;
use std::sync::Arc;

use urcu::{Cache, Rcu, RcuArc};

use crate::subject::{GUARD, Kind, READ, SNAPSHOT, Subject};

/// The package of this library.
pub(super) const PACKAGE: &str = "urcu-percpu";

pub(super) const KINDS: [Kind; 6] = [
    Kind::of::<Guard>(
        GUARD,
        PACKAGE,
        "`read_lock`, `Rcu::load`, drop; `Rcu::store`",
    ),
    Kind::of::<Nested>(
        "urcu guard, nested",
        PACKAGE,
        "the same within another section",
    ),
    Kind::of::<Refresh>(
        "urcu guard + refresh",
        PACKAGE,
        "one guard for the loop, `refresh` before each `Rcu::load`",
    ),
    Kind::of::<Read>(READ, PACKAGE, "`Rcu::read`"),
    Kind::of::<Cached>(
        "urcu Cache",
        PACKAGE,
        "a `Cache` of an `RcuArc` for each thread, `Cache::load`; `RcuArc::store`",
    ),
    Kind::of::<Snapshot>(SNAPSHOT, PACKAGE, "`Rcu::snapshot`: a copy, no section"),
];

/// Returns the sum of what `count` sections of a guard read.
#[inline(never)]
pub fn guard_sections(cell: &Rcu<u64>, count: u64) -> u64 {
    let mut sum = 0u64;
    for _ in 0..count {
        let guard = urcu::read_lock();
        sum = sum.wrapping_add(*cell.load(&guard));
    }
    black_box(sum)
}

macro_rules! subject {
    ($name:ident, |$cell:ident, $count:ident| $sum:expr, |$held:ident| $value:expr) => {
        struct $name(Rcu<u64>);

        impl Subject for $name {
            fn new(value: u64) -> Self {
                Self(Rcu::new(value))
            }

            fn store(&self, value: u64) {
                self.0.store(value);
            }

            fn held(&self, body: &mut dyn FnMut(u64)) {
                let $held = &self.0;
                let value = $value;
                body(*value);
            }

            #[inline(never)]
            fn sum(&self, $count: u64) -> u64 {
                let $cell = &self.0;
                $sum
            }
        }
    };
}

subject!(Guard, |cell, count| guard_sections(cell, count), |cell| {
    cell.read()
});
subject!(
    Nested,
    |cell, count| {
        let _outer = urcu::read_lock();
        guard_sections(cell, count)
    },
    |cell| cell.read()
);
subject!(
    Refresh,
    |cell, count| {
        let mut guard = urcu::read_lock();
        let mut sum = 0u64;
        for _ in 0..count {
            guard.refresh();
            sum = sum.wrapping_add(*black_box(cell).load(&guard));
        }
        black_box(sum)
    },
    |cell| cell.read()
);
subject!(
    Read,
    |cell, count| {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*cell.read());
        }
        black_box(sum)
    },
    |cell| cell.read()
);
subject!(
    Snapshot,
    |cell, count| {
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(cell.snapshot());
        }
        black_box(sum)
    },
    |cell| &cell.snapshot()
);

struct Cached(RcuArc<u64>);

impl Subject for Cached {
    fn new(value: u64) -> Self {
        Self(RcuArc::new(Arc::new(value)))
    }

    fn store(&self, value: u64) {
        self.0.store(Arc::new(value));
    }

    fn held(&self, body: &mut dyn FnMut(u64)) {
        let mut cache = Cache::new(&self.0);
        body(*cache.load());
    }

    #[inline(never)]
    fn sum(&self, count: u64) -> u64 {
        let mut cache = Cache::new(&self.0);
        let mut sum = 0u64;
        for _ in 0..count {
            sum = sum.wrapping_add(*cache.load());
        }
        black_box(sum)
    }
}
