//! Traits, handles, kinds of keys and values.

use std::collections::HashMap as Std;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::ignore;
use urcu::{Domain, Global, ReadGuard};
use urcu_collections::{Equivalent, HashMap, HashMapRef, HashSet, OccupiedError};

fn is_send<T: Send>(_: &T) {}
fn is_sync<T: Sync>(_: &T) {}

#[test]
fn handles_guards_and_iterators_go_to_other_threads() {
    let map = HashMap::from([(1, "one")]);
    let pinned = map.pin();
    is_send(&pinned);
    is_sync(&pinned);
    is_send(&pinned.iter());
    is_send(&map.guard());
    let pinned: HashMapRef<'_, _, _> = std::thread::scope(|scope| {
        let other = scope.spawn(move || {
            assert_eq!(pinned.get(&1), Some(&"one"));
            pinned
        });
        other.join().unwrap()
    });
    assert_eq!(pinned.get(&1), Some(&"one"));
    drop(pinned);
    is_send(&map.into_iter());
}

#[test]
fn a_handle_lives_across_an_await() {
    fn spawn(_: impl Future + Send) {}
    async fn task(map: &HashMap<u32, u32>) -> Option<u32> {
        let pinned = map.pin();
        pinned.insert(1, 2);
        std::future::ready(()).await;
        pinned.get(&1).copied()
    }
    let map = HashMap::new();
    spawn(task(&map));
}

#[test]
fn a_guard_of_another_domain_is_refused_by_every_method() {
    static OTHER: Domain = Domain::named("other");
    let map = HashMap::from([(1, 1)]);
    let set = HashSet::from([1]);
    let guard = OTHER.read_lock();
    type Method<'a> = Box<dyn Fn(&ReadGuard<'_>) + 'a>;
    let methods: [Method<'_>; 26] = [
        Box::new(|guard| ignore(map.get(&1, guard))),
        Box::new(|guard| ignore(map.get_key_value(&1, guard))),
        Box::new(|guard| assert!(map.contains_key(&1, guard))),
        Box::new(|guard| ignore(map.get_many([&1], guard))),
        Box::new(|guard| ignore(map.entry(1, guard))),
        Box::new(|guard| ignore(map.iter(guard))),
        Box::new(|guard| ignore(map.keys(guard))),
        Box::new(|guard| ignore(map.values(guard))),
        Box::new(|guard| ignore(map.insert(1, 1, guard))),
        Box::new(|guard| ignore(map.try_insert(1, 1, guard))),
        Box::new(|guard| ignore(map.try_insert_with(1, || 1, guard))),
        Box::new(|guard| ignore(map.get_or_insert(1, 1, guard))),
        Box::new(|guard| ignore(map.get_or_insert_with(1, || 1, guard))),
        Box::new(|guard| ignore(map.update(1, |_| 1, guard))),
        Box::new(|guard| ignore(map.update_or_insert(1, |_| 1, 1, guard))),
        Box::new(|guard| ignore(map.remove(&1, guard))),
        Box::new(|guard| ignore(map.remove_entry(&1, guard))),
        Box::new(|guard| ignore(map.remove_if(&1, |_, _| true, guard))),
        Box::new(|guard| map.retain(|_, _| true, guard)),
        Box::new(|guard| map.clear(guard)),
        Box::new(|guard| map.reserve(1, guard)),
        Box::new(|guard| map.shrink_to_fit(guard)),
        Box::new(|guard| assert!(set.contains(&1, guard))),
        Box::new(|guard| assert!(set.insert(1, guard))),
        Box::new(|guard| ignore(set.get(&1, guard))),
        Box::new(|guard| ignore(set.iter(guard))),
    ];
    for method in &methods {
        let refused = catch_unwind(AssertUnwindSafe(|| method(&guard))).unwrap_err();
        let message = refused.downcast::<String>().unwrap();
        assert!(message.contains("\"other\""), "{message}");
    }
    assert_eq!(map.get_copied(&1), Some(1));
}

#[test]
fn a_map_may_have_a_domain_of_its_own() {
    let domain = Domain::new();
    let map = HashMap::new_in(&domain);
    let global = urcu::read_lock();
    map.pin().insert(1, String::from("one"));
    map.pin().remove(&1);
    // Not held up by the section of the global domain.
    domain.barrier();
    drop(global);
    assert_eq!(map.get(&1, &domain.read_lock()), None);
}

#[test]
fn keys_may_be_looked_up_by_what_is_equivalent() {
    struct Lower<'a>(&'a str);
    impl std::hash::Hash for Lower<'_> {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.to_lowercase().hash(state);
        }
    }
    impl Equivalent<String> for Lower<'_> {
        fn equivalent(&self, key: &String) -> bool {
            self.0.to_lowercase() == *key
        }
    }
    let map = HashMap::from([(String::from("key"), 1)]);
    assert_eq!(map.get_copied("key"), Some(1));
    assert_eq!(map.get_copied(&Lower("KEY")), Some(1));
    assert_eq!(map.pin().remove(&Lower("Key")), Some(&1));
    assert!(map.is_empty());
}

#[test]
fn keys_and_values_may_have_no_size_or_a_large_alignment() {
    #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
    #[repr(align(256))]
    struct Large(u8);
    let nothing = HashMap::from([((), ())]);
    assert_eq!(nothing.pin().insert((), ()), Some(&()));
    assert_eq!((nothing.len(), nothing.pin().remove(&())), (1, Some(&())));
    let large = HashMap::new();
    for key in 0..100 {
        large.pin().insert(Large(key), Large(key + 1));
    }
    let pinned = large.pin();
    for key in 0..100 {
        let value = pinned.get(&Large(key)).unwrap();
        assert_eq!(
            (*value, std::ptr::from_ref(value).addr() % 256),
            (Large(key + 1), 0)
        );
    }
}

#[test]
fn maps_and_sets_have_the_usual_traits() {
    let map: HashMap<_, _> = [("a", 1), ("b", 2)].into_iter().collect();
    let copy = map.clone();
    assert_eq!(map, copy);
    copy.pin().insert("a", 3);
    assert_ne!(map, copy);
    (&map).extend([("a", 3)]);
    (&map).extend(&Std::from([("c", 4)]));
    copy.pin().insert("c", 4);
    assert_eq!(map, copy);
    let mut shown: Vec<_> = format!("{map:?}").chars().collect();
    shown.sort_unstable();
    let mut expected: Vec<_> = r#"{"a": 3, "b": 2, "c": 4}"#.chars().collect();
    expected.sort_unstable();
    assert_eq!(shown, expected);
    assert!(HashMap::<u8, u8>::default().is_empty());

    let set: HashSet<_> = (0..10).collect();
    assert_eq!(set, set.clone());
    assert!(set.pin().remove(&3) && !set.pin().contains(&3));
    set.pin().retain(|key| key % 2 == 0);
    let mut left: Vec<_> = set.into_iter().collect();
    left.sort_unstable();
    assert_eq!(left, [0, 2, 4, 6, 8]);
}

#[test]
fn an_occupied_key_says_what_is_there() {
    let map = HashMap::from([("a", 1)]);
    let pinned = map.pin();
    let error: OccupiedError<'_, i32> = pinned.try_insert("a", 2).unwrap_err();
    assert_eq!((*error.current, error.not_inserted), (1, 2));
    assert!(error.to_string().contains("not inserted"), "{error}");
}

#[test]
fn the_types_are_those_of_the_contract() {
    let _: HashMap<IpAddr, u8, urcu_collections::DefaultHashBuilder, Global> = HashMap::new();
    let _: HashSet<IpAddr, urcu_collections::DefaultHashBuilder, Global> = HashSet::new();
}

#[cfg(feature = "serde")]
#[test]
fn maps_and_sets_are_written_and_read() {
    let map = HashMap::from([(1, String::from("one")), (2, String::from("two"))]);
    let text = serde_json::to_string(&map).unwrap();
    assert_eq!(map, serde_json::from_str(&text).unwrap());
    let set = HashSet::from([1, 2]);
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(set, serde_json::from_str(&text).unwrap());
}

#[cfg(feature = "rayon")]
#[test]
fn parallel_iteration_meets_each_entry_once_while_the_map_is_resized() {
    use rayon::iter::{IntoParallelIterator, ParallelIterator};
    let map: HashMap<u64, u64> = (0..5000u64).into_par_iter().map(|n| (n, n)).collect();
    let pinned = map.pin();
    let sum: u64 = pinned
        .into_par_iter()
        .map(|(key, value)| {
            map.pin().insert(key + 5000, 0);
            if *key < 5000 { *value + 1 } else { 0 }
        })
        .sum();
    assert_eq!(sum, 5000 * 5001 / 2);
}
