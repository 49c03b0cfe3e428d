//! Queues.

use std::hint::black_box;
use std::thread;

use crate::numbers::forget;
use crate::table::side_by_side;

pub(crate) fn measure() {
    let operations = 100_000usize;
    let ours = urcu_collections::Queue::new();
    let theirs = crossbeam_queue::SegQueue::new();
    side_by_side(
        "queue: push + pop",
        operations,
        &[
            (
                "urcu",
                true,
                Box::new(|| {
                    for number in 0..operations {
                        ours.push(number);
                        black_box(ours.pop());
                    }
                }),
            ),
            (
                "SegQueue",
                false,
                Box::new(|| {
                    for number in 0..operations {
                        theirs.push(number);
                        black_box(theirs.pop());
                    }
                }),
            ),
        ],
    );
    side_by_side(
        "queue: 1000 in, 1000 out",
        operations,
        &[
            (
                "urcu",
                true,
                Box::new(|| {
                    for _ in 0..operations / 1000 {
                        (0..1000).for_each(|number| ours.push(number));
                        (0..1000).for_each(|_| forget(black_box(ours.pop())));
                    }
                }),
            ),
            (
                "SegQueue",
                false,
                Box::new(|| {
                    for _ in 0..operations / 1000 {
                        (0..1000).for_each(|number| theirs.push(number));
                        (0..1000).for_each(|_| forget(black_box(theirs.pop())));
                    }
                }),
            ),
        ],
    );
    let both = |push: &(dyn Fn(usize) + Sync), pop: &(dyn Fn() -> Option<usize> + Sync)| {
        thread::scope(|scope| {
            scope.spawn(move || (0..operations).for_each(push));
            let mut left = operations;
            while left > 0 {
                left -= usize::from(pop().is_some());
            }
        });
    };
    side_by_side(
        "queue: one in, one out, 2 threads",
        operations,
        &[
            (
                "urcu",
                true,
                Box::new(|| both(&|number| ours.push(number), &|| ours.pop())),
            ),
            (
                "SegQueue",
                false,
                Box::new(|| both(&|number| theirs.push(number), &|| theirs.pop())),
            ),
        ],
    );
}
