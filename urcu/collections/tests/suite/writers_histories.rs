//! Histories of those who change queues and lists.

use std::collections::VecDeque;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use urcu_collections::{List, WfcQueue};

use crate::histories::is_linearizable;
use crate::support::Random;

#[derive(Clone, Copy, Debug)]
enum Action {
    PushFront(u64),
    /// True if there was something before.
    PushBack(u64, Option<bool>),
    PopFront,
    PopBack,
    MoveFirstToBack,
    TakeAll,
}

#[derive(Clone, Debug)]
struct Event {
    action: Action,
    /// The values that were taken.
    answer: Vec<u64>,
    from: u64,
    to: u64,
}

fn apply(state: &VecDeque<u64>, event: &Event) -> Option<VecDeque<u64>> {
    let mut state = state.clone();
    let taken: Vec<u64> = match event.action {
        Action::PushFront(value) => {
            state.push_front(value);
            vec![]
        }
        Action::PushBack(value, was_there) => {
            if was_there.is_some_and(|was_there| was_there == state.is_empty()) {
                return None;
            }
            state.push_back(value);
            vec![]
        }
        Action::PopFront => state.pop_front().into_iter().collect(),
        Action::PopBack => state.pop_back().into_iter().collect(),
        Action::MoveFirstToBack => {
            // Whichever element it was: the first one may have been another by then.
            if let Some(moved) = event.answer.first() {
                let at = state.iter().position(|value| value == moved)?;
                let value = state.remove(at);
                state.extend(value);
            }
            event.answer.clone()
        }
        Action::TakeAll => state.drain(..).collect(),
    };
    (taken == event.answer).then_some(state)
}

fn check(rounds: u64, record: impl Fn(&AtomicU64, u64) -> Vec<Vec<Event>>) {
    for round in 0..rounds {
        let events = record(&AtomicU64::new(0), round).concat();
        let span = |event: &Event| (event.from, event.to);
        assert!(
            is_linearizable(&events, span, VecDeque::new(), apply),
            "{events:#?}"
        );
    }
}

/// Returns what three threads do with something, each with its own random numbers.
fn together(
    clock: &AtomicU64,
    round: u64,
    act: impl Fn(&mut Random, u64) -> (Action, Vec<u64>) + Sync,
) -> Vec<Vec<Event>> {
    let barrier = Barrier::new(3);
    thread::scope(|scope| {
        let threads = [0, 1, 2].map(|thread| {
            let (act, barrier) = (&act, &barrier);
            scope.spawn(move || {
                let mut random = Random::new(round * 3 + thread + 1);
                barrier.wait();
                (0..14)
                    .map(|step| {
                        let from = clock.fetch_add(1, SeqCst);
                        let (action, answer) = act(&mut random, thread << 8 | step);
                        let to = clock.fetch_add(1, SeqCst);
                        Event {
                            action,
                            answer,
                            from,
                            to,
                        }
                    })
                    .collect()
            })
        });
        threads.map(|thread| thread.join().unwrap()).into()
    })
}

#[test]
fn histories_of_a_wfcqueue_are_linearizable() {
    check(300, |clock, round| {
        let queue = WfcQueue::new();
        together(clock, round, |random, value| match random.below(8) {
            0..4 => (Action::PushBack(value, Some(queue.enqueue(value))), vec![]),
            4..7 => (
                Action::PopFront,
                queue.consumer().dequeue().into_iter().collect(),
            ),
            _ => (Action::TakeAll, queue.consumer().take_all().collect()),
        })
    });
}

#[test]
fn histories_of_changes_of_a_list_are_linearizable() {
    check(300, |clock, round| {
        let list = List::new();
        together(clock, round, |random, value| {
            let list = list.pin();
            match random.below(8) {
                0..3 => {
                    list.push_back(value);
                    (Action::PushBack(value, None), vec![])
                }
                3 => {
                    list.push_front(value);
                    (Action::PushFront(value), vec![])
                }
                4 => (
                    Action::PopFront,
                    list.pop_front().into_iter().copied().collect(),
                ),
                5 => (
                    Action::PopBack,
                    list.pop_back().into_iter().copied().collect(),
                ),
                _ => {
                    let first = list.front().filter(|first| list.move_to_back(*first));
                    (
                        Action::MoveFirstToBack,
                        first.into_iter().map(|first| *first).collect(),
                    )
                }
            }
        })
    });
}
