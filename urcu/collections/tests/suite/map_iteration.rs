//! Iterators beside changes.

use urcu_collections::HashMap;

use crate::support::{AsIs, ignore};

/// At every point of an iteration, in every direction: the table is changed under it, and what was there
/// from beginning to end is met once.
#[test]
fn an_iteration_survives_any_resize_at_any_point() {
    for entries in [1u64, 7, 40, 130] {
        for point in 0..entries {
            for sizes in [[4000, 0], [0, 4000], [300, 0], [0, 0]] {
                let map = HashMap::with_capacity_and_hasher(200, AsIs::default());
                (0..entries).for_each(|key| ignore(map.pin().insert(key, key)));
                let pinned = map.pin();
                let mut iter = pinned.iter();
                let mut met: Vec<_> = iter.by_ref().take(point as usize).collect();
                for size in sizes {
                    match size {
                        0 => map.pin().shrink_to_fit(),
                        size => map.pin().reserve(size),
                    }
                }
                met.extend(iter);
                let mut met: Vec<u64> = met.into_iter().map(|(key, _)| *key).collect();
                met.sort_unstable();
                assert_eq!(met, (0..entries).collect::<Vec<_>>(), "{point} {sizes:?}");
            }
        }
    }
}

#[test]
fn an_iteration_in_the_middle_of_a_resize_meets_everything_once() {
    // Entries for which the table has just begun to grow: part of it is moved.
    for entries in 1..700u64 {
        let map = HashMap::new();
        (0..entries).for_each(|key| ignore(map.pin().insert(key, key)));
        let mut met: Vec<_> = map.pin().keys().copied().collect();
        met.sort_unstable();
        assert!(met.iter().copied().eq(0..entries), "{entries}");
        let mut map = map;
        assert_eq!(map.iter_mut().count() as u64, entries);
        assert_eq!(map.into_iter().count() as u64, entries);
    }
}

#[test]
fn keys_and_values_agree() {
    let map: HashMap<_, _> = (0..100).map(|key| (key, key * 2)).collect();
    let pinned = map.pin();
    let doubled: Vec<_> = pinned.keys().map(|key| key * 2).collect();
    assert_eq!(doubled, pinned.values().copied().collect::<Vec<_>>());
    assert_eq!((&pinned).into_iter().count(), 100);
}
