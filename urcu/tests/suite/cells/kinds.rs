//! Cells of an `Option`, of an `Arc`, and of both: one word, one load, dropped exactly once.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use urcu::{Domain, Rcu, RcuArc, RcuArcOption, RcuOption};

use crate::cells::values::Counted;
use crate::support::{SetOnDrop, length, storm};

#[test]
fn a_cell_is_one_word_and_a_view_is_what_it_owns() {
    const { assert!(size_of::<Rcu<[u64; 9]>>() == size_of::<usize>()) };
    const { assert!(size_of::<RcuOption<u64>>() == size_of::<usize>()) };
    const { assert!(size_of::<RcuArc<u64>>() == size_of::<usize>()) };
    const { assert!(size_of::<RcuArcOption<u64>>() == size_of::<usize>()) };
    let guard = urcu::read_lock();
    let boxed = Box::new(1);
    let address = &raw const *boxed;
    assert!(ptr::eq(Rcu::from(boxed).load(&guard), address));
    let arc = Arc::new(1);
    let cell = RcuArc::new(Arc::clone(&arc));
    assert!(ptr::eq(cell.load(&guard), &*arc));
    let cell = RcuArcOption::new(Some(Arc::clone(&arc)));
    assert!(ptr::eq(cell.load(&guard).unwrap(), &*arc));
    assert!(ptr::eq(&*cell.read().unwrap(), &*arc));
}

#[test]
fn an_optional_value_is_put_in_and_taken_out_and_dropped_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counted = |value| Some(Counted::new(&alive, value));
    let mut cell = RcuOption::empty();
    assert!(cell.read().is_none() && cell.load(&urcu::read_lock()).is_none());
    cell.store(counted(1));
    assert_eq!(cell.read().unwrap().1, 1);
    assert_eq!(cell.take().unwrap().1, 1);
    assert!(cell.take().is_none() && cell.read().is_none());
    assert!(cell.replace(counted(2)).is_none());
    assert_eq!(cell.replace(counted(3)).unwrap().1, 2);
    cell.store(None);
    assert!(cell.load(&urcu::read_lock()).is_none());
    cell.update(|old| counted(old.map_or(10, |old| old.1 + 1)));
    cell.update(|old| counted(old.map_or(10, |old| old.1 + 1)));
    cell.get_mut().unwrap().1 += 1;
    assert_eq!(cell.read().unwrap().1, 12);
    cell.update(|_| None);
    assert!(cell.get_mut().is_none());
    urcu::barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert!(cell.into_inner().is_none());
    assert_eq!(RcuOption::new(counted(4)).into_inner().unwrap().1, 4);
    drop(RcuOption::new(counted(5)));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn an_empty_cell_has_nothing_to_wait_for() {
    let domain = Domain::new();
    let cell = RcuOption::empty_in(&domain);
    let _guard = domain.read_lock();
    assert_eq!(cell.take(), None);
    assert_eq!(cell.replace(Some(1)), None);
}

#[test]
fn every_value_is_taken_by_one_thread() {
    let cell = RcuOption::empty();
    let (threads, each) = (2, 100);
    let producing = AtomicUsize::new(threads);
    let mut taken: Vec<usize> = thread::scope(|scope| {
        for number in 0..threads {
            let (cell, producing) = (&cell, &producing);
            scope.spawn(move || {
                for i in 0..each {
                    // A value that came between and was not taken goes in again.
                    let mut value = Some(number * each + i);
                    while value.is_some() {
                        value = cell.replace(value);
                    }
                }
                producing.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let takers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut taken = Vec::new();
                    while producing.load(Ordering::SeqCst) > 0 {
                        taken.extend(cell.take());
                    }
                    taken
                })
            })
            .collect();
        takers
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    taken.extend(cell.into_inner());
    taken.sort_unstable();
    assert_eq!(taken, (0..threads * each).collect::<Vec<_>>());
}

#[test]
fn every_way_to_replace_an_arc_gives_its_count_up_once() {
    let arcs: Vec<Arc<u64>> = (0..8).map(Arc::new).collect();
    let arc = |number: u64| Arc::clone(&arcs[number as usize]);
    let cell = RcuArc::new(arc(0));
    cell.store(arc(1));
    assert_eq!(*cell.swap(arc(2)), 1);
    assert_eq!(*cell.replace(arc(3)), 2);
    cell.update(|old| arc(old + 1));
    assert_eq!(*cell.load_full(), 4);
    let guard = urcu::read_lock();
    // By whatever reference to the very same value.
    cell.compare_exchange(&arcs[4], arc(5), &guard).unwrap();
    cell.compare_exchange(&arcs[4], arc(0), &guard).unwrap_err();
    drop(guard);
    let optional = RcuArcOption::from(Some(arc(6)));
    assert_eq!(optional.swap(None).as_deref(), Some(&6));
    assert_eq!(optional.swap(Some(arc(7))), None);
    assert_eq!(optional.load_full().as_deref(), Some(&7));
    assert_eq!(optional.take().as_deref(), Some(&7));
    assert_eq!((optional.load_full(), optional.take()), (None, None));
    assert_eq!(*cell.into_inner(), 5);
    drop((RcuArc::new(arc(6)), optional));
    urcu::barrier();
    for arc in &arcs {
        assert_eq!(Arc::strong_count(arc), 1, "of {arc}");
    }
}

#[test]
fn an_arc_taken_out_is_shared_while_a_section_may_see_it() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = RcuArc::new_in(Arc::new(Counted::new(&alive, 1)), &domain);
    let guard = domain.read_lock();
    let seen = cell.load(&guard);
    let mut old = cell.swap(Arc::new(Counted::new(&alive, 2)));
    assert!(Arc::get_mut(&mut old).is_none());
    let mut full = cell.swap(Arc::new(Counted::new(&alive, 3)));
    drop(old);
    thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!((seen.1, alive.load(Ordering::SeqCst)), (1, 3));
    drop(guard);
    domain.barrier();
    Arc::get_mut(&mut full).unwrap().1 = 4;
    assert_eq!((full.1, alive.load(Ordering::SeqCst)), (4, 2));
}

#[test]
fn an_arc_loaded_in_full_outlives_the_cell() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = RcuArc::new_in(Arc::new(Counted::new(&alive, 1)), &domain);
    let full = cell.load_full();
    cell.store(Arc::new(Counted::new(&alive, 2)));
    domain.barrier();
    assert_eq!((full.1, alive.load(Ordering::SeqCst)), (1, 2));
    drop(cell);
    assert_eq!((full.1, alive.load(Ordering::SeqCst)), (1, 1));
}

#[test]
fn arcs_loaded_under_fire_are_whole_and_counted() {
    let alive = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    let cell = RcuArcOption::new_in(None, &domain);
    storm(length(200), 4, |number| match number {
        0 => cell.store(Some(Arc::new(Counted::new(&alive, 7)))),
        1 => {
            let full = alive.load(Ordering::SeqCst) < 50;
            drop(cell.swap(full.then(|| Arc::new(Counted::new(&alive, 7)))));
        }
        _ => {
            for _ in 0..100 {
                // Memory is poisoned when it is freed.
                if let Some(full) = cell.load_full() {
                    assert_eq!(full.1, 7);
                }
            }
        }
    });
    drop(cell);
    domain.barrier();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn concurrent_updates_of_an_option_or_an_arc_are_never_lost() {
    static OPTION: RcuOption<u64> = RcuOption::empty();
    let arc = RcuArc::new(Arc::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    OPTION.update(|old| Some(old.map_or(1, |old| old + 1)));
                    arc.update(|old| Arc::new(old + 1));
                }
            });
        }
    });
    assert_eq!((OPTION.take(), *arc.into_inner()), (Some(2_000), 2_000));
}

#[test]
fn a_snapshot_of_an_arc_is_its_value() {
    let cell = RcuArc::new(Arc::new([1u64; 4]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let [first, rest @ ..] = cell.snapshot();
                assert_eq!(rest, [first; 3]);
            }
        });
        let _over = SetOnDrop(&over);
        for number in 0..200 {
            assert_eq!(cell.replace(Arc::new([number; 4])).len(), 4);
        }
    });
}
