//! Every value of a list is dropped exactly once, after the sections that may see it, whatever panics.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use urcu_collections::List;

use crate::support::{Census, Citizen, Random, for_a_while};

/// Panics at its end, every third time, unless it is the library that drops it.
struct Bomb(Arc<AtomicUsize>, #[allow(dead_code)] Citizen);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.fetch_add(1, Relaxed).is_multiple_of(3) && !thread::panicking() {
            resume_unwind(Box::new("bomb"));
        }
    }
}

#[test]
fn what_is_left_in_a_list_is_dropped_once_whatever_panics() {
    let census = Census::default();
    let dropped = Arc::new(AtomicUsize::new(0));
    let bomb = |number| Bomb(dropped.clone(), census.citizen(number));
    let caught = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_err();
    let list: List<_> = (0..100).map(bomb).collect();
    // Some have moved, and have nodes of their own.
    for _ in 0..40 {
        let list = list.pin();
        assert!(list.move_to_back(list.front().unwrap()));
        let second = list.positions().nth(1).unwrap();
        assert!(list.move_after(list.back().unwrap(), second));
    }
    let mut list = Some(list);
    assert!(caught(&mut || drop(list.take())));
    let mut left = (0..100).map(bomb).collect::<List<_>>().into_iter();
    std::mem::forget((left.next(), left.next_back()));
    let mut left = Some(left);
    assert!(caught(&mut || drop(left.take())));
    assert_eq!(dropped.load(Relaxed), 100 + 98);
    assert_eq!(census.settled(), 2);
}

#[test]
fn what_is_removed_is_dropped_once() {
    let census = Census::default();
    let list: List<_> = (0..300).map(|number| census.citizen(number)).collect();
    let pinned = list.pin();
    for round in 0..50 {
        let element = pinned.positions().nth(round * 3).unwrap();
        assert!(pinned.move_to_back(element));
        assert!(
            pinned
                .remove(element)
                .is_some_and(|value| value.get() < 300)
        );
        assert!(pinned.remove(element).is_none());
        // Still there, for this section.
        assert!(element.get().get() < 300);
    }
    assert!(pinned.pop_front().is_some() && pinned.pop_back().is_some());
    assert_eq!(census.alive(), 300);
    drop(pinned);
    assert_eq!(census.settled(), 248);
    let panics = AssertUnwindSafe(|| {
        let mut left = 100;
        list.pin().retain(|value| {
            left -= 1;
            assert!(left > 0);
            value.get() % 2 == 0
        });
    });
    assert!(catch_unwind(panics).is_err());
    let here = list.len();
    assert!(here < 248 && census.settled() == here && list.pin().iter().count() == here);
    list.pin().clear();
    assert_eq!((list.len(), census.settled()), (0, 0));
    (&list).extend((0..10).map(|number| census.citizen(number)));
    drop(list);
    assert_eq!(census.settled(), 0);
}

#[test]
fn what_a_closure_does_with_the_same_list_is_done() {
    let list = List::from([1, 2, 3, 4]);
    let pinned = list.pin();
    pinned.retain(|value| {
        let list = list.pin();
        if *value == 2 {
            list.pop_back();
            list.push_front(9);
        }
        *value % 2 == 1
    });
    assert!(pinned.iter().eq(&[9, 1, 3]));
    drop(pinned);
    struct Pushes(Arc<List<u8>>);
    impl Drop for Pushes {
        fn drop(&mut self) {
            self.0.pin().push_back(1);
        }
    }
    let log = Arc::new(List::new());
    let list = List::from([Pushes(log.clone()), Pushes(log.clone())]);
    list.pin().pop_front();
    drop(list);
    urcu::barrier();
    assert_eq!(log.len(), 2);
}

#[test]
fn values_of_a_list_live_as_long_as_a_section_in_which_they_were_found() {
    let census = Census::default();
    let list = List::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let (list, census, is_over) = (&list, &census, &is_over);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let pinned = list.pin();
                    let seen: Vec<_> = pinned.positions().take(20).collect();
                    let mut both = pinned.iter();
                    for _ in 0..16 {
                        let at = seen.get(random.below(20) as usize).copied();
                        match (random.below(6), at) {
                            (0, _) => drop(pinned.push_back(census.citizen(thread))),
                            (1, _) => drop(pinned.push_front(census.citizen(thread))),
                            (2, Some(at)) => drop(pinned.insert_after(at, census.citizen(thread))),
                            (3, Some(at)) => {
                                assert!(pinned.remove(at).is_none_or(|value| value.get() < 3))
                            }
                            (4, Some(at)) => drop(pinned.move_to_front(at)),
                            (5, _) if pinned.len() > 200 => _ = pinned.pop_back().map(Citizen::get),
                            (_, at) => assert!(
                                at.and_then(|at| at.next())
                                    .is_none_or(|at| at.get().get() < 3)
                            ),
                        }
                        both.next_back();
                        both.next();
                    }
                    assert!(seen.iter().all(|at| at.get().get() < 3));
                });
                is_over.store(true, Relaxed);
            });
        }
        scope.spawn(|| {
            while !is_over.load(Relaxed) {
                let pinned = list.pin();
                assert!(pinned.iter().rev().take(1000).all(|value| value.get() < 3));
            }
        });
    });
    let left = list.len();
    assert_eq!(
        (list.pin().iter().count(), list.pin().iter().rev().count()),
        (left, left)
    );
    assert_eq!(census.settled(), left);
    drop(list);
    assert_eq!(census.settled(), 0);
}
