//! `Rcu`: values of every shape, dropped exactly once, and no update lost.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use urcu::{Domain, Rcu};

use crate::support::{SetOnDrop, length};

/// Counts the values alive.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>, pub(crate) u64);

impl Counted {
    pub(crate) fn new(alive: &Arc<AtomicUsize>, value: u64) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(alive), value)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::SeqCst);
        assert!(before >= 1, "dropped twice");
        self.1 = u64::MAX;
    }
}

#[test]
fn every_way_to_replace_a_value_drops_it_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let mut cell = Rcu::new(Counted::new(&alive, 1));
    cell.store(Counted::new(&alive, 2));
    assert_eq!(cell.read().1, 2);
    let old = cell.replace(Counted::new(&alive, 3));
    assert_eq!(old.1, 2);
    drop(old);
    cell.update(|old| Counted::new(&alive, old.1 + 1));
    assert_eq!(cell.load(&urcu::read_lock()).1, 4);
    urcu::barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    *cell.get_mut() = Counted::new(&alive, 5);
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    assert_eq!(cell.into_inner().1, 5);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    drop(Rcu::new(Counted::new(&alive, 6)));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_replaced_value_lives_as_long_as_a_section_sees_it() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = Rcu::new_in(Counted::new(&alive, 1), &domain);
    let seen = cell.read();
    let guard = domain.read_lock();
    let loaded = cell.load(&guard);
    cell.store(Counted::new(&alive, 2));
    cell.update(|old| Counted::new(&alive, old.1 + 1));
    thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!((seen.1, loaded.1, cell.read().1), (1, 1, 3));
    assert_eq!(alive.load(Ordering::SeqCst), 3);
    drop((seen, guard));
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
}

#[test]
fn concurrent_updates_are_never_lost() {
    let alive = Arc::new(AtomicUsize::new(0));
    let cell = Rcu::new(Counted::new(&alive, 0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    cell.update(|old| Counted::new(&alive, old.1 + 1));
                }
            });
        }
    });
    assert_eq!(cell.read().1, 2_000);
    urcu::barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
}

#[test]
fn replace_hands_every_value_back_exactly_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let cell = Rcu::new(Counted::new(&alive, 0));
    let (threads, each) = (4, 200);
    let mut seen: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|number| {
                let (cell, alive) = (&cell, &alive);
                scope.spawn(move || {
                    (0..each)
                        .map(|i| cell.replace(Counted::new(alive, 1 + number * each + i)).1)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect()
    });
    seen.push(cell.into_inner().1);
    seen.sort_unstable();
    assert_eq!(seen, (0..=threads * each).collect::<Vec<_>>());
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panicking_update_changes_nothing() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = Rcu::new_in(Counted::new(&alive, 1), &domain);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        cell.update(|_| resume_unwind(Box::new("on purpose")));
    }));
    assert!(caught.is_err());
    assert_eq!(cell.read().1, 1);
    // The section inside of `update` is over.
    domain.synchronize();
    drop(cell);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn an_update_may_read_and_update_inside() {
    let cell = Rcu::new(1u64);
    let mut turns = 0;
    cell.update(|old| {
        turns += 1;
        if turns == 1 {
            cell.update(|old| old * 10);
        }
        assert_eq!(cell.snapshot(), 10);
        old + 1
    });
    assert_eq!((cell.snapshot(), turns), (11, 2));
    urcu::barrier();
}

#[test]
fn a_value_whose_drop_panics_does_not_stop_the_others() {
    struct Bad(bool);
    impl Drop for Bad {
        fn drop(&mut self) {
            if self.0 {
                resume_unwind(Box::new("on purpose"));
            }
        }
    }
    let domain = Domain::new();
    let cell = Rcu::new_in(Bad(true), &domain);
    cell.store(Bad(true));
    cell.store(Bad(false));
    let alive = Arc::new(());
    domain.defer_drop(Arc::clone(&alive));
    domain.barrier();
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_value_without_size_is_counted_like_others() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    struct Nothing;
    impl Nothing {
        fn new() -> Self {
            ALIVE.fetch_add(1, Ordering::SeqCst);
            Nothing
        }
    }
    impl Drop for Nothing {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let cell = Rcu::new(Nothing::new());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..100 {
                    cell.store(Nothing::new());
                    cell.update(|_| Nothing::new());
                    drop(cell.replace(Nothing::new()));
                }
            });
        }
    });
    urcu::barrier();
    assert_eq!(ALIVE.load(Ordering::SeqCst), 1);
    drop(cell);
    assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
    Rcu::new(()).snapshot();
}

#[test]
fn over_aligned_values_keep_their_alignment() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(256))]
    struct Line(u8);
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(4096))]
    struct Page(u8);
    fn check<T: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static>(a: T, b: T) {
        let cell = Rcu::new(a);
        for value in [b, a, b] {
            cell.store(value);
            let seen = cell.read();
            assert!((&raw const *seen).addr().is_multiple_of(align_of::<T>()));
            assert_eq!((*seen, cell.snapshot()), (value, value));
        }
        assert_eq!(cell.replace(a), b);
        urcu::barrier();
    }
    check(Line(1), Line(2));
    check(Page(1), Page(2)); // Beyond `SNAPSHOT_MAX`.
}

#[test]
fn a_snapshot_is_the_value_whatever_its_size() {
    fn check<const SIZE: usize>() {
        let value: [u8; SIZE] = std::array::from_fn(|i| (i * 7 + SIZE) as u8);
        let cell = Rcu::new([0; SIZE]);
        assert_eq!(cell.snapshot(), [0; SIZE]);
        cell.store(value);
        assert_eq!(cell.snapshot(), value, "{SIZE} bytes");
    }
    macro_rules! check { ($($size:literal)+) => { $(check::<$size>();)+ } }
    check!(0 1 2 3 4 5 6 7 8 9 12 15 16 17 23 24 25 31 32 33 40 47 48 56 63 64 65 72 100 128);
    check!(200 255 256 512 1000 1023 1024 1025 2000 4096);
    const { assert!(urcu::SNAPSHOT_MAX == 1024) };
    urcu::barrier();
}

#[test]
fn a_large_value_is_seen_whole() {
    let cell = Rcu::new(vec![0u64; 1 << 14]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let seen = cell.read();
                    let first = seen[0];
                    assert!(seen.iter().all(|&word| word == first));
                }
            });
        }
        let _over = SetOnDrop(&over);
        let end = Instant::now() + length(150);
        for number in 1.. {
            if Instant::now() > end {
                break;
            }
            drop(cell.replace(vec![number; 1 << 14]));
        }
    });
}

#[test]
fn values_that_may_not_be_sent_or_shared_work_in_one_thread() {
    let rc = Rc::new(Cell::new(1));
    let cell = Rcu::new(Rc::clone(&rc));
    cell.read().set(2);
    drop(cell.replace(Rc::new(Cell::new(3))));
    assert_eq!((rc.get(), Rc::strong_count(&rc)), (2, 1));
    let borrowed = String::from("not 'static");
    let cell = Rcu::new(borrowed.as_str());
    assert_eq!(cell.replace("other"), "not 'static");
    assert_eq!(cell.snapshot(), "other");
    let cell = Rcu::new(Cell::new(5));
    thread::spawn(move || assert_eq!(cell.read().get(), 5)) // Send, if not Sync.
        .join()
        .unwrap();
}

#[test]
fn a_ref_may_be_moved_to_another_thread() {
    let cell = Rcu::new(String::from("old"));
    thread::scope(|scope| {
        let seen = cell.read();
        cell.store(String::from("new"));
        scope.spawn(move || assert_eq!(*seen, "old"));
    });
    urcu::barrier();
}
