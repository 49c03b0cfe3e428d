//! Hash maps.

pub(super) mod map;
mod ours;
mod peers;

use std::sync::Arc;

pub use map::{Kind, Map, Operation, hasher};

use crate::structures::keys::{Key, Value};

/// Returns the maps that take any keys and values, ours first.
#[must_use]
pub fn kinds<K: Key, V: Value>() -> Vec<Kind<K, V>> {
    let mut kinds = vec![ours::guarded()];
    kinds.extend(peers::kinds());
    kinds
}

/// Returns all maps of numbers, ours first.
#[must_use]
pub fn of_numbers() -> Vec<Kind<u64, u64>> {
    let mut kinds = vec![ours::copied()];
    kinds.extend(kinds_of_numbers());
    kinds
}

fn kinds_of_numbers() -> Vec<Kind<u64, u64>> {
    #[allow(unused_mut, reason = "where there is no liburcu")]
    let mut kinds = kinds();
    #[cfg(have_liburcu_cds)]
    kinds.push(Kind::of::<super::liburcu::Table>(
        "liburcu rculfhash",
        "liburcu",
        "`cds_lfht_new` with automatic resizing and accounting, under liburcu-memb; inlined C, one call for each \
         operation",
    ));
    kinds
}

/// Returns the maps whose values are strings that are shared.
#[must_use]
pub fn of_shared() -> Vec<Kind<u64, Arc<str>>> {
    kinds()
}

/// Returns the maps whose keys are strings.
#[must_use]
pub fn of_strings() -> Vec<Kind<String, u64>> {
    kinds()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{Kind, Operation, of_numbers, of_shared, of_strings};
    use crate::memb;
    use crate::structures::keys::{Key, Value};

    fn has_what_was_stored_last<K: Key, V: Value>(kinds: &[Kind<K, V>]) {
        let _registration = memb::register();
        for kind in kinds {
            let name = kind.named.name;
            let map = (kind.make)();
            let (key, other) = (K::of(1), K::of(2));
            assert_eq!(map.get(&key), None, "{name}");
            for number in 0..100 {
                map.insert(key.clone(), V::of(number));
                assert_eq!(map.get(&key), Some(V::of(number)), "{name}");
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let _registration = memb::register();
                        assert_eq!(map.get(&key), Some(V::of(number)), "{name}");
                    });
                });
                assert_eq!(map.get(&other), None, "{name}");
            }
            map.remove(&key);
            assert_eq!(map.get(&key), None, "{name}");
            map.insert(key.clone(), V::of(7));
            assert_eq!(map.get(&key), Some(V::of(7)), "{name}");
        }
    }

    fn loads_do_what_they_say<K: Key, V: Value>(kinds: &[Kind<K, V>]) {
        let _registration = memb::register();
        for kind in kinds {
            let name = kind.named.name;
            let map = (kind.make)();
            let keys: Vec<K> = (0..1000).map(K::of).collect();
            for (number, key) in keys.iter().enumerate() {
                map.insert(key.clone(), V::of(number as u64));
            }
            let sum = (0..1000).map(|number| V::of(number).look()).sum::<u64>();
            assert_eq!(map.look_each(&keys), sum, "{name}");
            assert_eq!(map.look_all(&keys), sum, "{name}");
            let misses: Vec<K> = (1000..2000).map(K::of).collect();
            assert_eq!(map.look_each(&misses), 0, "{name}");
            map.insert_and_remove(&misses);
            assert_eq!(map.look_all(&misses), 0, "{name}");
            map.mixed(&keys[..2], &[Operation::Remove, Operation::Insert]);
            assert_eq!(map.get(&keys[0]), None, "{name}");
            assert_eq!(map.get(&keys[1]), Some(V::of(1)), "{name}");
            map.mixed(&keys[..1], &[Operation::Look]);
            assert_eq!(map.get(&keys[0]), None, "{name}");
        }
    }

    #[test]
    fn every_map_has_what_was_stored_last() {
        has_what_was_stored_last(&of_numbers());
        has_what_was_stored_last(&of_shared());
        has_what_was_stored_last(&of_strings());
    }

    #[test]
    fn every_load_does_what_it_says() {
        loads_do_what_they_say(&of_numbers());
        loads_do_what_they_say(&of_shared());
        loads_do_what_they_say(&of_strings());
    }
}
