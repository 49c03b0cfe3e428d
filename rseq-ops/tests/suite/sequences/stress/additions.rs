//! Words that are added to, and the pointers that lead to them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::pressure::{dawdle, stress};
use crate::support::indexes::{Kind, PerIndex};
use rseq_ops::membarrier;
use rseq_ops::ops::{self, Commit, Outcome};

/// Bytes from one index's slot to the next, as a power of two.
const SHIFT: u32 = 7;

pub(super) fn additions(kind: Kind, commit: impl Commit + Sync) {
    let slots = PerIndex::new();
    let words = |n: usize| slots.base() + n * size_of::<usize>();
    let table: Vec<_> = (0..rseq_ops::percpu::possible_cpus())
        .map(|index| slots.word(index as u32, 2).expose_provenance())
        .collect();
    let table_address = table.as_ptr().expose_provenance();
    let counter = words(3);
    let counts: [AtomicUsize; 4] = Default::default();
    stress(&|random| {
        let (handle, index) = kind.here();
        dawdle(random);
        // SAFETY: this thread's handle; each word is changed by its own sequences alone.
        let (n, committed) = unsafe {
            match random.below(5) {
                0 => (
                    0,
                    ops::add_at(handle, index, slots.word(index, 0), 1, commit),
                ),
                1 => (1, ops::add::<SHIFT>(handle, words(1), 1)),
                2 => {
                    let offset = index as usize * size_of::<usize>();
                    let source = &raw const table_address;
                    (
                        2,
                        ops::add_through_offset(handle, index, source, offset, 1, commit),
                    )
                }
                3 => match ops::add_through::<SHIFT>(handle, &raw const counter) {
                    Some(_) => (3, Outcome::Committed),
                    None => (3, Outcome::Aborted),
                },
                // Wherever the increment was, the sum counts.
                _ => match ops::sub_if_current::<SHIFT>(handle, &raw const counter, counter, 1) {
                    Outcome::Committed => {
                        counts[3].fetch_sub(1, Ordering::Relaxed);
                        (3, Outcome::Aborted)
                    }
                    _ => (3, Outcome::Aborted),
                },
            }
        };
        if committed == Outcome::Committed {
            counts[n].fetch_add(1, Ordering::Relaxed);
        }
    });
    for (n, count) in counts.iter().enumerate() {
        let by = kind.0;
        assert_eq!(
            slots.sum(n),
            count.load(Ordering::Relaxed),
            "word {n}, by {by}"
        );
        assert_ne!(count.load(Ordering::Relaxed), 0, "word {n}");
    }
}

pub(super) fn fast_additions(kind: Kind, commit: impl Commit + Sync) {
    let slots = PerIndex::new();
    let table: Vec<_> = (0..rseq_ops::percpu::possible_cpus())
        .map(|index| slots.word(index as u32, 1).expose_provenance())
        .collect();
    let table_address = table.as_ptr().expose_provenance();
    for n in [0, 1] {
        let count = AtomicUsize::new(0);
        stress(&|random| {
            let mut committed = 0;
            let slow = random.below(4) == 0;
            for _ in 0..64 {
                let (handle, index) = kind.here();
                if slow {
                    dawdle(random);
                }
                let (word, source) = (slots.word(index, 0), &raw const table_address);
                let offset = index as usize * size_of::<usize>();
                // SAFETY: this thread's handle; each word is changed by its own sequences alone.
                let outcome = unsafe {
                    match n {
                        0 => ops::add_at(handle, index, word, 1, commit),
                        _ => ops::add_through_offset(handle, index, source, offset, 1, commit),
                    }
                };
                committed += usize::from(outcome == Outcome::Committed);
            }
            count.fetch_add(committed, Ordering::Relaxed);
        });
        let by = kind.0;
        assert_eq!(
            slots.sum(n),
            count.load(Ordering::Relaxed),
            "word {n}, by {by}"
        );
    }
}

pub(super) fn restarts(kind: Kind, commit: impl Commit + Sync) {
    const POISON: usize = 0xDEAD;
    if membarrier::register().is_err() {
        println!("nothing restarts sequences here");
        return;
    }
    struct Version {
        slots: PerIndex,
        table: Vec<usize>,
        record: [AtomicUsize; 4],
    }
    let versions = [0usize, 1].map(|_| {
        let slots = PerIndex::new();
        let table = (0..rseq_ops::percpu::possible_cpus())
            .map(|index| slots.word(index as u32, 0).expose_provenance())
            .collect();
        let record = [const { AtomicUsize::new(1) }; 4];
        Version {
            slots,
            table,
            record,
        }
    });
    let address = |n: usize, what: usize| match what {
        0 => versions[n].table.as_ptr().expose_provenance(),
        1 => versions[n].slots.base() + size_of::<usize>(),
        _ => versions[n].record.as_ptr().expose_provenance(),
    };
    // The roots of the readers: a table, a counter by stride, a record.
    let current = [0, 1, 2].map(|what| AtomicUsize::new(address(0, what)));
    let wrong = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut now = 0;
            while !over.load(Ordering::Relaxed) {
                let (old, new) = (now, 1 - now);
                for word in &versions[new].record {
                    word.store(1, Ordering::Relaxed);
                }
                for (what, current) in current.iter().enumerate() {
                    current.store(address(new, what), Ordering::SeqCst);
                }
                membarrier::restart().unwrap();
                let sums = || [0, 1].map(|n| versions[old].slots.sum(n));
                let before = sums();
                for word in &versions[old].record {
                    word.store(POISON, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_micros(100));
                if sums() != before {
                    wrong.fetch_add(1, Ordering::SeqCst);
                }
                now = new;
            }
        });
        stress(&|random| {
            let (handle, index) = kind.here();
            let fine = match random.below(3) {
                0 => {
                    let offset = index as usize * size_of::<usize>();
                    let source = current[0].as_ptr().cast_const();
                    // SAFETY: this thread's handle; the versions outlive the threads.
                    let _ = unsafe {
                        ops::add_through_offset(handle, index, source, offset, 1, commit)
                    };
                    true
                }
                1 => {
                    let source = current[1].as_ptr().cast_const();
                    // SAFETY: this thread's handle; the areas outlive the threads, and sequences alone
                    // write them.
                    let _ = unsafe { ops::add_through::<SHIFT>(handle, source) };
                    true
                }
                _ => {
                    let mut copy = [0usize; 4];
                    let source = current[2].as_ptr().cast_const().cast();
                    let target = copy.as_mut_ptr().cast();
                    // SAFETY: this thread's handle; the records outlive the threads, and `target` has room
                    // for 32 bytes.
                    let outcome = unsafe { ops::copy_through(handle, source, target, 32) };
                    outcome != Outcome::Committed || copy == [1; 4]
                }
            };
            if !fine {
                wrong.fetch_add(1, Ordering::SeqCst);
            }
        });
        over.store(true, Ordering::SeqCst);
    });
    assert_eq!(wrong.load(Ordering::SeqCst), 0);
}
