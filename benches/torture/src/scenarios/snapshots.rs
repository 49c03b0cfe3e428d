//! The library's cells: snapshots, which grace periods restart instead of waiting for them, and all other
//! ways to read, against every way to replace. No update may be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use urcu::{Domain, Rcu, part};
use urcu_host::poison::{self, LARGE, SMALL};
use urcu_host::stamped::Stamped;

use crate::breaks::Break;
use crate::delays;
use crate::run::{Run, Thread};
use crate::scenario::Scenario;

pub(super) const SCENARIO: Scenario = Scenario::new(
    "snapshots",
    "cells: snapshots and guarded reads, against store, replace and update",
    run,
);

struct Cells {
    small: Rcu<Stamped<SMALL>, &'static Domain>,
    large: Rcu<Stamped<LARGE>, &'static Domain>,
    owner: Rcu<Owner, &'static Domain>,
    /// The oldest stamp that a reader that begins now may see.
    oldest: AtomicU64,
    count: Rcu<u64, &'static Domain>,
    updates: AtomicU64,
}

/// A value behind one more pointer.
struct Owner {
    value: Box<Stamped<SMALL>>,
}

impl Owner {
    fn new(stamp: u64) -> Self {
        Owner {
            value: Box::new(Stamped::new(stamp)),
        }
    }
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let domain = run.domain(Domain::named("cells"));
    let cells = Arc::new(Cells {
        small: Rcu::new_in(Stamped::new(1), domain),
        large: Rcu::new_in(Stamped::new(1), domain),
        owner: Rcu::new_in(Owner::new(1), domain),
        oldest: AtomicU64::new(1),
        count: Rcu::new_in(0, domain),
        updates: AtomicU64::new(0),
    });
    let poisoned = poison::poisoned();
    for _ in 0..run.settings.threads.max(2) {
        let cells = Arc::clone(&cells);
        run.spawn("reader", move |thread| reader(thread, &cells));
    }
    let replaced = Arc::clone(&cells);
    run.spawn("updater", move |thread| replace(thread, &replaced));
    let counters = if run.library_is_broken() { 0 } else { 2 };
    for _ in 0..counters {
        let cells = Arc::clone(&cells);
        run.spawn("counter", move |thread| count(thread, &cells));
    }
    run.join();
    let (counted, updates) = (*cells.count.read(), cells.updates.load(Ordering::SeqCst));
    // The cells free at least the values that `replace` returns: two for each stamp, and a third behind
    // one of them.
    let poisoned = poison::poisoned() - poisoned;
    if (poisoned as u64) < 2 * (cells.oldest.load(Ordering::SeqCst) - 1) {
        run.fault("cells", format!("only {poisoned} values were poisoned"));
    }
    if counted != updates {
        run.fault("counters", format!("the count is {counted} after {updates} updates"));
    }
    Ok(())
}

fn check<const WORDS: usize>(
    thread: &Thread,
    how: &str,
    value: &Stamped<WORDS>,
    oldest: u64,
) -> bool {
    match value.check() {
        Some(stamp) if stamp >= oldest => true,
        Some(stamp) => {
            let what = format!("{how} saw version {stamp}, where {oldest} had been replaced for");
            thread.run.fault(&thread.name, what);
            false
        }
        None => {
            let words = value.words();
            thread
                .run
                .fault(&thread.name, format!("{how} saw {words:x?}"));
            false
        }
    }
}

fn reader(thread: &mut Thread, cells: &Cells) {
    while !thread.over() {
        let oldest = cells.oldest.load(Ordering::Acquire);
        for _ in 0..512 {
            let small = cells.small.snapshot();
            if !check(thread, "a small snapshot", &small, oldest) {
                return;
            }
        }
        thread.counter.read(512);
        for _ in 0..64 {
            let large = cells.large.snapshot();
            // With a broken barrier the second pointer may be poison, which no sequence may follow.
            let behind = if thread.run.library_is_broken() {
                *cells.owner.read().value
            } else {
                cells.owner.snapshot_of(part!(Owner, value).target())
            };
            let read = cells.small.read();
            if !check(thread, "a large snapshot", &large, oldest)
                || !check(thread, "a snapshot behind a pointer", &behind, oldest)
                || !check(thread, "a read", &*read, oldest)
            {
                return;
            }
        }
        thread.counter.read(192);
        let guard = cells.large.domain().read_lock();
        let (large, small) = (cells.large.load(&guard), cells.small.load(&guard));
        for _ in 0..=thread.random.skewed(10) {
            if !check(thread, "a guard", large, oldest) || !check(thread, "a guard", small, oldest)
            {
                return;
            }
        }
        drop(guard);
        thread.counter.read(2);
        std::thread::yield_now();
    }
}

fn replace(thread: &mut Thread, cells: &Cells) {
    // Without delays broken sequences would hardly be noticed.
    let delayed = thread.run.broken(Break::PlainMembarrierSnapshots);
    for stamp in 2.. {
        if thread.over() {
            return;
        }
        if delayed {
            delays::long_snapshots();
        }
        // The value that `replace` returns was moved out of memory that is now poisoned.
        let small = cells.small.replace(Stamped::new(stamp));
        let large = cells.large.replace(Stamped::new(stamp));
        let owner = cells.owner.replace(Owner::new(stamp));
        if !check(thread, "replace", &*owner.value, 1)
            || !check(thread, "replace", &small, 1)
            || !check(thread, "replace", &large, 1) {
            return;
        }
        cells.oldest.store(stamp, Ordering::Release);
        let stores = if thread.run.library_is_broken() {
            0
        } else {
            thread.random.below(16)
        };
        for _ in 0..stores {
            cells.small.store(Stamped::new(stamp));
            cells.large.store(Stamped::new(stamp));
            cells.owner.store(Owner::new(stamp));
        }
        thread.counter.updated();
    }
}

fn count(thread: &mut Thread, cells: &Cells) {
    while !thread.over() {
        for _ in 0..64 {
            if thread.breaks(Break::LostUpdate, 256) {
                let value = *cells.count.read();
                std::thread::yield_now();
                cells.count.store(value + 1);
            } else {
                cells.count.update(|count| count + 1);
            }
            cells.updates.fetch_add(1, Ordering::SeqCst);
        }
        // Read in this order: each update that is counted here was complete before.
        let updates = cells.updates.load(Ordering::SeqCst);
        let counted = *cells.count.read();
        if counted < updates {
            let what = format!("the count is {counted} after {updates} updates");
            return thread.run.fault(&thread.name, what);
        }
        std::thread::sleep(std::time::Duration::from_micros(thread.random.skewed(7)));
    }
}
