//! Ordered maps.

use std::hint::black_box;
use std::sync::RwLock;

use crate::numbers::{Random, forget, key};
use crate::table::{side_by_side, wanted};

pub(crate) fn measure() {
    let operations = 50_000usize;
    for entries in [1000u64, 65_536, 1 << 20] {
        let name = |what: &str| format!("ordered, {entries}: {what}");
        if !wanted(&name("")) && !wanted("ordered") {
            continue;
        }
        let pairs = || (0..entries).map(|number| (key(number), number));
        let ours: urcu_collections::BTreeMap<u64, u64> = pairs().collect();
        let skiplist: crossbeam_skiplist::SkipMap<u64, u64> = pairs().collect();
        let locked = RwLock::new(pairs().collect::<std::collections::BTreeMap<_, _>>());
        let mut random = Random(entries);
        let keys: Vec<_> = (0..operations)
            .map(|_| key(random.next() % entries))
            .collect();
        side_by_side(
            &name("get"),
            operations,
            &[
                (
                    "urcu",
                    true,
                    Box::new(|| {
                        keys.iter()
                            .for_each(|key| forget(black_box(ours.pin().get(key).copied())));
                    }),
                ),
                (
                    "skiplist",
                    false,
                    Box::new(|| {
                        keys.iter().for_each(|key| {
                            forget(black_box(skiplist.get(key).map(|entry| *entry.value())))
                        });
                    }),
                ),
                (
                    "RwLock",
                    false,
                    Box::new(|| {
                        keys.iter().for_each(|key| {
                            forget(black_box(locked.read().unwrap().get(key).copied()))
                        });
                    }),
                ),
            ],
        );
        let few = &keys[..operations / 50];
        side_by_side(
            &name("range of 100"),
            few.len(),
            &[
                (
                    "urcu",
                    true,
                    Box::new(|| {
                        for key in few {
                            let pinned = ours.pin();
                            black_box(
                                pinned
                                    .range(key..)
                                    .take(100)
                                    .map(|(_, value)| value)
                                    .sum::<u64>(),
                            );
                        }
                    }),
                ),
                (
                    "skiplist",
                    false,
                    Box::new(|| {
                        for key in few {
                            let range = skiplist.range(key..).take(100);
                            black_box(range.map(|entry| *entry.value()).sum::<u64>());
                        }
                    }),
                ),
                (
                    "RwLock",
                    false,
                    Box::new(|| {
                        for key in few {
                            let locked = locked.read().unwrap();
                            black_box(
                                locked
                                    .range(key..)
                                    .take(100)
                                    .map(|(_, value)| value)
                                    .sum::<u64>(),
                            );
                        }
                    }),
                ),
            ],
        );
        side_by_side(
            &name("insert + remove"),
            few.len(),
            &[
                (
                    "urcu",
                    true,
                    Box::new(|| {
                        for key in few {
                            ours.pin().insert(key + 1, 0);
                            ours.pin().remove(&(key + 1));
                        }
                    }),
                ),
                (
                    "skiplist",
                    false,
                    Box::new(|| {
                        for key in few {
                            skiplist.insert(key + 1, 0);
                            skiplist.remove(&(key + 1));
                        }
                    }),
                ),
                (
                    "RwLock",
                    false,
                    Box::new(|| {
                        for key in few {
                            locked.write().unwrap().insert(key + 1, 0);
                            locked.write().unwrap().remove(&(key + 1));
                        }
                    }),
                ),
            ],
        );
    }
}
