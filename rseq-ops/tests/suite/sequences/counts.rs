//! Additions by many threads that migrate: none is lost, none happens twice.

use std::mem::offset_of;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rseq_ops::delay::{self, Point};
use rseq_ops::ops::{self, Outcome};
use rseq_ops::percpu::Area;
use rseq_ops::{Handle, current_thread, membarrier};

use crate::support::{alone, migrate, until_committed};

const SHIFT: u32 = 7;
const THREADS: usize = 4;
const TURNS: usize = 20_000;

/// Two words for each CPU, a word that points to one of them, and a bound.
struct Words {
    area: Area,
    source: AtomicUsize,
    bound: AtomicU32,
}

const BOUND: i32 = offset_of!(Words, bound) as i32 - offset_of!(Words, source) as i32;
/// Offsets of areas can be negative.
const BIAS: i32 = 1 << 30;

/// Adds 1 by an increment: the pointer.
fn increment(handle: Handle, words: &Words) -> Option<usize> {
    words.bound.store(handle.bound, Ordering::Relaxed);
    let biased = handle.cs + BIAS as isize;
    // SAFETY: this thread's handle; the word points to the area, which sequences alone write; the bound
    // is the handle's.
    let added =
        unsafe { ops::increment_through::<SHIFT, BIAS, BOUND>(biased, words.source.as_ptr()) }?;
    assert_eq!(added.1, handle.bound);
    Some(added.0.get())
}

/// Subtracts 1 by a decrement, if the word is as expected.
fn decrement(handle: Handle, words: &Words, expected: usize) -> Outcome {
    let (biased, source) = (handle.cs + BIAS as isize, words.source.as_ptr());
    // SAFETY: this thread's handle and its bound; the source points to the area, which sequences alone
    // write.
    unsafe { ops::decrement_if_current::<SHIFT, BIAS>(biased, handle.bound, source, expected) }
}

impl Words {
    fn new() -> Self {
        let area = Area::new(0, 1 << SHIFT).unwrap();
        let source = AtomicUsize::new(area.base().as_ptr().expose_provenance());
        Words {
            area,
            source,
            bound: AtomicU32::new(0),
        }
    }

    fn word(&self, number: usize) -> usize {
        self.area.base().as_ptr().expose_provenance() + number * 8
    }

    fn values(&self, number: usize) -> impl Iterator<Item = i64> {
        (0..self.area.cpus()).map(move |cpu| {
            let address = self.word(number) + cpu * self.area.stride();
            // SAFETY: an aligned word of the area, atomic for as long as the area lives.
            unsafe { &*std::ptr::with_exposed_provenance::<AtomicI64>(address) }
                .load(Ordering::Relaxed)
        })
    }

    fn sum(&self, number: usize) -> i64 {
        self.values(number).sum()
    }
}

fn in_threads(body: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..THREADS {
            let body = &body;
            scope.spawn(move || body(number));
        }
    });
}

#[test]
fn the_sum_of_all_words_is_the_number_of_commits() {
    if current_thread().is_none() {
        return println!("skipped: no sequences in this process");
    }
    let _alone = alone();
    delay::set(Point::AddThroughCommit, 500);
    let words = Words::new();
    let committed = AtomicU64::new(0);
    in_threads(|number| {
        let handle = current_thread().unwrap();
        for turn in 0..TURNS {
            // SAFETY: this thread's handle; the word points to the area, which sequences alone
            // write.
            let added = unsafe { ops::add_through::<SHIFT>(handle, words.source.as_ptr()) };
            let incremented = increment(handle, &words);
            let added = added.map(|(pointer, _)| pointer.get());
            for pointer in [added, incremented].into_iter().flatten() {
                assert_eq!(pointer, words.word(0));
                committed.fetch_add(1, Ordering::Relaxed);
            }
            if turn % 64 == 0 {
                migrate(number + turn / 64);
            }
        }
    });
    assert_eq!(words.sum(0), committed.load(Ordering::Relaxed) as i64);
    assert!(words.sum(0) > (THREADS * TURNS / 2) as i64, "mostly aborts");
    assert_eq!(words.sum(1), 0, "the neighbour was written");
}

#[test]
fn additions_and_subtractions_of_all_kinds_balance() {
    if current_thread().is_none() {
        return println!("skipped: no sequences in this process");
    }
    let words = Words::new();
    in_threads(|number| {
        let handle = current_thread().unwrap();
        for turn in 0..TURNS / 4 {
            let base = words.word(0);
            // SAFETY: this thread's handle; the source points to the area, which sequences alone write.
            unsafe {
                until_committed(|| {
                    match ops::add_through::<SHIFT>(handle, words.source.as_ptr()) {
                        Some(_) => Outcome::Committed,
                        None => Outcome::Aborted,
                    }
                });
                until_committed(|| ops::add::<SHIFT>(handle, base, 41));
                if turn % 64 == 0 {
                    migrate(number + turn / 64);
                }
                until_committed(|| {
                    ops::sub_if_current::<SHIFT>(
                        handle,
                        words.source.as_ptr(),
                        base,
                        turn as u64 % 3,
                    )
                });
                until_committed(|| ops::add::<SHIFT>(handle, base, -42));
            }
            until_committed(|| match increment(handle, &words) {
                Some(_) => Outcome::Committed,
                None => Outcome::Aborted,
            });
            until_committed(|| decrement(handle, &words, base));
        }
    });
    assert_eq!(words.sum(0), -((THREADS * (TURNS / 4)) as i64));
}

#[test]
fn a_word_that_is_not_as_expected_changes_nothing() {
    let Some(handle) = current_thread() else {
        return println!("skipped: no sequences in this process");
    };
    let words = Words::new();
    let other = words.word(1);
    for _ in 0..100 {
        // SAFETY: this thread's handle; both words are of the area.
        let outcome =
            unsafe { ops::sub_if_current::<SHIFT>(handle, words.source.as_ptr(), other, 1) };
        assert!(matches!(outcome, Outcome::Mismatch | Outcome::Aborted));
        let outcome = decrement(handle, &words, other);
        assert!(matches!(outcome, Outcome::Mismatch | Outcome::Aborted));
    }
    assert!(
        words
            .values(0)
            .chain(words.values(1))
            .all(|value| value == 0)
    );
}

#[cfg(sequences)]
#[test]
fn with_an_inert_handle_everything_aborts() {
    let Some(unregistered) = current_thread().map(rseq_ops::Handle::unregistered) else {
        return println!("skipped: no sequences in this process");
    };
    let word = AtomicUsize::new(0x1000);
    for _ in 0..100 {
        // SAFETY: these abort before they follow the word.
        unsafe {
            assert_eq!(ops::add_through::<SHIFT>(unregistered, word.as_ptr()), None);
            let outcome = ops::sub_if_current::<SHIFT>(unregistered, word.as_ptr(), 0x1000, 1);
            assert_eq!(outcome, Outcome::Aborted);
        }
    }
    // Nor where the bound is that of nothing, as after a fork, which is looked at before the word.
    let words = Words::new();
    words.source.store(0, Ordering::Relaxed);
    for _ in 0..100 {
        assert_eq!(increment(unregistered, &words), None);
        assert_eq!(decrement(unregistered, &words, 0), Outcome::Aborted);
    }
}

#[test]
fn a_counter_may_have_any_value() {
    let Some(handle) = current_thread() else {
        return println!("skipped: no sequences in this process");
    };
    // Sequences guess 0 and 1; all others must be right too.
    let words = Words::new();
    migrate(0);
    for start in [
        0,
        1,
        2,
        -1,
        -2,
        1 << 32,
        (1 << 32) + 1,
        i64::MAX - 1,
        i64::MIN + 1,
    ] {
        for cpu in 0..words.area.cpus() {
            let address = words.word(0) + cpu * words.area.stride();
            // SAFETY: a word of the area; no sequence runs.
            unsafe { &*std::ptr::with_exposed_provenance::<AtomicI64>(address) }
                .store(start, Ordering::Relaxed);
        }
        let guess = [0, 1, start as u64][start as usize % 3];
        let changed = |by: i64| {
            let values: Vec<_> = words.values(0).filter(|&value| value != start).collect();
            assert_eq!(values, [start + by]);
        };
        let before = words.word(0);
        // SAFETY: this thread's handle; the source points to the area, which sequences alone write from
        // here on.
        unsafe {
            while ops::add_through::<SHIFT>(handle, words.source.as_ptr()).is_none() {}
            changed(1);
            let add = |delta| until_committed(|| ops::add::<SHIFT>(handle, before, delta));
            // One thread on one CPU, but its concurrency id may change: go back by hand.
            if words.values(0).filter(|&value| value != start).count() == 1 {
                add(-1);
            }
        }
        if words.values(0).any(|value| value != start) {
            continue; // Another id took the correction.
        }
        until_committed(|| {
            // SAFETY: this thread's handle; the source points to the area, which sequences alone write.
            unsafe { ops::sub_if_current::<SHIFT>(handle, words.source.as_ptr(), before, guess) }
        });
        changed(-1);
    }
}

/// Lets the others end, also after a panic.
struct SetOnDrop<'a>(&'a AtomicUsize);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Relaxed);
    }
}

#[test]
fn after_a_restart_nothing_is_added_through_the_old_pointer() {
    if current_thread().is_none() || membarrier::register().is_err() {
        return println!("skipped: no sequences, or nothing that restarts them");
    }
    let words = Words::new();
    let over = AtomicUsize::new(0);
    let _alone = alone();
    // Longer than a restart takes, so that many of them fall into sequences.
    for point in [Point::AddThroughLoaded, Point::AddThroughCommit] {
        delay::set(point, 20_000);
    }
    thread::scope(|scope| {
        for number in 0..2 {
            let (words, over) = (&words, &over);
            scope.spawn(move || {
                let handle = current_thread().unwrap();
                let mut turn = number;
                while over.load(Ordering::Relaxed) == 0 {
                    // SAFETY: this thread's handle; the source points to the area, which sequences alone
                    // write, and which outlives the threads.
                    unsafe { ops::add_through::<SHIFT>(handle, words.source.as_ptr()) };
                    turn += 1;
                    if turn % 256 == 0 {
                        migrate(turn / 256);
                    }
                }
            });
        }
        let _over = SetOnDrop(&over);
        for turn in 0..500 {
            let old = turn % 2;
            words.source.store(words.word(1 - old), Ordering::Release);
            membarrier::restart().unwrap();
            let frozen = words.sum(old);
            let end = Instant::now() + Duration::from_micros(100);
            while Instant::now() < end {
                assert_eq!(words.sum(old), frozen, "an addition after the restart");
            }
        }
    });
    Point::ALL.into_iter().for_each(|point| {
        delay::set(point, 0);
    });
}
