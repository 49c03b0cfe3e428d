//! Long random histories of one thread, beside the standard library's map.

use std::collections::HashMap as Std;
use std::hash::BuildHasher;

use urcu_collections::{Apart, Compute, HashMap, HashSet, Operation, ResizeMode};

use crate::support::{AllSame, AsIs, Random, ignore};

/// One random step, in both maps; what both answer must be the same.
fn step<S: BuildHasher>(
    map: &HashMap<u64, u64, S>,
    model: &mut Std<u64, u64>,
    random: &mut Random,
    keys: u64,
) {
    let pinned = map.pin();
    let (key, value) = (random.below(keys), random.next());
    match random.below(18) {
        0..=3 => assert_eq!(pinned.insert(key, value).copied(), model.insert(key, value)),
        4..=6 => assert_eq!(pinned.remove(&key).copied(), model.remove(&key)),
        7 => assert_eq!(pinned.get(&key), model.get(&key)),
        8 => match pinned.try_insert(key, value) {
            Ok(&inserted) => assert_eq!((inserted, model.insert(key, value)), (value, None)),
            Err(error) => {
                assert_eq!(Some(error.current), model.get(&key));
                assert_eq!(error.not_inserted, value);
            }
        },
        9 => {
            let updated = pinned.update(key, |old| old ^ value).copied();
            let expected = model.get_mut(&key).map(|old| {
                *old ^= value;
                *old
            });
            assert_eq!(updated, expected);
        }
        10 => {
            let now = *pinned.update_or_insert(key, |old| old.wrapping_add(1), value);
            let expected = model
                .entry(key)
                .and_modify(|old| *old = old.wrapping_add(1));
            assert_eq!(now, *expected.or_insert(value));
        }
        11 => {
            let now = pinned.entry(key).or_insert(value);
            assert_eq!(now, model.entry(key).or_insert(value));
        }
        12 => compute(&pinned, model, key, value),
        13 => {
            let removed = pinned.remove_if(&key, |_, &old| old & 1 == 0);
            match model.get(&key).copied() {
                None => assert_eq!(removed, Ok(None)),
                Some(old) if old & 1 == 0 => {
                    assert_eq!(removed, Ok(Some((&key, &old))));
                    model.remove(&key);
                }
                Some(old) => assert_eq!(removed, Err((&key, &old))),
            }
        }
        14 => {
            let others = [random.below(keys), key, random.below(keys)];
            let found = pinned.get_many([&others[0], &others[1], &others[2]]);
            assert_eq!(found, others.map(|key| model.get(&key)));
        }
        15 if random.below(50) == 0 => {
            pinned.retain(|key, _| key % 3 != 0);
            model.retain(|key, _| key % 3 != 0);
        }
        16 if random.below(100) == 0 => pinned.shrink_to_fit(),
        17 if random.below(400) == 0 => {
            pinned.clear();
            model.clear();
        }
        _ => assert_eq!(map.get_copied(&key), model.get(&key).copied()),
    }
}

fn compute<S: BuildHasher>(
    pinned: &urcu_collections::HashMapRef<'_, u64, u64, S>,
    model: &mut Std<u64, u64>,
    key: u64,
    value: u64,
) {
    let computed = pinned.compute(key, |entry| match (entry, value % 3) {
        (_, 0) => Operation::Insert(value),
        (Some(_), 1) => Operation::Remove,
        (entry, _) => Operation::Abort(entry.map(|(_, &value)| value)),
    });
    let old = model.get(&key).copied();
    match (old, value % 3) {
        (None, 0) => assert_eq!(computed, Compute::Inserted(&key, &value)),
        (Some(old), 0) => {
            let (old, new) = ((&key, &old), (&key, &value));
            assert_eq!(computed, Compute::Updated { old, new });
        }
        (Some(old), 1) => assert_eq!(computed, Compute::Removed(&key, &old)),
        (old, _) => assert_eq!(computed, Compute::Aborted(old)),
    }
    match (old, value % 3) {
        (_, 0) => ignore(model.insert(key, value)),
        (Some(_), 1) => ignore(model.remove(&key)),
        _ => {}
    }
}

fn same<S: BuildHasher>(map: &HashMap<u64, u64, S>, model: &Std<u64, u64>) {
    assert_eq!(map.len(), model.len());
    let pinned = map.pin();
    let mut met: Vec<_> = pinned.iter().map(|(&key, &value)| (key, value)).collect();
    met.sort_unstable();
    let mut expected: Vec<_> = model.iter().map(|(&key, &value)| (key, value)).collect();
    expected.sort_unstable();
    assert_eq!(met, expected);
}

fn history<S: BuildHasher>(mut map: HashMap<u64, u64, S>, seed: u64, keys: u64, steps: usize) {
    let mut model = Std::new();
    let mut random = Random::new(seed);
    for number in 0..steps {
        step(&map, &mut model, &mut random, keys);
        if number % 512 == 0 {
            same(&map, &model);
            for (key, value) in map.iter_mut() {
                *value ^= key;
            }
            for (key, value) in &mut model {
                *value ^= key;
            }
        }
    }
    same(&map, &model);
    let mut taken: Vec<_> = map.into_iter().collect();
    taken.sort_unstable();
    let mut expected: Vec<_> = model.into_iter().collect();
    expected.sort_unstable();
    assert_eq!(taken, expected);
}

#[test]
fn a_map_answers_as_the_standard_one_does() {
    for seed in 0..6 {
        history(HashMap::new(), seed, 40 << (2 * (seed % 4)), 12_000);
    }
}

#[test]
fn so_does_one_that_moves_one_group_or_all_of_them_at_a_time() {
    for (seed, mode) in [(7, ResizeMode::Incremental(1)), (8, ResizeMode::Blocking)] {
        let map = HashMap::builder().resize_mode(mode).build();
        history(map, seed, 3000, 20_000);
    }
}

#[test]
fn so_does_one_with_entries_apart() {
    let map = HashMap::builder().entries_apart().build();
    history(map, 11, 600, 20_000);
    let map = HashMap::builder()
        .hasher(AllSame::default())
        .entries_apart();
    history(map.build(), 12, 60, 5_000);
}

#[test]
fn entries_are_apart_if_that_is_asked_for() {
    let inline = HashMap::new();
    let apart = HashMap::builder().entries_apart().build();
    for number in 0..1000u64 {
        inline.pin().insert(number, number);
        apart.pin().insert(number, number);
    }
    let (inline, apart) = (inline.memory_usage(), apart.memory_usage());
    assert!(inline < 38_000, "{inline}");
    // A hash, a key and a value for each, and at least 256 buckets of 64 bytes.
    assert!(apart > 40_000, "{apart}");
}

#[test]
fn copies_of_a_map_with_entries_apart_have_entries_apart_too() {
    type Map = HashMap<u64, u64, Apart>;
    let is_apart = |map: &Map| {
        assert_eq!(map.len(), 1000);
        assert!((0..1000).all(|number| map.get_copied(&number) == Some(number)));
        // With pairs in its buckets it would take less.
        assert!(map.memory_usage() > 40_000, "{}", map.memory_usage());
    };
    let map: Map = (0..1000).map(|number| (number, number)).collect();
    is_apart(&map);
    is_apart(&map.clone());
    let mut more = Map::default();
    more.extend(map.pin().iter().map(|(key, value)| (*key, *value)));
    is_apart(&more);
    #[cfg(feature = "serde")]
    is_apart(&serde_json::from_str(&serde_json::to_string(&map).unwrap()).unwrap());
    #[cfg(feature = "rayon")]
    {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        let numbers = (0..1000).into_par_iter();
        is_apart(&numbers.map(|number| (number, number)).collect());
        let set: HashSet<u64, Apart> = (0..1000).into_par_iter().collect();
        assert_eq!(set.len(), 1000);
    }
    let mut sum = 0;
    more.into_iter().for_each(|(key, _)| sum += key);
    assert_eq!(sum, 499_500);
    let set: HashSet<u64, Apart> = map.pin().keys().copied().collect();
    let builder = HashSet::builder().capacity(1000).entries_apart().build();
    assert!(set.clone() == set && set.pin().iter().all(|key| builder.pin().insert(*key)));
    assert!(set == builder);
}

#[test]
fn so_does_one_whose_keys_all_have_the_same_hash() {
    history(HashMap::with_hasher(AllSame::default()), 9, 90, 8_000);
}

#[test]
fn so_does_one_whose_hashes_are_the_keys() {
    history(HashMap::with_hasher(AsIs::default()), 10, 2000, 15_000);
}
