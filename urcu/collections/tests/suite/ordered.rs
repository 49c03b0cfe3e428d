//! The ordered map.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap as Std;
use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use urcu_collections::BTreeMap;

use crate::support::{Census, Citizen, Random, for_a_while, ignore, in_child};

fn bound<K>(random: &mut Random, key: K) -> Bound<K> {
    match random.below(5) {
        0 => Unbounded,
        1 | 2 => Included(key),
        _ => Excluded(key),
    }
}

fn history<K>(seed: u64, keys: u64, steps: u64, key: impl Fn(u64) -> K)
where
    K: Ord + Clone + std::fmt::Debug + Send + 'static,
{
    let (map, mut model) = (BTreeMap::new(), Std::new());
    let mut random = Random::new(seed);
    for step in 0..steps {
        let pinned = map.pin();
        let (wanted, value) = (key(random.below(keys)), random.next());
        // Growing and shrinking, in turns.
        let grows = step / 1000 % 2 == 0;
        match random.below(10) {
            0..=3 if grows => {
                let old = pinned.insert(wanted.clone(), value).copied();
                assert_eq!(old, model.insert(wanted, value));
            }
            0..=3 => {
                assert_eq!(pinned.remove(&wanted).copied(), model.remove(&wanted));
            }
            4 if !grows => {
                assert_eq!(
                    pinned.pop_first().map(|(key, _)| key.clone()),
                    model.pop_first().map(|(key, _)| key)
                );
                assert_eq!(
                    pinned.pop_last().map(|(key, _)| key.clone()),
                    model.pop_last().map(|(key, _)| key)
                );
            }
            5 => {
                let updated = pinned.update(wanted.clone(), |old| old ^ value).copied();
                assert_eq!(updated, model.get(&wanted).map(|old| old ^ value));
                if let Some(now) = updated {
                    model.insert(wanted, now);
                }
            }
            6 => {
                let there = pinned.get_or_insert_with(wanted.clone(), || value);
                assert_eq!(there, model.entry(wanted).or_insert(value));
            }
            7 => {
                let (from, to) = (wanted.clone(), key(random.below(keys)));
                let (from, to) = if from < to { (from, to) } else { (to, from) };
                let range = (bound(&mut random, from), bound(&mut random, to));
                if matches!(&range, (Excluded(from), Excluded(to)) if from == to) {
                    continue;
                }
                assert!(pinned.range(range.clone()).eq(model.range(range.clone())));
                assert!(
                    pinned
                        .range(range.clone())
                        .rev()
                        .eq(model.range(range).rev())
                );
            }
            _ => assert_eq!(pinned.get(&wanted), model.get(&wanted)),
        }
        assert_eq!(pinned.first_key_value(), model.first_key_value());
        assert_eq!(pinned.last_key_value(), model.last_key_value());
        if step % 256 == 0 {
            assert!(pinned.iter().eq(&model));
            let copy = map.clone();
            assert!(copy == map && copy.len() == model.len());
        }
    }
    map.pin().clear();
    assert!(map.is_empty() && map.pin().iter().next().is_none());
}

#[test]
fn an_ordered_map_answers_as_the_standard_one_does() {
    history(1, 60, 8_000, |number| number);
    history(2, 4000, 12_000, |number| number as i64 - 2000);
    history(3, 800, 6_000, |number| format!("{number:05}/{number}"));
    history(4, 800, 6_000, |number| number.to_string());
    // Of types of which nothing is known.
    history(5, 800, 6_000, |number| (number % 7, number));
    history(6, 600, 6_000, |number| [number as u8; 16]);
}

#[test]
fn keys_may_be_borrowed() {
    let map: BTreeMap<String, u32> = (0..500).map(|n| (format!("key {n:03}"), n)).collect();
    let pinned = map.pin();
    assert_eq!(pinned.get("key 123"), Some(&123));
    assert!(
        pinned
            .range::<str, _>((Included("key 100"), Excluded("key 103")))
            .map(|(_, n)| *n)
            .eq(100..103)
    );
    let bytes: BTreeMap<Vec<u8>, u32> =
        (0..300u32).map(|n| (n.to_be_bytes().to_vec(), n)).collect();
    assert_eq!(bytes.pin().get(&7u32.to_be_bytes()[..]), Some(&7));
    let text: BTreeMap<&str, u32> = BTreeMap::from([("a", 1), ("b", 2)]);
    assert_eq!(text.pin().get("b"), Some(&2));
}

#[test]
fn a_range_meets_in_the_middle_and_goes_to_other_threads() {
    let map: BTreeMap<_, _> = (0..100).map(|n| (n, n)).collect();
    let pinned = map.pin();
    let mut range = pinned.range(10..90);
    let (mut front, mut back) = (Vec::new(), Vec::new());
    while let Some((first, _)) = range.next() {
        front.push(*first);
        back.extend(range.next_back().map(|(last, _)| *last));
    }
    back.reverse();
    front.extend(back);
    assert!(front.into_iter().eq(10..90));
    let range = pinned.iter();
    let count = thread::scope(|scope| scope.spawn(move || range.count()).join().unwrap());
    assert_eq!(count, 100);
}

#[test]
fn ranges_that_are_none_are_refused() {
    let map = BTreeMap::from([(1, 1)]);
    let pinned = map.pin();
    let refused = |range: (Bound<i32>, Bound<i32>)| {
        catch_unwind(AssertUnwindSafe(|| pinned.range(range).count())).is_err()
    };
    assert!(refused((Included(3), Included(2))));
    assert!(refused((Excluded(2), Excluded(2))));
    assert_eq!(pinned.range((Included(2), Excluded(2))).count(), 0);
    static OTHER: urcu::Domain = urcu::Domain::new();
    let guard = OTHER.read_lock();
    assert!(catch_unwind(AssertUnwindSafe(|| map.get(&1, &guard).copied())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| map.clear(&guard))).is_err());
}

/// Other keys come and go around those that stay, and their leaves are split and joined.
#[test]
fn a_range_meets_each_key_that_stays_exactly_once() {
    const STEP: u64 = 10;
    let map: BTreeMap<u64, u64> = (0..200).map(|n| (n * STEP, 0)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 1..3 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let grows = random.below(2) == 0;
                    for _ in 0..500 {
                        let key = random.below(200) * STEP;
                        match random.below(STEP) {
                            0 => ignore(map.pin().update(key, |n| n + 1)),
                            other if grows => ignore(map.pin().insert(key + other, 0)),
                            other => ignore(map.pin().remove(&(key + other))),
                        }
                    }
                });
                done.store(true, Relaxed);
            });
        }
        for thread in 0..2 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !done.load(Relaxed) {
                    let pinned = map.pin();
                    let from = random.below(200);
                    let mut range = pinned.range(from * STEP..);
                    let (mut front, mut back) = (Vec::new(), Vec::new());
                    loop {
                        let (end, to) = match random.below(2) {
                            0 => (range.next(), &mut front),
                            _ => (range.next_back(), &mut back),
                        };
                        let Some((key, _)) = end else { break };
                        to.push(*key);
                    }
                    front.extend(back.into_iter().rev());
                    assert!(front.is_sorted_by(|a, b| a < b), "{front:?}");
                    let stay = front.into_iter().filter(|key| key % STEP == 0);
                    assert!(stay.eq((from..200).map(|n| n * STEP)));
                }
            });
        }
    });
}

#[test]
fn both_ends_of_a_range_meet_in_a_leaf_that_was_replaced() {
    let map: BTreeMap<u64, u64> = (0..100).map(|n| (2 * n, n)).collect();
    for back in 0..20 {
        let pinned = map.pin();
        let mut range = pinned.iter();
        let last: Vec<u64> = range.by_ref().rev().take(back).map(|(_, n)| *n).collect();
        // The last leaf gets an entry, and another value.
        pinned.insert(190 + 2 * back as u64 % 8 + 1, 1000);
        pinned.insert(196, 98);
        let seen: Vec<u64> = range.map(|(_, n)| *n).collect();
        let stay = seen.iter().chain(last.iter().rev()).filter(|n| **n < 1000);
        assert!(stay.copied().eq(0..100), "{seen:?} {last:?}");
    }
}

/// Many threads on few processors change the same leaves, so they are preempted anywhere.
#[test]
fn many_threads_update_a_few_keys_and_lose_nothing() {
    let map: BTreeMap<u64, u64> = (0..100).map(|n| (n, 0)).collect();
    thread::scope(|scope| {
        for thread in 0..8u64 {
            let map = &map;
            scope.spawn(move || {
                for step in 0..1000 {
                    // All are in one leaf, whose least key separates it from the one before.
                    ignore(map.pin().update(40 + step % 12, |n| n + 1));
                    let other = 1000 + thread * 1000 + step;
                    assert_eq!(map.pin().insert(other, step), None);
                    assert_eq!(map.pin().remove(&other), Some(&step));
                }
            });
        }
    });
    let sum: u64 = map.pin().range(40..52).map(|(_, n)| *n).sum();
    assert_eq!((sum, map.len()), (8000, 100));
    assert!(map.pin().keys().copied().eq(0..100));
}

#[test]
fn every_thread_finds_what_it_has_written_last() {
    let census = Census::default();
    let map = BTreeMap::new();
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let (map, census) = (&map, &census);
            scope.spawn(move || {
                let mut mine = Std::new();
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let mut pinned = map.pin();
                    for _ in 0..32 {
                        pinned.refresh();
                        let key = random.below(300) * 3 + thread;
                        if random.below(3) == 0 {
                            let removed = pinned.remove(&key).map(Citizen::get);
                            assert_eq!(removed, mine.remove(&key));
                        } else {
                            let value = random.next();
                            let old = pinned.insert(key, census.citizen(value)).map(Citizen::get);
                            assert_eq!(old, mine.insert(key, value));
                        }
                        let key = random.below(300) * 3 + thread;
                        assert_eq!(pinned.get(&key).map(Citizen::get), mine.get(&key).copied());
                    }
                    let seen = pinned.iter().filter(|(key, _)| *key % 3 == thread);
                    assert!(
                        seen.map(|(key, value)| (*key, value.get()))
                            .eq(mine.iter().map(|(&key, &value)| (key, value)))
                    );
                });
            });
        }
    });
    assert_eq!(map.len(), map.pin().iter().count());
    let left = map.len();
    assert_eq!(census.settled(), left);
    drop(map);
    assert_eq!(census.settled(), 0);
}

#[test]
fn no_update_is_lost_and_each_entry_is_popped_once() {
    let map = BTreeMap::from([(0u64, 0u64)]);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..3000).for_each(|_| ignore(map.pin().update(0, |n| n + 1))));
        }
    });
    assert_eq!(map.pin().get(&0), Some(&9000));
    let map: BTreeMap<_, _> = (0..3000u64).map(|n| (n, n)).collect();
    let popped: Vec<u64> = thread::scope(|scope| {
        let popping: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let pop = || map.pin().pop_first().map(|(key, _)| *key);
                    std::iter::from_fn(pop).collect::<Vec<_>>()
                })
            })
            .collect();
        popping
            .into_iter()
            .flat_map(|popping| {
                let popped = popping.join().unwrap();
                assert!(popped.is_sorted());
                popped
            })
            .collect()
    });
    let mut popped = popped;
    popped.sort_unstable();
    assert!(popped.into_iter().eq(0..3000) && map.is_empty());
    assert_eq!(map.len(), 0);
}

thread_local! {
    /// After so many comparisons one panics; every tenth before lies, if that is wanted.
    static FUSE: Cell<u64> = const { Cell::new(u64::MAX) };
    static LIES: Cell<Option<u64>> = const { Cell::new(None) };
}

struct Key(Citizen);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if FUSE.get() == 0 {
            FUSE.set(u64::MAX);
            resume_unwind(Box::new("fuse"));
        }
        FUSE.set(FUSE.get() - 1);
        if let Some(lie) = LIES.get() {
            LIES.set(Some(
                lie.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1),
            ));
            match lie >> 60 {
                0 => return Ordering::Less,
                1 => return Ordering::Greater,
                2 => return Ordering::Equal,
                _ => {}
            }
        }
        self.0.get().cmp(&other.0.get())
    }
}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Key {}

#[test]
fn comparisons_may_panic_or_lie_and_everything_is_dropped_once() {
    let census = Census::default();
    for lies in [None, Some(1)] {
        let map = BTreeMap::new();
        let mut random = Random::new(7);
        let mut panics = 0;
        for _ in 0..8000 {
            LIES.set(lies.map(|_| random.next()));
            FUSE.set(if random.below(4) == 0 {
                random.below(14)
            } else {
                u64::MAX
            });
            let number = random.below(400);
            let (key, value) = (Key(census.citizen(number)), census.citizen(number));
            let step = || {
                let pinned = map.pin();
                match random.below(8) {
                    0..=3 => ignore(pinned.insert(key, value)),
                    4 => ignore(pinned.remove(&key)),
                    5 => ignore(pinned.update(key, Clone::clone)),
                    6 => ignore(pinned.range(..key).rev().take(50).count()),
                    _ => ignore(pinned.pop_first()),
                }
            };
            panics += usize::from(catch_unwind(AssertUnwindSafe(step)).is_err());
        }
        FUSE.set(u64::MAX);
        LIES.set(None);
        assert!(panics > 100, "{panics}");
        let left = map.pin().iter().count();
        assert_eq!((map.len(), census.settled()), (left, 2 * left));
        drop(map);
        assert_eq!(census.settled(), 0);
    }
}

#[test]
fn a_child_goes_on_with_a_map_that_others_were_changing() {
    let map: BTreeMap<u64, u64> = (0..100).map(|key| (key * 100, key)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 1..4u64 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !done.load(Relaxed) {
                    let key = random.below(100) * 100;
                    match random.below(3) {
                        0 => ignore(map.pin().update(key, |n| *n)),
                        1 => ignore(map.pin().insert(key + random.below(9) + 1, 0)),
                        _ => ignore(map.pin().remove(&(key + random.below(9) + 1))),
                    }
                }
            });
        }
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            in_child(|| {
                let pinned = map.pin();
                let stay = pinned.iter().filter(|(key, _)| *key % 100 == 0);
                let found = stay.map(|(key, n)| key - 100 * n).eq([0; 100]);
                drop(pinned);
                // Each leaf and its parent: few, so that their locks are held often, and many children.
                let mut replaced = true;
                for n in 0..100 {
                    map.pin().insert(n * 100 + 50, n);
                    replaced &= map.pin().insert(n * 100, n + 1) == Some(&n);
                    replaced &= map.pin().remove(&(n * 100 + 50)) == Some(&n);
                }
                found && replaced && (0..100).all(|n| map.pin().get(&(n * 100)) == Some(&(n + 1)))
            });
        }
        done.store(true, Relaxed);
    });
    let stay = map.pin().keys().filter(|key| *key % 100 == 0).count();
    assert_eq!(stay, 100);
}
