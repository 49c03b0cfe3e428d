//! Counting entries.

use rseq_ops::percpu::Counter;

use crate::sync::{AtomicUsize, Ordering};

/// The number of entries, counted per CPU where they are made.
#[derive(Debug)]
pub(crate) enum Count {
    PerCpu(Counter<'static>),
    /// One counter, where per-CPU memory is not available.
    Shared(AtomicUsize),
}

impl Count {
    pub(crate) fn new() -> Self {
        Counter::new().map_or_else(|_| Count::Shared(AtomicUsize::new(0)), Count::PerCpu)
    }

    #[inline]
    pub(crate) fn add(&self, delta: isize) {
        match self {
            Count::PerCpu(counter) => counter.add(delta as i64),
            Count::Shared(count) => {
                count.fetch_add(delta as usize, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn sum(&self) -> usize {
        let sum = match self {
            Count::PerCpu(counter) => counter.sum(),
            Count::Shared(count) => count.load(Ordering::Relaxed) as isize as i64,
        };
        // A sum that is taken while other threads count may miss an insertion and see its removal.
        usize::try_from(sum).unwrap_or(0)
    }
}
