//! The counter: exact at rest whatever happened, and within its bounds in motion.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::support::disturbed::{SIGNALS, disturbed};
use crate::support::{alone, in_child};
use rseq_ops::percpu::{Allocator, Counter, Fork};

#[test]
fn the_sum_at_rest_is_exact_whatever_migrates_and_interrupts() {
    static COUNTER: OnceLock<Counter<'static>> = OnceLock::new();
    static IN_SIGNALS: AtomicI64 = AtomicI64::new(0);
    let _alone = alone();
    let counter = COUNTER.get_or_init(|| Counter::new().unwrap());
    let expected = AtomicI64::new(0);
    disturbed(
        4,
        Some(|| {
            if let Some(counter) = COUNTER.get() {
                counter.add(3);
                IN_SIGNALS.fetch_add(3, Relaxed);
            }
        }),
        |thread, running| {
            let mut mine = 0i64;
            while running() {
                for delta in [1, -2, thread as i64 + 5] {
                    counter.add(delta);
                    mine += delta;
                }
            }
            expected.fetch_add(mine, Relaxed);
        },
    );
    assert!(SIGNALS.load(Relaxed) > 0);
    assert_eq!(
        counter.sum(),
        expected.load(Relaxed) + IN_SIGNALS.load(Relaxed)
    );
}

#[test]
fn a_sum_in_motion_holds_what_was_before_and_nothing_that_comes_after() {
    let _alone = alone();
    let counter = Counter::new().unwrap();
    // Bounds of what has been added, by atomics around each addition.
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    disturbed(3, None, |thread, running| {
        while running() {
            if thread == 0 {
                let least = done.load(std::sync::atomic::Ordering::SeqCst);
                let sum = counter.sum() as u64;
                let most = begun.load(std::sync::atomic::Ordering::SeqCst);
                assert!((least..=most).contains(&sum), "{least} {sum} {most}");
            } else {
                begun.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                counter.add(1);
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
    });
    assert_eq!(counter.sum() as u64, done.load(Relaxed));
}

#[test]
fn arithmetic_wraps() {
    let counter = Counter::new().unwrap();
    counter.add(i64::MAX);
    counter.add(i64::MAX);
    counter.add(3);
    assert_eq!(counter.sum(), i64::MAX.wrapping_mul(2).wrapping_add(3));
}

#[test]
fn a_child_counts_on_or_from_zero() {
    let wiped = Allocator::new(Fork::Wipe);
    let (keep, wipe) = (Counter::new().unwrap(), Counter::new_in(&wiped).unwrap());
    keep.add(5);
    wipe.add(5);
    let status = in_child(|| {
        keep.add(1);
        wipe.add(1);
        (keep.sum() * 10 + wipe.sum()) as i32
    });
    assert_eq!(status, 61);
    assert_eq!((keep.sum(), wipe.sum()), (5, 5));
}

#[test]
fn destructors_of_thread_locals_can_count() {
    struct AtExit(&'static Counter<'static>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            self.0.add(1);
        }
    }
    thread_local!(static LATE: std::cell::OnceCell<AtExit> = const { std::cell::OnceCell::new() });
    let counter: &'static Counter<'static> = Box::leak(Box::new(Counter::new().unwrap()));
    for _ in 0..10 {
        std::thread::spawn(move || LATE.with(|late| late.set(AtExit(counter)).is_ok()))
            .join()
            .unwrap();
    }
    assert_eq!(counter.sum(), 10);
}
