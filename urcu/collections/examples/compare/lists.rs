//! `List` beside its alternatives.

use std::collections::{LinkedList, VecDeque};
use std::hint::black_box;
use std::sync::RwLock;
use std::thread;

use urcu_collections::List;

use crate::table::{Subject, side_by_side};

const OPERATIONS: usize = 20_000;

/// The subject of the measurement.
struct Peer {
    name: &'static str,
    walk: Box<dyn Fn() -> u64 + Sync>,
    /// Removes the first element and appends it again.
    rotate: Box<dyn Fn() + Sync>,
}

fn peers(values: u64) -> [Peer; 3] {
    let list = &*Box::leak(Box::new(List::from_iter(0..values)));
    let deque = &*Box::leak(Box::new(RwLock::new(VecDeque::from_iter(0..values))));
    let linked = &*Box::leak(Box::new(RwLock::new(LinkedList::from_iter(0..values))));
    [
        Peer {
            name: "urcu",
            walk: Box::new(|| list.pin().iter().sum()),
            rotate: Box::new(|| {
                let list = list.pin();
                if let Some(first) = list.pop_front() {
                    list.push_back(*first);
                }
            }),
        },
        Peer {
            name: "VecDeque",
            walk: Box::new(|| deque.read().unwrap().iter().sum()),
            rotate: Box::new(|| {
                let mut deque = deque.write().unwrap();
                let first = deque.pop_front();
                deque.extend(first);
            }),
        },
        Peer {
            name: "LinkedList",
            walk: Box::new(|| linked.read().unwrap().iter().sum()),
            rotate: Box::new(|| {
                let mut linked = linked.write().unwrap();
                let first = linked.pop_front();
                linked.extend(first);
            }),
        },
    ]
}

fn row(name: &str, operations: usize, peers: &[Peer], work: impl Fn(&Peer, usize)) {
    let work = &work;
    let subjects: Vec<Subject<'_>> = peers
        .iter()
        .map(|peer| {
            let work = Box::new(move || work(peer, operations)) as Box<dyn Fn()>;
            (peer.name, peer.name == "urcu", work)
        })
        .collect();
    side_by_side(name, operations, &subjects);
}

/// Runs `work` on two threads. The measured time is that of one operation of each.
fn on_two(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        scope.spawn(&work);
        work();
    });
}

pub(crate) fn measure() {
    for values in [1, 16, 1000] {
        let peers = peers(values);
        let walks = OPERATIONS * 16 / (values as usize + 16);
        let name = |what: &str| format!("list, {values}: {what}");
        row(&name("walk"), walks, &peers, |peer, walks| {
            (0..walks).for_each(|_| _ = black_box((peer.walk)()));
        });
        row(&name("walk, 2 threads"), walks, &peers, |peer, walks| {
            on_two(|| (0..walks).for_each(|_| _ = black_box((peer.walk)())));
        });
        row(
            &name("10 % changes, 2 threads"),
            walks,
            &peers,
            |peer, walks| {
                on_two(|| {
                    for number in 0..walks {
                        if number % 10 == 0 {
                            (peer.rotate)();
                        } else {
                            black_box((peer.walk)());
                        }
                    }
                });
            },
        );
        row(
            &name("take out + put in"),
            OPERATIONS,
            &peers,
            |peer, operations| {
                (0..operations).for_each(|_| (peer.rotate)());
            },
        );
    }
}
