//! Many threads in one map.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use urcu_collections::HashMap;

use crate::support::{Census, Random, for_a_while, ignore};

/// Each thread changes keys of its own and knows what they must be; all resize the table together.
#[test]
fn every_thread_finds_what_it_has_written_last() {
    let map = HashMap::new();
    thread::scope(|scope| {
        for thread in 0..4u64 {
            let map = &map;
            scope.spawn(move || {
                let mut mine = std::collections::HashMap::new();
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let mut pinned = map.pin();
                    for _ in 0..64 {
                        pinned.refresh();
                        let key = random.below(500) * 4 + thread;
                        if random.below(3) == 0 {
                            assert_eq!(pinned.remove(&key).copied(), mine.remove(&key));
                        } else {
                            let value = random.next();
                            assert_eq!(pinned.insert(key, value).copied(), mine.insert(key, value));
                        }
                        let key = random.below(500) * 4 + thread;
                        assert_eq!(map.get_copied(&key), mine.get(&key).copied());
                    }
                });
                for (key, value) in &mine {
                    assert_eq!(map.get_copied(key), Some(*value));
                }
                map.retain(|key, _| key % 4 != thread, &map.guard());
            });
        }
    });
    assert_eq!((map.len(), map.pin().iter().count()), (0, 0));
}

#[test]
fn no_update_is_lost() {
    let map = HashMap::new();
    let each = 20_000u64;
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..each {
                    let pinned = map.pin();
                    let key = number % 3;
                    if number % 2 == 0 {
                        pinned.update_or_insert(key, |count| count + 1, 1);
                    } else {
                        pinned.entry(key).and_modify(|count| count + 1).or_insert(1);
                    }
                }
            });
        }
    });
    assert_eq!(map.pin().values().sum::<u64>(), 3 * each);
}

/// A key that is always there, with other keys that come and go in its bucket and a table that grows and
/// shrinks, is never missed, and is met by each iteration exactly once.
#[test]
fn what_nobody_touches_is_always_found_and_met_once() {
    let map = HashMap::new();
    let kept = 200u64;
    for key in 0..kept {
        map.pin().insert(key, key);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..2u64 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let base = kept + thread;
                    for key in 0..3000u64 {
                        map.pin().insert(base + key * 2, 0);
                    }
                    for key in 0..3000u64 {
                        map.pin().remove(&(base + key * 2));
                    }
                    if random.below(2) == 0 {
                        map.pin().shrink_to_fit();
                    }
                });
                done.store(true, Relaxed);
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    for key in 0..kept {
                        assert_eq!(map.get_copied(&key), Some(key));
                    }
                    let pinned = map.pin();
                    let mut met = vec![0; kept as usize];
                    for (&key, _) in pinned.iter().filter(|(key, _)| **key < kept) {
                        met[key as usize] += 1;
                    }
                    assert!(met.iter().all(|&times| times == 1), "{met:?}");
                }
            });
        }
    });
    assert_eq!(map.len() as u64, kept);
}

#[test]
fn of_many_that_insert_a_key_one_succeeds() {
    let threads = 4;
    let map = HashMap::new();
    let barrier = Barrier::new(threads);
    let successes = AtomicU64::new(0);
    let rounds = 2000u64;
    thread::scope(|scope| {
        for thread in 0..threads {
            let (map, barrier, successes) = (&map, &barrier, &successes);
            scope.spawn(move || {
                for round in 0..rounds {
                    if round % 64 == 0 {
                        barrier.wait();
                    }
                    if map.pin().try_insert(round, thread).is_ok() {
                        successes.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(successes.load(Relaxed), rounds);
    assert_eq!(map.pin().iter().count() as u64, rounds);
}

#[test]
fn values_live_as_long_as_a_section_in_which_they_were_found() {
    let census = Census::default();
    let map = HashMap::new();
    thread::scope(|scope| {
        for thread in 0..3u64 {
            let (map, census) = (&map, &census);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let pinned = map.pin();
                    let seen: Vec<_> = (0..32).filter_map(|key| pinned.get(&key)).collect();
                    for _ in 0..16 {
                        let key = random.below(32);
                        match random.below(3) {
                            0 => ignore(pinned.remove(&key).map(crate::support::Citizen::get)),
                            _ => {
                                let old = pinned.insert(key, census.citizen(key));
                                assert!(old.is_none_or(|old| old.get() == key));
                            }
                        }
                    }
                    seen.iter().for_each(|value| assert!(value.get() < 32));
                });
            });
        }
    });
    let left = map.len();
    assert_eq!(census.settled(), left);
    drop(map);
    assert_eq!(census.settled(), 0);
}
