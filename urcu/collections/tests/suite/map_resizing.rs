//! Growing and shrinking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use urcu::Domain;
use urcu_collections::{HashMap, ResizeMode};

use crate::support::{AllSame, Random, for_a_while, ignore};

#[test]
fn memory_follows_the_entries_up_and_down() {
    let map = HashMap::new();
    let most = 20_000u64;
    for key in 0..most {
        map.pin().insert(key, key);
    }
    let full = map.memory_usage();
    let entries = most as usize * 24;
    assert!(
        full > entries && full < entries + most as usize * 80,
        "{full}"
    );
    for key in 0..most {
        assert_eq!(map.pin().remove(&key), Some(&key));
    }
    // By itself; and then, as far as it goes.
    assert!(
        map.memory_usage() < full / 4,
        "{} of {full}",
        map.memory_usage()
    );
    map.pin().shrink_to_fit();
    // One bucket of two lines, the head, and what it takes to align them.
    assert!(map.memory_usage() <= 64 * 5, "{}", map.memory_usage());
}

#[test]
fn room_that_was_asked_for_is_there_and_stays() {
    let map = HashMap::with_capacity(10_000);
    let (room, bytes) = (map.capacity(), map.memory_usage());
    assert!(room >= 10_000);
    for key in 0..10_000 {
        map.pin().insert(key, ());
    }
    map.pin().clear();
    assert_eq!(map.capacity(), room);
    assert!(map.memory_usage() < bytes * 3 / 2);
    map.reserve(100_000, &map.guard());
    assert!(map.capacity() >= 100_000);
    map.shrink_to(500, &map.guard());
    assert!((500..5000).contains(&map.capacity()), "{}", map.capacity());
}

#[test]
fn an_absurd_capacity_is_refused() {
    let refused = std::panic::catch_unwind(|| HashMap::<u8, u8>::with_capacity(usize::MAX));
    assert!(refused.is_err());
    let map = HashMap::from([(1, 1)]);
    let pinned = map.pin();
    let reserve = std::panic::AssertUnwindSafe(|| pinned.reserve(usize::MAX / 2));
    assert!(std::panic::catch_unwind(reserve).is_err());
    assert_eq!(map.get_copied(&1), Some(1));
    drop(pinned);
    // Nor is it remembered.
    let map = HashMap::new();
    let reserve = || map.reserve(usize::MAX / 2, &map.guard());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(reserve)).is_err());
    map.shrink_to(usize::MAX / 2, &map.guard());
    map.pin().insert(1, 1);
    assert!(map.memory_usage() < 1000);
}

#[test]
fn keys_with_one_hash_do_not_make_the_table_grow_for_nothing() {
    let map = HashMap::with_hasher(AllSame::default());
    for key in 0..500u32 {
        map.pin().insert(key, key);
    }
    for key in 0..500 {
        assert_eq!(map.get_copied(&key), Some(key));
    }
    assert!(map.memory_usage() < 500 * 64, "{}", map.memory_usage());
    map.pin().retain(|key, _| *key == 7);
    map.pin().shrink_to_fit();
    // The overflow buckets are gone.
    assert!(map.memory_usage() <= 400, "{}", map.memory_usage());
    assert_eq!(map.get_copied(&7), Some(7));
}

/// A storm of resizes, by hand and by itself, under readers of what nobody touches and writers who know
/// what is theirs.
fn storm(mode: ResizeMode) {
    let map: HashMap<u64, u64> = HashMap::builder().resize_mode(mode).build();
    let done = AtomicBool::new(false);
    for key in 0..64 {
        map.pin().insert(key, key);
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(1);
            for_a_while(|| match random.below(3) {
                0 => map.pin().reserve(random.below(5000) as usize),
                1 => map.shrink_to(random.below(2000) as usize, &map.guard()),
                _ => map.pin().shrink_to_fit(),
            });
            done.store(true, Relaxed);
        });
        for thread in 1..3u64 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                let mut mine = std::collections::HashMap::new();
                while !done.load(Relaxed) {
                    let key = (random.below(1000) << 8) | (thread << 60);
                    let now = random.next();
                    assert_eq!(map.pin().insert(key, now).copied(), mine.insert(key, now));
                    let key = (random.below(1000) << 8) | (thread << 60);
                    assert_eq!(map.pin().remove(&key).copied(), mine.remove(&key));
                }
                assert!(
                    mine.iter()
                        .all(|(key, value)| map.get_copied(key) == Some(*value))
                );
                mine.keys().for_each(|key| ignore(map.pin().remove(key)));
            });
        }
        scope.spawn(|| {
            while !done.load(Relaxed) {
                assert!((0..64).all(|key| map.get_copied(&key) == Some(key)));
                let sum = map.pin().iter().filter(|(key, _)| **key < 64).count();
                assert_eq!(sum, 64);
            }
        });
    });
    assert_eq!((map.len(), map.pin().iter().count()), (64, 64));
}

#[test]
fn nothing_is_lost_or_met_twice_in_a_storm_of_resizes() {
    storm(ResizeMode::default());
    storm(ResizeMode::Incremental(1));
    storm(ResizeMode::Blocking);
}

/// A reader that stays in its section while the map grows a thousandfold sees what it saw; and what waits
/// for it is the tables, less than the map is large now.
#[test]
fn a_reader_that_stalls_while_the_map_grows_keeps_what_it_has_found() {
    let map = HashMap::<u64, String, _, _>::new_in(Arc::new(Domain::new()));
    for key in 0..32u64 {
        map.pin().insert(key, key.to_string());
    }
    let pinned = map.pin();
    let mut iter = pinned.iter();
    let mut met: Vec<u64> = iter.by_ref().take(5).map(|(key, _)| *key).collect();
    let seen = pinned.get(&7).unwrap();
    for key in 32..32_000u64 {
        map.pin().insert(key, key.to_string());
    }
    assert_eq!((seen.as_str(), map.len()), ("7", 32_000));
    met.extend(iter.map(|(key, _)| *key).filter(|key| *key < 32));
    met.sort_unstable();
    assert_eq!(met, (0..32).collect::<Vec<_>>());
    let stats = map.domain().stats();
    assert!(stats.callbacks_excess == 0, "{stats:?}");
}

#[test]
fn a_map_grows_although_all_slots_wait_for_a_reader() {
    let domain = Arc::new(Domain::new());
    let map = HashMap::builder().capacity(64).domain(Arc::clone(&domain));
    let map = map.build();
    let reader = domain.read_lock();
    // Each slot has had a pair, and cannot be filled while the section is open.
    for key in 0..1000u64 {
        map.pin().insert(key, key);
        map.pin().remove(&key);
    }
    assert_eq!(map.capacity(), 64);
    for key in 1000..3000 {
        map.pin().insert(key, key);
    }
    assert!(map.capacity() >= 1000, "{}", map.capacity());
    assert!((1000..3000).all(|key| map.get_copied(&key) == Some(key)));
    drop(reader);
}
