//! What walks yield while others change the list.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use urcu_collections::List;
use urcu_collections::list::ListRef;

use crate::support::{Random, for_a_while};

/// Elements below this are there all the time, and are not moved.
const KEPT: u64 = 24;

/// Puts elements that come and go everywhere between those that stay.
fn churn(list: &List<u64>, next: &AtomicU64, moves: bool, seed: u64, done: &AtomicBool) {
    let mut random = Random::new(seed);
    for_a_while(|| {
        let list = list.pin();
        for _ in 0..32 {
            let anchor = list.positions().nth(random.below(KEPT) as usize);
            let Some(at) = anchor else { continue };
            let number = next.fetch_add(1, Relaxed);
            match random.below(if moves { 8 } else { 5 }) {
                0 => drop(list.insert_before(at, number)),
                1 => drop(list.insert_after(at, number)),
                2 => drop(list.push_front(number)),
                3 => drop(list.push_back(number)),
                4 => {
                    let all = list.positions().filter(|at| **at >= KEPT);
                    all.skip(3).take(4).for_each(|at| _ = list.remove(at));
                    // Those beside one that stays, too.
                    [at.next(), at.prev()]
                        .into_iter()
                        .flatten()
                        .filter(|at| **at >= KEPT)
                        .for_each(|at| _ = list.remove(at));
                }
                kind => {
                    let movable = list
                        .positions()
                        .filter(|at| **at >= KEPT)
                        .nth(random.below(6) as usize);
                    let Some(element) = movable else { continue };
                    _ = match kind {
                        5 => list.move_before(element, at),
                        6 => list.move_to_back(element),
                        _ => list.move_to_front(element),
                    };
                }
            }
        }
    });
    done.store(true, Relaxed);
}

/// Walks, from the ends in any order, and checks.
fn walk(list: &ListRef<'_, u64>, moves: bool, random: &mut Random) {
    let mut values = list.iter();
    let (mut front, mut back) = (Vec::new(), Vec::new());
    // In one direction, in the other, or from both ends.
    let share = [0, 100, 50, 20][random.below(4) as usize];
    loop {
        let value = if random.below(100) < share {
            values.next_back().inspect(|value| back.push(**value))
        } else {
            values.next().inspect(|value| front.push(**value))
        };
        if value.is_none() {
            break;
        }
    }
    back.reverse();
    let all = [front.clone(), back.clone()].concat();
    let kept: Vec<_> = all.iter().copied().filter(|value| *value < KEPT).collect();
    assert!(kept.iter().copied().eq(0..KEPT), "{front:?} {back:?}");
    if !moves {
        let once: HashSet<_> = all.iter().collect();
        assert_eq!(once.len(), all.len(), "{front:?} {back:?}");
    }
}

/// Goes to and fro.
fn wander(list: &ListRef<'_, u64>, random: &mut Random) {
    let mut cursor = list.cursor();
    let mut last: Option<u64> = None;
    for _ in 0..60 {
        let to_back = random.below(3) > 0;
        let at = if to_back {
            cursor.move_next()
        } else {
            cursor.move_prev()
        };
        let Some(at) = at.filter(|at| **at < KEPT) else {
            if at.is_none() {
                last = None;
            }
            continue;
        };
        // Between two that stay, only those that come and go are passed.
        if let Some(last) = last {
            let steps = last.abs_diff(*at);
            assert!(steps <= 1, "from {last} to {}", *at);
        }
        last = Some(*at);
    }
}

fn walks_while_others_change(moves: bool) {
    let list: List<u64> = (0..KEPT).collect();
    let next = AtomicU64::new(KEPT);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..2 {
            let (list, next, done) = (&list, &next, &done);
            scope.spawn(move || churn(list, next, moves, thread, done));
            scope.spawn(move || {
                let mut random = Random::new(thread + 7);
                let mut pinned = list.pin();
                while !done.load(Relaxed) {
                    pinned.refresh();
                    walk(&pinned, moves, &mut random);
                    wander(&pinned, &mut random);
                }
            });
        }
    });
    let pinned = list.pin();
    let (there, back): (Vec<_>, Vec<_>) = (pinned.iter().collect(), pinned.iter().rev().collect());
    assert!(there.iter().eq(back.iter().rev()) && there.len() == list.len());
    walk(&pinned, false, &mut Random::new(1));
}

#[test]
fn a_walk_meets_what_stays_once_and_in_order_whatever_comes_and_goes() {
    walks_while_others_change(false);
}

#[test]
fn a_walk_meets_what_stays_once_and_in_order_whatever_is_moved() {
    walks_while_others_change(true);
}

/// One element goes round and round; nobody is led round with it.
#[test]
fn a_walk_ends_though_elements_are_moved_from_end_to_end() {
    let list: List<u64> = (0..KEPT).collect();
    list.pin().push_back(KEPT);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for_a_while(|| {
                let list = list.pin();
                let mover = list.positions().find(|at| **at == KEPT).unwrap();
                assert!(list.move_to_front(mover));
                assert!(list.move_to_back(mover));
                assert!(list.move_before(mover, list.positions().nth(9).unwrap()));
            });
            done.store(true, Relaxed);
        });
        scope.spawn(|| {
            let mut random = Random::new(3);
            while !done.load(Relaxed) {
                walk(&list.pin(), true, &mut random);
            }
        });
    });
    assert_eq!(list.len() as u64, KEPT + 1);
}
