//! The per-CPU stack of `rseq-ops` (`banks`, `lock`, `stack`), unchanged, and the little of
//! `rseq_ops::percpu` that it needs besides: memory for each CPU of the emulated kernel.

#[path = "../../../rseq-ops/src/percpu/banks.rs"]
mod banks;
#[path = "../../../rseq-ops/src/percpu/lock.rs"]
mod lock;
mod per_cpu;
#[allow(unreachable_pub)] // Public where it ships.
#[path = "../../../rseq-ops/src/percpu/stack.rs"]
mod stack;

use crate::kernel::lists::possible_cpus;
pub(crate) use stack::{Node, Stack};

/// Stands for `rseq-ops/src/percpu/sys.rs`.
mod sys {
    pub(super) use crate::kernel::lists::{
        ABORTED, AtomicPtr, AtomicU32, MembarrierError, NO_HANDLE, can_restart, pop_through,
        push_through, restart, shared_handle, try_sequence, wait_for,
    };
    pub(super) use crate::kernel::{AtomicUsize, Handle, Ordering, Outcome};
    pub(super) use loom::sync::atomic::AtomicBool;

    /// The shipped functions are `const`; loom's atomics cannot be made in a constant.
    macro_rules! const_fn {
        ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
            $(#[$attribute])* $visibility fn $($rest)*
        };
    }
    pub(super) use const_fn;

    pub(super) fn stripe(count: usize) -> usize {
        crate::kernel::lists::index_hint() % count
    }
}

/// Stands for `rseq-ops/src/percpu/alloc.rs`.
mod alloc {
    /// There is always memory.
    #[derive(Debug)]
    pub(crate) struct Allocator;

    impl Allocator {
        pub(crate) fn global() -> &'static Allocator {
            &Allocator
        }
    }
}

/// Stands for `rseq-ops/src/percpu/area.rs`.
mod area {
    /// None, here.
    #[derive(Debug)]
    pub(crate) enum AllocError {}
}
