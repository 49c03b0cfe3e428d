//! `get_copied`: a restartable sequence for some types, a guard for all others, and one answer.

use std::collections::HashMap as Std;
use std::hash::{BuildHasher, Hash};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use urcu_collections::HashMap;

use crate::support::{AllSame, AsIs, Random, for_a_while, ignore};

fn answers<K, V, S>(map: HashMap<K, V, S>, key: impl Fn(u64) -> K, value: impl Fn(u64) -> V)
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Copy + PartialEq + std::fmt::Debug + Send + 'static,
    S: BuildHasher,
{
    let mut model = Std::new();
    let mut random = Random::new(size_of::<(K, V)>() as u64);
    for _ in 0..1500 {
        let number = random.below(200) + 1;
        if random.below(3) == 0 {
            map.pin().remove(&key(number));
            model.remove(&key(number));
        } else {
            let drawn = random.next();
            map.pin().insert(key(number), value(drawn));
            model.insert(key(number), value(drawn));
        }
        let asked = key(random.below(200) + 1);
        assert_eq!(map.get_copied(&asked), model.get(&asked).copied());
    }
}

#[test]
fn copies_are_right_for_keys_and_values_of_all_sizes() {
    answers(HashMap::new(), |n| n as u8, |n| n);
    answers(HashMap::new(), |n| n as u16, |n| n as u8);
    answers(HashMap::new(), |n| n as u32, |n| n as u8);
    answers(HashMap::new(), |n| n as i32, |n| n as u16);
    answers(HashMap::new(), |n| n, |n| n as u32);
    answers(HashMap::new(), |n| n << 56, |n| n);
    answers(HashMap::new(), |n| n as usize, |n| [n, !n]);
    answers(HashMap::new(), |n| n, |n| [n, !n, n]);
    answers(HashMap::new(), |n| n, |_| ());
    answers(
        HashMap::new(),
        |n| NonZeroU64::new(n).unwrap(),
        |n| n as f64,
    );
    answers(HashMap::new(), |n| [n as u8, 0, 0, 1], |n| (n, n as u8));
    answers(HashMap::new(), |n| [0, n], |n| n);
    answers(HashMap::new(), |n| [n, 0], |n| Some(n as u32));
    answers(HashMap::new(), |n| n as u128, |n| n);
    answers(HashMap::new(), |n| Ipv4Addr::from(n as u32), |n| n);
    answers(HashMap::new(), |n| Ipv6Addr::from(n as u128), |n| n as u128);
    answers(HashMap::new(), |n| n.to_string(), |n| n);
    answers(HashMap::new(), |n| (n as u8, n), |n| n);
    answers(HashMap::with_hasher(AllSame::default()), |n| n, |n| n);
    answers(HashMap::with_hasher(AsIs::default()), |n| n, |n| n);
}

/// Equality of its own, though it has the size of an integer: bytes do not tell.
#[derive(Clone, Copy, Debug)]
struct Caseless(u32);

impl PartialEq for Caseless {
    fn eq(&self, other: &Self) -> bool {
        self.0 | 32 == other.0 | 32
    }
}
impl Eq for Caseless {}
impl Hash for Caseless {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.0 | 32).hash(state);
    }
}

#[test]
fn keys_are_compared_by_their_own_eq() {
    let map = HashMap::from([(Caseless(b'a'.into()), 1u64)]);
    assert_eq!(map.get_copied(&Caseless(b'A'.into())), Some(1));
}

/// Readers without a guard, while entries and tables are freed behind them: both halves of a value agree,
/// and are of the key that was asked for.
#[test]
fn copies_are_never_torn_or_of_another_key() {
    let map = HashMap::new();
    let value = |key: u64, drawn: u64| [key ^ drawn, drawn];
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(1);
            for_a_while(|| {
                for _ in 0..100 {
                    let (key, drawn) = (random.below(2000), random.next());
                    ignore(map.pin().insert(key, value(key, drawn)));
                    ignore(map.pin().remove(&random.below(2000)));
                }
                if random.below(8) == 0 {
                    map.pin().clear();
                    map.pin().shrink_to_fit();
                }
            });
            done.store(true, Relaxed);
        });
        for seed in 2..4 {
            let (map, done) = (&map, &done);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                while !done.load(Relaxed) {
                    let key = random.below(2000);
                    if let Some([mixed, drawn]) = map.get_copied(&key) {
                        assert_eq!(mixed, key ^ drawn);
                    }
                }
            });
        }
    });
}
