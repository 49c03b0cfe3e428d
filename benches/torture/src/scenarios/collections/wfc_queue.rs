//! Producers put values into a queue; movers take them out, one by one or all at once, and put them into a
//! second one; consumers take them from there. Each value must arrive once, in its producer's order.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Mutex, PoisonError, TryLockError};

use urcu::Domain;
use urcu_collections::WfcQueue;
use urcu_collections::wfcqueue::{Batch, Consumer, TryDequeueError};
use urcu_host::poison;

use super::item::{BUDGET, Item, Ledger};
use crate::breaks::Break;
use crate::run::{Run, Thread};

/// The approximate limit of values in both queues.
const LENGTH: u64 = 1000;

const PRODUCERS: usize = 2;

/// The number of each producer's last value that has arrived.
type Arrived = [u64; PRODUCERS];

struct Lines {
    near: WfcQueue<Item>,
    far: WfcQueue<Item>,
    enqueued: AtomicU64,
    taken: AtomicU64,
    /// Changed by the consumer of `far` only, of which there is one at a time: so nobody waits for the lock.
    arrived: Mutex<Arrived>,
    /// Some values are dropped after a grace period of this domain, as what readers may still see.
    domain: &'static Domain,
    ledger: &'static Ledger,
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let lines: &'static Lines = Box::leak(Box::new(Lines {
        near: WfcQueue::new(),
        far: WfcQueue::new(),
        enqueued: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        arrived: Mutex::default(),
        domain: run.domain(Domain::named("wfc queue").with_budget(BUDGET)),
        ledger: Ledger::leak(run),
    }));
    for number in 0..PRODUCERS {
        run.spawn("updater", move |thread| produce(thread, lines, number));
    }
    for number in 0..run.settings.threads.max(4) {
        match number % 2 {
            0 => run.spawn("mover", move |thread| carry(thread, lines)),
            _ => run.spawn("consumer", move |thread| consume(thread, lines)),
        }
    }
    run.join();
    let left = lines.near.consumer().take_all().count() + lines.far.consumer().take_all().count();
    let (enqueued, taken) = (lines.enqueued.load(SeqCst), lines.taken.load(SeqCst));
    if enqueued != taken + left as u64 && run.settings.broken.is_none() {
        let what = format!("{enqueued} values were enqueued and {taken} taken, but {left} are left");
        run.fault("the end", what);
    }
    lines.domain.barrier();
    lines.ledger.check();
    Ok(())
}

/// Enqueues values with growing numbers: one by one, or several at once.
fn produce(thread: &mut Thread, lines: &'static Lines, producer: usize) {
    let mut last = 0;
    while !thread.over() {
        let taken = lines.taken.load(Relaxed);
        if lines.enqueued.load(Relaxed).saturating_sub(taken) < LENGTH {
            for _ in 0..16 {
                let count = 1 + thread.random.skewed(3);
                let numbers = last + 1..=last + count;
                let items = numbers.map(|number| Item::new(lines.ledger, (producer as u64) << 48 | number));
                lines.enqueued.fetch_add(count, Relaxed);
                match thread.random.one_in(4) {
                    true => _ = lines.near.append(items.collect()),
                    false => items.for_each(|item| _ = lines.near.enqueue(item)),
                }
                last += count;
            }
            thread.counter.updated();
        }
        std::thread::yield_now();
    }
}

/// Moves values to the second queue. Nobody else does so meanwhile, so they stay in order.
fn carry(thread: &mut Thread, lines: &'static Lines) {
    while !thread.over() {
        let mut near = lines.near.consumer();
        match thread.random.below(4) {
            0 => _ = lines.far.append(near.take_all()),
            1 => {
                let Ok(mut batch) = near.try_take_all() else {
                    continue;
                };
                let some = thread.random.skewed(4) as usize;
                batch.by_ref().take(some).for_each(|item| _ = lines.far.enqueue(item));
                lines.far.append(batch);
            }
            _ => {
                for _ in 0..32 {
                    let Some(item) = near.dequeue() else {
                        break;
                    };
                    lines.far.enqueue(item);
                }
            }
        }
        drop(near);
        std::thread::yield_now();
    }
}

/// Takes values from the second queue.
fn consume(thread: &mut Thread, lines: &'static Lines) {
    while !thread.over() {
        let Some(mut far) = lines.far.try_consumer() else {
            std::thread::yield_now();
            continue;
        };
        let mut arrived = match lines.arrived.try_lock() {
            Ok(arrived) => arrived,
            Err(TryLockError::Poisoned(error)) => PoisonError::into_inner(error),
            Err(TryLockError::WouldBlock) => {
                thread.run.fault(&thread.name, "a queue has two consumers at once");
                return;
            }
        };
        let went_well = match thread.random.below(3) {
            0 => take_batch(thread, lines, far.take_all(), &mut arrived),
            _ => take_some(thread, lines, &mut far, &mut arrived),
        };
        drop(arrived);
        drop(far);
        if went_well.is_none() {
            return;
        }
        std::thread::yield_now();
    }
}

/// Takes the values of a batch, without waiting for those that are still being enqueued, until there are no
/// others.
fn take_batch(
    thread: &mut Thread,
    lines: &Lines,
    mut batch: Batch<Item>,
    arrived: &mut Arrived,
) -> Option<()> {
    loop {
        match batch.try_next() {
            Ok(item) => take(thread, lines, item, arrived)?,
            Err(TryDequeueError::WouldBlock) => std::thread::yield_now(),
            Err(TryDequeueError::Empty) => return Some(()),
        }
    }
}

/// Dequeues some values, one by one.
fn take_some(
    thread: &mut Thread,
    lines: &Lines,
    far: &mut Consumer<'_, Item>,
    arrived: &mut Arrived,
) -> Option<()> {
    for _ in 0..64 {
        let seen = match far.peek() {
            Some(item) => item.look(thread)?,
            None => break,
        };
        let item = match far.try_dequeue() {
            Ok(item) => item,
            Err(TryDequeueError::WouldBlock) => break,
            Err(TryDequeueError::Empty) => {
                thread.run.fault(&thread.name, "a value that was seen is not in the queue");
                return None;
            }
        };
        if item.look(thread)? != seen {
            thread.run.fault(&thread.name, "the first value is not the one that was seen");
            return None;
        }
        take(thread, lines, item, arrived)?;
    }
    Some(())
}

/// Checks that a value is the next one of its producer.
fn take(thread: &mut Thread, lines: &Lines, item: Item, arrived: &mut Arrived) -> Option<()> {
    lines.taken.fetch_add(1, Relaxed);
    if thread.breaks(Break::ValueLost, 256) {
        return Some(());
    }
    let number = item.look(thread)?;
    let (producer, number) = ((number >> 48) as usize, number & ((1 << 48) - 1));
    let before = std::mem::replace(&mut arrived[producer], number);
    if number != before + 1 {
        let what = format!("value {number} of producer {producer} came after {before}");
        thread.run.fault(&thread.name, what);
        return None;
    }
    thread.counter.read(1);
    if thread.breaks(Break::ValueEnqueuedTwice, 256) {
        lines.far.enqueue(item);
    } else if thread.random.one_in(4) {
        lines.domain.defer_drop(item);
    }
    Some(())
}
