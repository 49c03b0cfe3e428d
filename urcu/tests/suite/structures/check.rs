//! What must hold for a structure, whatever it is built on: histories, values, their ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A value that notices when it is used after its end, and counts.
#[derive(Debug)]
pub(crate) struct Item {
    stamp: u64,
    copy: u64,
    alive: Arc<AtomicUsize>,
}

impl Item {
    pub(crate) fn new(alive: &Arc<AtomicUsize>, stamp: u64) -> Self {
        alive.fetch_add(1, SeqCst);
        let alive = Arc::clone(alive);
        Item {
            stamp,
            copy: !stamp,
            alive,
        }
    }

    pub(crate) fn stamp(&self) -> u64 {
        assert_eq!(self.stamp, !self.copy, "a value that was freed");
        self.stamp
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.stamp();
        self.copy = self.stamp;
        assert!(self.alive.fetch_sub(1, SeqCst) >= 1, "dropped twice");
    }
}

/// An operation of a history: what it was and gave, and when it began and ended.
#[derive(Clone, Debug)]
struct Event<O> {
    operation: O,
    times: [usize; 2],
}

/// Returns whether the operations can be put into an order in which none comes before one that had ended when
/// it began, and the model gives the same answers.
fn is_linearizable<O, M: Clone>(
    left: &[Event<O>],
    model: &M,
    apply: &impl Fn(&mut M, &O) -> bool,
) -> bool
where
    O: Clone,
{
    let first_end = left.iter().map(|event| event.times[1]).min();
    let Some(first_end) = first_end else {
        return true;
    };
    (0..left.len()).any(|number| {
        let mut next = model.clone();
        left[number].times[0] < first_end && apply(&mut next, &left[number].operation) && {
            let rest = [&left[..number], &left[number + 1..]].concat();
            is_linearizable(&rest, &next, apply)
        }
    })
}

/// Many short histories of three threads, each of which must be linearizable.
fn histories<S: Sync, O: Clone + Send + std::fmt::Debug, M: Clone>(
    time: Duration,
    make: impl Fn() -> S,
    work: impl Fn(&S, u64) -> O + Sync,
    model: &M,
    apply: impl Fn(&mut M, &O) -> bool,
) {
    const THREADS: u64 = 3;
    const TURNS: u64 = 4;
    let end = Instant::now() + time;
    while Instant::now() < end {
        let (shared, history) = (make(), Mutex::new(vec![]));
        let (clock, start) = (AtomicUsize::new(0), Barrier::new(THREADS as usize));
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (shared, history, clock) = (&shared, &history, &clock);
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    let mut events = vec![];
                    start.wait();
                    for turn in 0..TURNS {
                        let begin = clock.fetch_add(1, SeqCst);
                        let operation = work(shared, turn * THREADS + number);
                        let times = [begin, clock.fetch_add(1, SeqCst)];
                        events.push(Event { operation, times });
                    }
                    history.lock().unwrap().extend(events);
                });
            }
        });
        let history = history.into_inner().unwrap();
        assert!(is_linearizable(&history, model, &apply), "{history:?}");
    }
}

/// A put of this value, or what was got.
#[derive(Clone, Debug)]
enum Turn {
    Put(u64),
    Got(Option<u64>),
}

/// For a stack or a queue.
pub(crate) struct Line<S> {
    pub(crate) make: fn() -> S,
    pub(crate) push: fn(&S, Item),
    pub(crate) pop: fn(&S) -> Option<Item>,
    /// Waits until what was retired has been dropped; the argument says how much has not.
    pub(crate) barrier: fn(&AtomicUsize),
    /// The last in is the first out.
    pub(crate) is_stack: bool,
}

impl<S: Sync> Line<S> {
    /// Every order in which values come out is one in which they could.
    pub(crate) fn histories(&self, time: Duration) {
        let alive = Arc::new(AtomicUsize::new(0));
        let work = |shared: &S, number: u64| {
            if number % 5 < 3 {
                (self.push)(shared, Item::new(&alive, number));
                Turn::Put(number)
            } else {
                Turn::Got((self.pop)(shared).map(|item| item.stamp()))
            }
        };
        let apply = |model: &mut VecDeque<u64>, turn: &Turn| match turn {
            Turn::Put(number) => {
                model.push_back(*number);
                true
            }
            Turn::Got(got) if self.is_stack => model.pop_back() == *got,
            Turn::Got(got) => model.pop_front() == *got,
        };
        histories(time, self.make, work, &VecDeque::new(), apply);
        (self.barrier)(&alive);
        assert_eq!(alive.load(SeqCst), 0);
    }

    /// Checks that everything that goes in comes out once, and is dropped once.
    pub(crate) fn nothing_is_lost(&self, time: Duration) {
        const THREADS: u64 = 3;
        let (alive, shared) = (Arc::new(AtomicUsize::new(0)), (self.make)());
        let end = Instant::now() + time;
        let all = Mutex::new((vec![], vec![]));
        thread::scope(|scope| {
            for number in 0..THREADS {
                let (shared, all, alive) = (&shared, &all, &alive);
                scope.spawn(move || {
                    let (mut put, mut got) = (vec![], vec![]);
                    let mut stamp = number;
                    while Instant::now() < end {
                        for turn in 0..10 {
                            (self.push)(shared, Item::new(alive, stamp));
                            put.push(stamp);
                            stamp += THREADS;
                            if turn % 5 != 0 {
                                got.extend((self.pop)(shared).map(|item| item.stamp()));
                            }
                        }
                    }
                    let mut all = all.lock().unwrap();
                    all.0.append(&mut put);
                    if !self.is_stack {
                        in_order(&got, THREADS);
                    }
                    all.1.append(&mut got);
                });
            }
        });
        let (mut put, mut got) = all.into_inner().unwrap();
        // Some are left to the structure's own end.
        for _ in 0..put.len() / 10 {
            got.extend((self.pop)(&shared).map(|item| item.stamp()));
        }
        drop(shared);
        (self.barrier)(&alive);
        assert_eq!(alive.load(SeqCst), 0);
        put.sort_unstable();
        got.sort_unstable();
        got.windows(2)
            .for_each(|pair| assert!(pair[0] < pair[1], "one came out twice"));
        assert!(got.iter().all(|stamp| put.binary_search(stamp).is_ok()));
    }
}

/// Checks that the values of each thread come out in the order in which they were put.
fn in_order(got: &[u64], threads: u64) {
    let mut last = BTreeMap::new();
    for stamp in got {
        if let Some(before) = last.insert(stamp % threads, stamp) {
            assert!(before < stamp, "{before} came out before {stamp}");
        }
    }
}

/// An insertion, a removal or a look at a key, and what it answered.
#[derive(Clone, Debug)]
enum Access {
    Insert(u64, bool),
    Remove(u64, bool),
    Get(u64, bool),
}

/// For what has keys.
pub(crate) struct Keyed<S> {
    pub(crate) make: fn() -> S,
    pub(crate) insert: fn(&S, u64, Item) -> bool,
    pub(crate) remove: fn(&S, u64) -> bool,
    /// Looks at the value, inside of a section.
    pub(crate) get: fn(&S, u64) -> Option<u64>,
    /// Waits until what was retired has been dropped; the argument says how much has not.
    pub(crate) barrier: fn(&AtomicUsize),
}

impl<S: Sync> Keyed<S> {
    fn work(&self, shared: &S, alive: &Arc<AtomicUsize>, number: u64, keys: u64) -> Access {
        let key = number * 7 % keys;
        match number % 3 {
            0 => Access::Insert(key, (self.insert)(shared, key, Item::new(alive, key))),
            1 => Access::Remove(key, (self.remove)(shared, key)),
            _ => Access::Get(key, self.get_checked(shared, key)),
        }
    }

    fn get_checked(&self, shared: &S, key: u64) -> bool {
        let got = (self.get)(shared, key);
        got.inspect(|stamp| assert_eq!(*stamp, key)).is_some()
    }

    /// Every answer is one that could be given.
    pub(crate) fn histories(&self, time: Duration) {
        let alive = Arc::new(AtomicUsize::new(0));
        let work = |shared: &S, number: u64| self.work(shared, &alive, number * 5 + number / 3, 2);
        let apply = |model: &mut [bool; 2], access: &Access| match *access {
            Access::Insert(key, new) => std::mem::replace(&mut model[key as usize], true) != new,
            Access::Remove(key, old) => std::mem::replace(&mut model[key as usize], false) == old,
            Access::Get(key, there) => model[key as usize] == there,
        };
        histories(time, self.make, work, &[false; 2], apply);
        (self.barrier)(&alive);
        assert_eq!(alive.load(SeqCst), 0);
    }

    /// Checks that exactly those values are left that were inserted more often than they were removed.
    pub(crate) fn nothing_is_lost(&self, time: Duration) {
        const KEYS: u64 = 64;
        let (alive, shared) = (Arc::new(AtomicUsize::new(0)), (self.make)());
        let counts: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
        let end = Instant::now() + time;
        thread::scope(|scope| {
            for thread in 0..3 {
                let (shared, alive, counts) = (&shared, &alive, &counts);
                scope.spawn(move || {
                    let mut number = thread;
                    while Instant::now() < end {
                        number += 5;
                        match self.work(shared, alive, number, KEYS) {
                            Access::Insert(key, true) => counts[key as usize].fetch_add(1, SeqCst),
                            Access::Remove(key, true) => counts[key as usize].fetch_sub(1, SeqCst),
                            _ => 0,
                        };
                    }
                });
            }
        });
        for key in 0..KEYS {
            let there = self.get_checked(&shared, key);
            assert_eq!(
                counts[key as usize].load(SeqCst),
                usize::from(there),
                "key {key}"
            );
        }
        drop(shared);
        (self.barrier)(&alive);
        assert_eq!(alive.load(SeqCst), 0);
    }
}
