//! `compare_exchange`, `update` and `try_update`: by identity, all or nothing, whatever panics.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use urcu::{Domain, Rcu, RcuOption, Runner};

use crate::cells::values::Counted;
use crate::support::{length, storm};

#[test]
fn an_exchange_takes_the_very_same_value_alone() {
    let alive = Arc::new(AtomicUsize::new(0));
    let cell = Rcu::new(Counted::new(&alive, 1));
    let guard = urcu::read_lock();
    let first = cell.load(&guard);
    let equal = Counted::new(&alive, 1);
    let error = cell
        .compare_exchange(&equal, Counted::new(&alive, 2), &guard)
        .unwrap_err();
    assert_eq!((error.current.1, error.new.1), (1, 2));
    cell.compare_exchange(error.current, error.new, &guard)
        .unwrap();
    assert_eq!((first.1, cell.load(&guard).1), (1, 2));
    // A reference from a guard of its own does as well.
    let seen = cell.read();
    cell.compare_exchange(&seen, Counted::new(&alive, 3), &guard)
        .unwrap();
    assert_eq!((seen.1, cell.read().1), (2, 3));
    drop((seen, guard, equal));
    urcu::barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 1);
}

#[test]
fn no_other_value_is_taken_for_one_that_is_still_seen() {
    let domain = Domain::new();
    let cell = Rcu::new_in(0u64, &domain);
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    let mut addresses = HashSet::from([&raw const *seen]);
    for number in 1..200 {
        cell.store(number);
        // The allocator would like to use an address again.
        let current = cell.load(&guard);
        assert!(addresses.insert(current), "an address was used again");
        assert!(cell.compare_exchange(seen, 0, &guard).is_err());
        if number % 50 == 0 {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!((*seen, cell.snapshot()), (0, 199));
}

#[test]
fn an_update_mistakes_no_other_value_for_the_one_it_saw() {
    let domain = Domain::new().run_by(Runner::Caller);
    let cell = Rcu::new_in(0u64, &domain);
    let mut seen = Vec::new();
    cell.update(|old| {
        seen.push(*old);
        let mut number = *old;
        // Until the address of the one that was seen is used again, which the allocator would like.
        while seen.len() == 1 && number < 200 {
            number += 1;
            cell.store(number);
            domain.run_callbacks(100);
            if ptr::eq(&raw const *cell.load(&domain.read_lock()), old) {
                break;
            }
        }
        *old + 1
    });
    assert_eq!((seen, cell.snapshot()), (vec![0, 200], 201));
}

#[test]
fn concurrent_exchanges_are_never_lost() {
    let domain = Domain::new();
    let cell = Rcu::new_in(0usize, &domain);
    let exchanged = AtomicUsize::new(0);
    storm(length(100), 4, |_| {
        let guard = domain.read_lock();
        let mut current = cell.load(&guard);
        while let Err(error) = cell.compare_exchange(current, current + 1, &guard) {
            assert_eq!(error.new, current + 1);
            current = error.current;
        }
        exchanged.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(cell.snapshot(), exchanged.into_inner());
}

#[test]
fn an_empty_cell_is_filled_by_one_thread() {
    let cell = RcuOption::empty();
    for _ in 0..100 {
        let winners = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..3 {
                let (cell, winners) = (&cell, &winners);
                scope.spawn(move || {
                    let guard = urcu::read_lock();
                    match cell.compare_exchange(None, Some(number), &guard) {
                        Ok(_) => assert_eq!(winners.fetch_add(1, Ordering::SeqCst), 0),
                        Err(error) => {
                            assert_eq!(error.new, Some(number));
                            assert!(error.current.is_some_and(|&winner| winner != number));
                        }
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
        let guard = urcu::read_lock();
        cell.compare_exchange(cell.load(&guard), None, &guard)
            .unwrap();
    }
}

#[test]
fn a_guard_of_another_domain_is_refused_and_nothing_is_published() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::named("mine");
    let cell = Rcu::new_in(Counted::new(&alive, 1), &domain);
    let guard = domain.read_lock();
    let other = urcu::read_lock();
    let seen = cell.load(&guard);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _ = cell.compare_exchange(seen, Counted::new(&alive, 2), &other);
    }))
    .unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("mine"));
    assert_eq!((cell.load(&guard).1, alive.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn an_update_that_gives_up_changes_nothing() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = RcuOption::new_in(Some(Counted::new(&alive, 1)), &domain);
    assert_eq!(cell.try_update(|old| Err(old.unwrap().1)), Err(1));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        cell.try_update(|_| -> Result<_, ()> { resume_unwind(Box::new("on purpose")) })
    }));
    assert!(panicked.is_err());
    // The sections inside are over.
    domain.synchronize();
    assert_eq!(cell.read().unwrap().1, 1);
    let updated =
        cell.try_update(|old| Ok::<_, ()>(old.map(|old| Counted::new(&alive, old.1 + 1))));
    assert_eq!(updated, Ok(()));
    assert_eq!(cell.take().unwrap().1, 2);
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

/// Panics when dropped, if it is told to.
struct Bad(u64, bool);

impl Drop for Bad {
    fn drop(&mut self) {
        if self.1 {
            resume_unwind(Box::new("on purpose"));
        }
    }
}

#[test]
fn an_update_that_comes_too_late_and_panics_in_drop_changes_nothing() {
    let domain = Domain::new();
    let cell = Rcu::new_in(Bad(1, false), &domain);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut turns = 0;
        cell.update(|_| {
            turns += 1;
            if turns == 1 {
                cell.store(Bad(2, false));
            }
            Bad(3, turns == 1)
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(cell.read().0, 2);
    domain.synchronize();
    domain.barrier();
}

#[test]
fn a_cell_whose_value_panics_in_drop_is_gone_all_the_same() {
    /// Two fields, dropped in order; the second one must be, although the first one panics.
    struct Both {
        _cell: Rcu<Bad>,
        _alive: Arc<()>,
    }
    let alive = Arc::new(());
    let both = Both {
        _cell: Rcu::new(Bad(1, true)),
        _alive: Arc::clone(&alive),
    };
    assert!(catch_unwind(AssertUnwindSafe(|| drop(both))).is_err());
    assert_eq!(Arc::strong_count(&alive), 1);
    urcu::synchronize();
}

#[test]
fn every_replaced_value_is_dropped_once() {
    struct Notes(u32, std::sync::mpsc::Sender<u32>);
    impl Drop for Notes {
        fn drop(&mut self) {
            let _ = self.1.send(self.0);
        }
    }
    let (sender, dropped) = std::sync::mpsc::channel();
    let domain = Domain::new();
    let cell = Rcu::new_in(Notes(0, sender.clone()), &domain);
    for number in 1..50 {
        match number % 3 {
            0 => cell.store(Notes(number, sender.clone())),
            1 => cell.update(|_| Notes(number, sender.clone())),
            _ => {
                let guard = domain.read_lock();
                let new = Notes(number, sender.clone());
                cell.compare_exchange(cell.load(&guard), new, &guard)
                    .unwrap();
            }
        }
    }
    domain.barrier();
    drop((cell, sender));
    let mut dropped: Vec<u32> = dropped.iter().collect();
    dropped.sort_unstable();
    assert_eq!(dropped, (0..50).collect::<Vec<_>>());
}
