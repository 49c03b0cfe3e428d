//! Forked children: the map's locks may have been held by threads that are not there any more.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use urcu_collections::HashMap;

use crate::support::in_child;

#[test]
#[cfg_attr(miri, ignore = "no forks")]
fn a_child_goes_on_with_a_map_that_others_were_changing() {
    let map: HashMap<u64, u64> = (0..100).map(|key| (key, key)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 1..4u64 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                for round in (0u64..).take_while(|_| !done.load(Relaxed)) {
                    // Few buckets, which grow and shrink all the time: their locks are held often.
                    let key = (thread << 32) | (round % 300);
                    map.pin().insert(key, 0);
                    if round % 300 == 299 {
                        map.retain(|key, _| key >> 32 != thread, &map.guard());
                        map.pin().shrink_to_fit();
                    }
                }
            });
        }
        let end = Instant::now() + Duration::from_millis(700);
        while Instant::now() < end {
            in_child(|| {
                let found = (0..100).all(|key| map.get_copied(&key) == Some(key));
                for key in 0..3000 {
                    map.pin().insert(key, key + 1);
                }
                let counted = map.pin().keys().filter(|key| **key < 3000).count();
                let replaced = (0..3000).all(|key| map.get_copied(&key) == Some(key + 1));
                map.pin().retain(|key, _| *key < 100);
                map.pin().shrink_to_fit();
                found && replaced && counted == 3000 && map.pin().iter().count() == 100
            });
        }
        done.store(true, Relaxed);
    });
    map.retain(|key, _| key >> 32 == 0, &map.guard());
    assert_eq!(map.len(), 100);
}
