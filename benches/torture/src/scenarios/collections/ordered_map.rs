//! An ordered map whose scans meet each key that stays exactly once.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use urcu::{Domain, ReadGuard};
use urcu_collections::BTreeMap;
use urcu_host::poison;

use super::item::{BUDGET, Item, Ledger};
use crate::breaks::Break;
use crate::run::{Run, Thread};

/// The number of keys. All but the multiples of [`STEP`] come and go.
const KEYS: u64 = 1024;
/// Multiples of this are always there.
const STEP: u64 = 16;

struct Tree {
    map: BTreeMap<u64, Item, &'static Domain>,
    domain: &'static Domain,
    ledger: &'static Ledger,
    version: AtomicU64,
}

impl Tree {
    /// Returns a new value for a key: the key, in the high bits, and a version.
    fn item(&self, key: u64) -> Item {
        let version = self.version.fetch_add(1, Relaxed);
        Item::new(self.ledger, key << 48 | version)
    }
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let domain = run.domain(Domain::named("ordered map").with_budget(BUDGET));
    let tree: &'static Tree = Box::leak(Box::new(Tree {
        map: BTreeMap::new_in(domain),
        domain,
        ledger: Ledger::leak(run),
        version: AtomicU64::new(1),
    }));
    let guard = domain.read_lock();
    for key in (0..KEYS).step_by(STEP as usize) {
        tree.map.insert(key, tree.item(key), &guard);
    }
    drop(guard);
    for _ in 0..run.settings.threads.max(2) {
        run.spawn("reader", move |thread| read(thread, tree));
    }
    for _ in 0..2 {
        run.spawn("updater", move |thread| update(thread, tree));
    }
    run.join();
    tree.map.clear(&domain.read_lock());
    domain.barrier();
    tree.ledger.check();
    Ok(())
}

fn read(thread: &mut Thread, tree: &'static Tree) {
    while !thread.over() {
        let mut guard = tree.domain.read_lock();
        for _ in 0..=thread.random.skewed(4) {
            let from = thread.random.below(KEYS);
            if scan(thread, tree, from, &guard).is_none() {
                return;
            }
            let key = from / STEP * STEP;
            match tree.map.get(&key, &guard) {
                Some(item) => _ = item.look(thread),
                None => {
                    let what = format!("the key {key} is missing");
                    thread.run.fault(&thread.name, what);
                }
            }
            thread.counter.read(2);
            guard.refresh();
        }
        drop(guard);
        std::thread::yield_now();
    }
}

/// Scans a part of the map twice: from its beginning, and from both ends. Returns `None` after a fault.
fn scan(thread: &mut Thread, tree: &Tree, from: u64, guard: &ReadGuard<'_>) -> Option<()> {
    let mut range = tree.map.range(from..from + 8 * STEP, guard);
    let mut seen = Vec::new();
    for (&key, item) in range.clone() {
        seen.push((key, item.look(thread)?));
    }
    check(thread, from, &seen)?;
    if thread.random.one_in(64) {
        std::thread::yield_now();
    }
    seen.clear();
    let mut back = Vec::new();
    loop {
        let is_first = thread.random.one_in(2);
        let next = if is_first { range.next() } else { range.next_back() };
        let Some((&key, item)) = next else { break };
        let to = if is_first { &mut seen } else { &mut back };
        to.push((key, item.look(thread)?));
    }
    seen.extend(back.into_iter().rev());
    check(thread, from, &seen)
}

/// Checks what a scan has seen: keys in order with their own values, and each key that is always there.
fn check(thread: &mut Thread, from: u64, seen: &[(u64, u64)]) -> Option<()> {
    let is_of_key = |&(key, number): &(u64, u64)| number >> 48 == key;
    let to = (from + 8 * STEP).min(KEYS);
    let expected = (from..to).filter(|key| key % STEP == 0);
    let always = seen.iter().map(|(key, _)| *key).filter(|key| key % STEP == 0);
    let is_right = seen.is_sorted_by(|(a, _), (b, _)| a < b)
        && seen.iter().all(is_of_key)
        && always.eq(expected);
    if !is_right {
        thread.run.fault(&thread.name, format!("a scan from {from} saw {seen:x?}"));
    }
    is_right.then_some(())
}

fn update(thread: &mut Thread, tree: &'static Tree) {
    while !thread.over() {
        let many = thread.random.one_in(2);
        for _ in 0..64 {
            let key = thread.random.below(KEYS);
            let guard = tree.domain.read_lock();
            let old = if key.is_multiple_of(STEP) || many != thread.random.one_in(8) {
                tree.map.insert(key, tree.item(key), &guard)
            } else {
                tree.map.remove(&key, &guard)
            };
            if thread.breaks(Break::LeafFreedEarly, 16)
                && let Some(old) = old
            {
                old.mark();
            }
            thread.counter.updated();
        }
        std::thread::yield_now();
    }
}
