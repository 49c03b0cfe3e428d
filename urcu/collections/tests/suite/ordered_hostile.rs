//! An ordered map that many threads change at once: what they observe can have been, and comparisons that lie, or
//! entries without a size, do no harm.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap as Std;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread;

use urcu_collections::BTreeMap;

use crate::histories;
use crate::support::{Census, Citizen, Random, for_a_while, ignore};

thread_local! {
    /// The state of the lots that are drawn for comparisons. Zero: they tell the truth.
    static LOT: Cell<u64> = const { Cell::new(0) };
}

/// A key of which nodes store nothing, and whose order is drawn by lot from time to time.
struct Liar(Citizen);

impl Ord for Liar {
    fn cmp(&self, other: &Self) -> Ordering {
        let lot = LOT.get();
        LOT.set(
            lot.wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(lot & 1),
        );
        let truth = self.0.get().cmp(&other.0.get());
        if lot == 0 {
            return truth;
        }
        match lot >> 58 {
            1 => Ordering::Less,
            2 => Ordering::Equal,
            3 => Ordering::Greater,
            _ => truth,
        }
    }
}
impl PartialOrd for Liar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Liar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Liar {}

#[test]
fn comparisons_that_lie_to_many_threads_do_no_harm() {
    let census = Census::default();
    for lies in [false, true] {
        let map: BTreeMap<Liar, Citizen> = BTreeMap::new();
        thread::scope(|scope| {
            for thread in 1..5u64 {
                let (map, census) = (&map, &census);
                scope.spawn(move || {
                    LOT.set(if lies { 2 * thread + 1 } else { 0 });
                    let mut random = Random::new(thread);
                    let mut steps = 0;
                    for_a_while(|| {
                        steps += 1;
                        let grows = steps / 4000 % 2 == 0;
                        let number = random.below(3000);
                        let (key, value) = (Liar(census.citizen(number)), census.citizen(number));
                        let pinned = map.pin();
                        match random.below(if grows { 12 } else { 24 }) {
                            0 => ignore(pinned.pop_first()),
                            1 => ignore(pinned.pop_last()),
                            2 => ignore(pinned.update(key, Clone::clone)),
                            3 => pinned.range(..key).rev().take(50).for_each(|(key, value)| {
                                ignore((key.0.get(), value.get()));
                            }),
                            4 => {
                                let mut range = pinned.iter();
                                while let Some((key, _)) = if random.below(2) == 0 {
                                    range.next()
                                } else {
                                    range.next_back()
                                } {
                                    key.0.get();
                                }
                            }
                            5 => ignore(pinned.get_or_insert_with(key, || value).get()),
                            6 if steps % 1000 == 0 => pinned.clear(),
                            7..12 => ignore(pinned.insert(key, value).map(Citizen::get)),
                            _ => ignore(pinned.remove(&key).map(Citizen::get)),
                        }
                    });
                });
            }
        });
        let left = map.pin().iter().count();
        assert_eq!((map.len(), census.settled()), (left, 2 * left));
        drop(map);
        assert_eq!(census.settled(), 0);
    }
}

static ENDS: AtomicUsize = AtomicUsize::new(0);

/// A value of no size.
struct Nothing;

impl Drop for Nothing {
    fn drop(&mut self) {
        ENDS.fetch_add(1, Relaxed);
    }
}

#[repr(align(256))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Wide(u8);

#[test]
fn entries_without_a_size_end_once_and_wide_ones_are_aligned() {
    let map = BTreeMap::new();
    let made = AtomicUsize::new(0);
    let make = || {
        made.fetch_add(1, Relaxed);
        Nothing
    };
    thread::scope(|scope| {
        for thread in 1..4 {
            let (map, make) = (&map, &make);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for_a_while(|| {
                    let pinned = map.pin();
                    match random.below(6) {
                        0 => ignore(pinned.insert((), make()).is_some()),
                        1 => ignore(pinned.update((), |_| make()).is_some()),
                        2 => ignore(pinned.get_or_insert_with((), make)),
                        3 => ignore(pinned.pop_first().is_some()),
                        4 => pinned.clear(),
                        _ => ignore(pinned.remove(&()).is_some()),
                    }
                });
            });
        }
    });
    let left = map.len();
    urcu::barrier();
    assert_eq!(ENDS.load(Relaxed) + left, made.load(Relaxed));
    drop(map);
    assert_eq!(ENDS.load(Relaxed), made.load(Relaxed));

    let map: BTreeMap<Wide, Wide> = (0..200).map(|n| (Wide(n), Wide(n))).collect();
    let pinned = map.pin();
    (0..200)
        .step_by(3)
        .for_each(|n| assert!(pinned.remove(&Wide(n)).is_some()));
    (0..200).for_each(|n| ignore(pinned.insert(Wide(n), Wide(n))));
    for (n, (key, value)) in pinned.iter().enumerate() {
        let is_aligned = |wide: &Wide| (&raw const *wide).addr().is_multiple_of(256);
        assert!(is_aligned(key) && is_aligned(value));
        assert_eq!((*key, *value), (Wide(n as u8), Wide(n as u8)));
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Get(u64),
    Insert(u64, u64),
    GetOrInsert(u64, u64),
    Update(u64),
    Remove(u64),
    PopFirst,
    PopLast,
    First,
    Last,
    Clear,
}

#[derive(Clone, Debug)]
struct Event {
    action: Action,
    answer: Option<(u64, u64)>,
    from: u64,
    to: u64,
}

type State = Std<u64, u64>;

/// Returns the map after an action, if the answer can be right.
fn apply(state: &State, event: &Event) -> Option<State> {
    let mut next = state.clone();
    let pair = |entry: Option<(&u64, &u64)>| entry.map(|(key, value)| (*key, *value));
    let answer = match event.action {
        Action::Get(key) => pair(state.get_key_value(&key)),
        Action::Insert(key, value) => next.insert(key, value).map(|old| (key, old)),
        Action::GetOrInsert(key, value) => Some((key, *next.entry(key).or_insert(value))),
        Action::Update(key) => next.get_mut(&key).map(|value| {
            *value += 1;
            (key, *value)
        }),
        Action::Remove(key) => next.remove(&key).map(|old| (key, old)),
        Action::PopFirst => next.pop_first(),
        Action::PopLast => next.pop_last(),
        Action::First => pair(state.first_key_value()),
        Action::Last => pair(state.last_key_value()),
        Action::Clear => {
            next.clear();
            None
        }
    };
    (answer == event.answer).then_some(next)
}

fn act(map: &BTreeMap<u64, u64>, action: Action) -> Option<(u64, u64)> {
    let pinned = map.pin();
    let pair = |entry: Option<(&u64, &u64)>| entry.map(|(key, value)| (*key, *value));
    match action {
        Action::Get(key) => pair(pinned.get_key_value(&key)),
        Action::Insert(key, value) => pinned.insert(key, value).map(|old| (key, *old)),
        Action::GetOrInsert(key, value) => Some((key, *pinned.get_or_insert_with(key, || value))),
        Action::Update(key) => {
            // Others change the leaf, or its parent, meanwhile.
            let next = |old: &u64| {
                thread::yield_now();
                old + 1
            };
            pinned.update(key, next).map(|new| (key, *new))
        }
        Action::Remove(key) => pair(pinned.remove_entry(&key)),
        Action::PopFirst => pair(pinned.pop_first()),
        Action::PopLast => pair(pinned.pop_last()),
        Action::First => pair(pinned.first_key_value()),
        Action::Last => pair(pinned.last_key_value()),
        Action::Clear => {
            pinned.clear();
            None
        }
    }
}

fn draw(random: &mut Random, keys: u64, value: u64) -> Action {
    let key = random.below(keys);
    match random.below(32) {
        0..4 => Action::Get(key),
        4..12 => Action::Insert(key, value),
        12..14 => Action::GetOrInsert(key, value),
        14..19 => Action::Update(key),
        19..26 => Action::Remove(key),
        26 => Action::PopFirst,
        27 => Action::PopLast,
        28 => Action::First,
        29 => Action::Last,
        30 if random.below(4) == 0 => Action::Clear,
        _ => Action::Get(key),
    }
}

/// Checks histories of a map that has every second of so many keys at first.
fn check(threads: u64, keys: u64, steps: u64, rounds: u64) {
    for round in 0..rounds {
        let start: State = (0..keys).step_by(2).map(|key| (key, 0)).collect();
        let map: BTreeMap<u64, u64> = start.clone().into_iter().collect();
        let (clock, barrier) = (AtomicU64::new(0), Barrier::new(threads as usize));
        let record = |thread| {
            let mut random = Random::new(round * threads + thread + 1);
            barrier.wait();
            let events = (0..steps).map(|step| {
                // Values that tell who has written them.
                let action = draw(&mut random, keys, (thread + 1) << 32 | step << 8);
                let from = clock.fetch_add(1, SeqCst);
                let answer = act(&map, action);
                let to = clock.fetch_add(1, SeqCst);
                Event {
                    action,
                    answer,
                    from,
                    to,
                }
            });
            events.collect::<Vec<_>>()
        };
        let mut events: Vec<Event> = thread::scope(|scope| {
            let record = &record;
            let recorders: Vec<_> = (0..threads)
                .map(|thread| scope.spawn(move || record(thread)))
                .collect();
            recorders
                .into_iter()
                .flat_map(|recorder| recorder.join().unwrap())
                .collect()
        });
        events.sort_by_key(|event| event.from);
        let span = |event: &Event| (event.from, event.to);
        assert!(
            histories::is_linearizable(&events, span, start, apply),
            "{events:#?}"
        );
    }
}

#[test]
fn histories_of_an_ordered_map_are_linearizable() {
    // The root is a leaf that is split and made again; a parent of leaves; a parent of parents.
    check(3, 24, 16, 100);
    check(3, 60, 16, 100);
    check(2, 900, 24, 25);
}

/// The last leaf of such a tree, and the node above it, may have one item.
#[test]
fn trees_made_in_one_go_shrink_as_others_do() {
    for keys in [1, 12, 13, 25, 133, 289, 6913] {
        for end in 0..3 {
            let entries = || (0..keys).map(|n| (n, n));
            let (map, mut model): (BTreeMap<u64, u64>, State) =
                (entries().collect(), entries().collect());
            let mut random = Random::new(keys);
            let pinned = map.pin();
            let pair = |(key, value): (&u64, &u64)| (*key, *value);
            while !model.is_empty() {
                let (gone, expected) = match end {
                    0 => (pinned.pop_first(), model.pop_first()),
                    1 => (pinned.pop_last(), model.pop_last()),
                    _ => {
                        let from = random.below(keys);
                        let next = model.range(from..).next().or(model.first_key_value());
                        let key = *next.expect("one at least").0;
                        (pinned.remove_entry(&key), model.remove_entry(&key))
                    }
                };
                assert_eq!(gone.map(pair), expected);
                if model.len() < 64 || model.len() % 512 == 0 {
                    assert!(pinned.iter().eq(&model));
                    assert!(pinned.iter().rev().eq(model.iter().rev()));
                }
            }
            assert!(map.is_empty());
        }
    }
}
