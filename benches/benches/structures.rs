//! The stack and the queue of the page "coming from crossbeam-epoch", ours and theirs: a push and a pop, by
//! one thread and by two, in rounds that take turns. Prints the least and the median of each.

#[path = "../../urcu/tests/suite/structures/queue.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod queue;
#[path = "../../urcu/tests/suite/structures/stack.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod stack;
#[path = "../../urcu/tests/suite/structures/crossbeam/queue.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod their_queue;
#[path = "../../urcu/tests/suite/structures/crossbeam/stack.rs"]
#[allow(
    clippy::new_without_default,
    unreachable_pub,
    reason = "shown on a page"
)]
mod their_stack;

use std::hint::black_box;
use std::thread;
use std::time::Instant;

const ROUNDS: usize = 41;
const PAIRS: u64 = 100_000;

/// Nanoseconds of a push and a pop.
fn round<S: Sync>(
    shared: &S,
    threads: usize,
    push: fn(&S, u64),
    pop: fn(&S) -> Option<u64>,
) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for value in 0..PAIRS {
                    push(shared, value);
                    black_box(pop(shared));
                }
            });
        }
    });
    start.elapsed().as_nanos() as f64 / (PAIRS * threads as u64) as f64
}

fn show(name: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    println!(
        "{name:28} least {:7.1} ns   median {:7.1} ns",
        times[0],
        times[times.len() / 2]
    );
}

fn main() {
    let (our_stack, our_queue) = (stack::Stack::new(), queue::Queue::new());
    let (stack_of_theirs, queue_of_theirs) = (their_stack::Stack::new(), their_queue::Queue::new());
    for threads in [1, 2] {
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            use {their_queue::Queue, their_stack::Stack};
            times[0].push(round(
                &our_stack,
                threads,
                stack::Stack::push,
                stack::Stack::pop,
            ));
            times[1].push(round(&stack_of_theirs, threads, Stack::push, Stack::pop));
            times[2].push(round(
                &our_queue,
                threads,
                queue::Queue::push,
                queue::Queue::pop,
            ));
            times[3].push(round(&queue_of_theirs, threads, Queue::push, Queue::pop));
        }
        println!("{threads} thread(s)");
        let names = [
            "stack",
            "stack, crossbeam-epoch",
            "queue",
            "queue, crossbeam-epoch",
        ];
        names
            .into_iter()
            .zip(times)
            .for_each(|(name, times)| show(name, times));
    }
}
