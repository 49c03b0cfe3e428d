//! Producers make values and push them to a queue and a stack; consumers pop and drop them.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use urcu::Domain;
use urcu_collections::{Queue, Stack};
use urcu_host::poison;

use super::item::{BUDGET, Item, Ledger};
use crate::breaks::Break;
use crate::run::{Run, Thread};

/// The approximate limit of values in the queue and on the stack.
const LENGTH: u64 = 1000;

const PRODUCERS: u64 = 2;

struct Rings {
    queue: Queue<Item, &'static Domain>,
    stack: Stack<Item, &'static Domain>,
    pushed: AtomicU64,
    popped: AtomicU64,
    ledger: &'static Ledger,
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let domain = run.domain(Domain::named("queues").with_budget(BUDGET));
    let rings: &'static Rings = Box::leak(Box::new(Rings {
        queue: Queue::new_in(domain),
        stack: Stack::new_in(domain),
        pushed: AtomicU64::new(0),
        popped: AtomicU64::new(0),
        ledger: Ledger::leak(run),
    }));
    for number in 0..PRODUCERS {
        run.spawn("updater", move |thread| produce(thread, rings, number));
    }
    for _ in 0..run.settings.threads.max(2) {
        run.spawn("consumer", move |thread| consume(thread, rings));
    }
    run.join();
    let left = std::iter::from_fn(|| rings.queue.pop()).count();
    let left = left + rings.stack.take_all().count();
    let (pushed, popped) = (rings.pushed.load(SeqCst), rings.popped.load(SeqCst));
    if pushed != popped + left as u64 && run.settings.broken.is_none() {
        let what = format!("{pushed} values were pushed and {popped} popped, but {left} are left");
        run.fault("the end", what);
    }
    domain.barrier();
    rings.ledger.check();
    Ok(())
}

/// Pushes values with growing numbers.
fn produce(thread: &mut Thread, rings: &'static Rings, producer: u64) {
    let mut number = 0;
    while !thread.over() {
        let filled = rings.pushed.load(Relaxed) - rings.popped.load(Relaxed).min(rings.pushed.load(Relaxed));
        if filled < LENGTH {
            for _ in 0..64 {
                number += 1;
                let item = Item::new(rings.ledger, producer << 48 | number);
                rings.pushed.fetch_add(1, Relaxed);
                if thread.random.one_in(2) {
                    rings.queue.push(item);
                } else {
                    rings.stack.push(item);
                }
            }
            thread.counter.updated();
        }
        std::thread::yield_now();
    }
}

/// Pops values. From the queue, each consumer must see the values of each producer in their order.
fn consume(thread: &mut Thread, rings: &'static Rings) {
    let mut last = [0; PRODUCERS as usize];
    while !thread.over() {
        for _ in 0..64 {
            if thread.random.one_in(256) {
                for item in rings.stack.take_all() {
                    rings.popped.fetch_add(1, Relaxed);
                    item.look(thread);
                }
            }
            let on_stack = rings.stack.pop();
            if let Some(item) = on_stack {
                rings.popped.fetch_add(1, Relaxed);
                item.look(thread);
            }
            let Some(item) = rings.queue.pop() else {
                continue;
            };
            rings.popped.fetch_add(1, Relaxed);
            let Some(number) = item.look(thread) else {
                return;
            };
            let (producer, number) = ((number >> 48) as usize, number & ((1 << 48) - 1));
            let before = std::mem::replace(&mut last[producer], number);
            if before >= number {
                let what = format!("value {number} of producer {producer} came after {before}");
                thread.run.fault(&thread.name, what);
            }
            thread.counter.read(1);
            if thread.breaks(Break::ValuePushedTwice, 256) {
                rings.queue.push(item);
            }
        }
        std::thread::yield_now();
    }
}
