//! Histories of maps. Keys are independent, so each key's history is checked by itself.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use urcu_collections::{HashMap, ResizeMode};

use crate::histories;
use crate::support::Random;

#[derive(Clone, Copy, Debug)]
enum Action {
    Get,
    Insert(u64),
    TryInsert(u64),
    Remove,
    Add(u64),
}

#[derive(Clone, Copy, Debug)]
struct Event {
    key: u64,
    action: Action,
    /// The value before, or the value found; of `Add` the value now.
    answer: Option<u64>,
    from: u64,
    to: u64,
}

/// Returns the value of a key after an action, if the answer can be right.
fn apply(state: Option<u64>, event: &Event) -> Option<Option<u64>> {
    let (answer, next) = match event.action {
        Action::Get => (state, state),
        Action::Insert(value) => (state, Some(value)),
        Action::TryInsert(value) => (state, state.or(Some(value))),
        Action::Remove => (state, None),
        Action::Add(value) => {
            let next = state.map_or(Some(value), |state| Some(state + value));
            (next, next)
        }
    };
    (answer == event.answer).then_some(next)
}

fn is_linearizable(events: &[Event]) -> bool {
    histories::is_linearizable(
        events,
        |event| (event.from, event.to),
        None,
        |state, event| apply(*state, event),
    )
}

fn act(map: &HashMap<u64, u64>, key: u64, action: Action) -> Option<u64> {
    let pinned = map.pin();
    match action {
        Action::Get if key.is_multiple_of(2) => map.get_copied(&key),
        Action::Get => pinned.get(&key).copied(),
        Action::Insert(value) => pinned.insert(key, value).copied(),
        Action::TryInsert(value) => pinned
            .try_insert(key, value)
            .err()
            .map(|error| *error.current),
        Action::Remove => pinned.remove(&key).copied(),
        Action::Add(value) => Some(*pinned.update_or_insert(key, |old| old + value, value)),
    }
}

fn record(
    map: &HashMap<u64, u64>,
    clock: &AtomicU64,
    seed: u64,
    keys: u64,
    steps: u64,
) -> Vec<Event> {
    let mut random = Random::new(seed);
    let events = (0..steps).map(|step| {
        let key = random.below(keys);
        // Values that tell who has written them.
        let value = seed << 32 | step << 8;
        let action = match random.below(9) {
            0..=2 => Action::Get,
            3 | 4 => Action::Insert(value),
            5 => Action::TryInsert(value),
            6 | 7 => Action::Remove,
            _ => Action::Add(1),
        };
        let from = clock.fetch_add(1, SeqCst);
        let answer = act(map, key, action);
        let to = clock.fetch_add(1, SeqCst);
        if random.below(24) == 0 {
            map.pin().shrink_to_fit();
        }
        Event {
            key,
            action,
            answer,
            from,
            to,
        }
    });
    events.collect()
}

fn check(mode: ResizeMode, threads: u64, keys: u64, rounds: u64) {
    for round in 0..rounds {
        let map = HashMap::builder().resize_mode(mode).build();
        let (clock, barrier) = (AtomicU64::new(0), Barrier::new(threads as usize));
        let mut events: Vec<Event> = thread::scope(|scope| {
            let recorders: Vec<_> = (0..threads)
                .map(|thread| {
                    let (map, clock, barrier) = (&map, &clock, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        record(
                            map,
                            clock,
                            round * threads + thread + 1,
                            keys,
                            keys * 12 / threads,
                        )
                    })
                })
                .collect();
            let recorders = recorders.into_iter();
            recorders
                .flat_map(|recorder| recorder.join().unwrap())
                .collect()
        });
        events.sort_by_key(|event| event.from);
        for key in 0..keys {
            let of_key: Vec<_> = events
                .iter()
                .copied()
                .filter(|event| event.key == key)
                .collect();
            if !of_key.is_empty() {
                assert!(is_linearizable(&of_key), "{of_key:#?}");
            }
        }
    }
}

#[test]
fn histories_of_a_map_are_linearizable() {
    check(ResizeMode::default(), 3, 3, 250);
    check(ResizeMode::Incremental(1), 3, 40, 120);
    check(ResizeMode::Blocking, 2, 12, 150);
}

#[test]
fn the_checker_refuses_what_cannot_be() {
    let event = |action, answer, from, to| Event {
        key: 0,
        action,
        answer,
        from,
        to,
    };
    let insert = event(Action::Insert(1), None, 0, 1);
    assert!(is_linearizable(&[
        insert,
        event(Action::Get, Some(1), 2, 3)
    ]));
    // After the insertion has returned the key is there.
    assert!(!is_linearizable(&[insert, event(Action::Get, None, 2, 3)]));
    // At the same time both may be.
    let slow = event(Action::Insert(1), None, 0, 9);
    assert!(is_linearizable(&[slow, event(Action::Get, None, 2, 3)]));
    // But not first the one and then the other.
    let gets = [
        event(Action::Get, Some(1), 2, 3),
        event(Action::Get, None, 4, 5),
    ];
    assert!(!is_linearizable(&[slow, gets[0], gets[1]]));
    // Two cannot remove one value.
    let removals = [2, 4].map(|from| event(Action::Remove, Some(1), from, from + 1));
    assert!(!is_linearizable(&[insert, removals[0], removals[1]]));
}
