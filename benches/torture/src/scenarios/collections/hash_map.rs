//! Three maps of the same keys: one whose values readers look at under guards, and two whose values
//! sequences copy. Keys below a bound are always there.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use rseq_ops::membarrier;
use urcu::{Domain, ReadGuard};
use urcu_collections::HashMap;
use urcu_host::poison;

use super::item::{BUDGET, Item, Ledger};
use crate::breaks::Break;
use crate::delays;
use crate::random::Random;
use crate::run::{Run, Thread};

/// The number of keys. Those that are not always there come and go.
const KEYS: u64 = 512;
/// Keys below this are always there.
const ALWAYS: u64 = 48;
/// Keys below this are looked up and changed most.
const HOT: u64 = 4;
const UPDATERS: u64 = 2;

/// A value and its complement.
type Copied = [u64; 2];

struct Maps {
    items: HashMap<u64, Item, Hasher, &'static Domain>,
    copied: HashMap<u64, Copied, Hasher, &'static Domain>,
    small: HashMap<u64, u64, Hasher, &'static Domain>,
    domain: &'static Domain,
    ledger: &'static Ledger,
    version: AtomicU64,
    aborted: AtomicU64,
}

type Hasher = urcu_collections::DefaultHashBuilder;

/// Returns the key, in the high bits, and a version.
fn number(key: u64, version: u64) -> u64 {
    key << 48 | version
}

pub(super) fn run(run: &'static Run) -> Result<(), String> {
    if !poison::in_force() {
        return Err("this program lacks the allocator that poisons freed memory".into());
    }
    let domain = run.domain(Domain::named("hash map").with_budget(BUDGET));
    let ledger = Ledger::leak(run);
    let maps: &'static Maps = Box::leak(Box::new(Maps {
        items: HashMap::with_capacity_and_hasher_in(0, Hasher::default(), domain),
        copied: HashMap::with_capacity_and_hasher_in(0, Hasher::default(), domain),
        small: HashMap::with_capacity_and_hasher_in(0, Hasher::default(), domain),
        domain,
        ledger,
        version: AtomicU64::new(1),
        aborted: AtomicU64::new(0),
    }));
    let guard = domain.read_lock();
    for key in 0..ALWAYS {
        maps.put(key, &guard);
    }
    drop(guard);
    run.spawn("delayer", delays::in_lookups);
    for number in 0..run.settings.threads.max(2) {
        match number % 2 {
            0 => run.spawn("copier", move |thread| copy(thread, maps)),
            _ => run.spawn("reader", move |thread| read(thread, maps)),
        };
    }
    for number in 0..UPDATERS {
        run.spawn("updater", move |thread| update(thread, maps, number));
    }
    run.join();
    run.tally("lookups that found nothing", maps.aborted.load(Relaxed));
    let guard = domain.read_lock();
    maps.items.clear(&guard);
    maps.copied.clear(&guard);
    maps.small.clear(&guard);
    drop(guard);
    domain.barrier();
    for (map, length) in [
        ("items", maps.items.len()),
        ("copied", maps.copied.len()),
        ("small", maps.small.len()),
    ] {
        if length != 0 {
            run.fault("the end", format!("the empty map {map} has {length} entries"));
        }
    }
    ledger.check();
    Ok(())
}

impl Maps {
    fn put(&self, key: u64, guard: &ReadGuard<'_>) {
        let number = number(key, self.version.fetch_add(1, Relaxed));
        self.items.insert(key, Item::new(self.ledger, number), guard);
        self.copied.insert(key, [number, !number], guard);
        self.small.insert(key, number, guard);
    }
}

/// The version of each key that a reader saw last. Versions only grow, because each key has one updater.
struct Last(Vec<u64>);

impl Last {
    fn new() -> Self {
        Last(vec![0; KEYS as usize])
    }

    /// Checks the value that was found for a key.
    fn check(&mut self, thread: &Thread, key: u64, found: Option<u64>) {
        let fault = |what: String| thread.run.fault(&thread.name, what);
        let last = &mut self.0[key as usize];
        match found {
            None if key < ALWAYS => fault(format!("the key {key} is missing")),
            None => {}
            Some(number) if number >> 48 != key => {
                fault(format!("the key {key} has the value {number:#x}"));
            }
            Some(number) if number < *last => {
                fault(format!("the key {key} has the value {number:#x} after {last:#x}"));
            }
            Some(number) => *last = number,
        }
    }
}

fn some_key(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.below(HOT),
        1 => random.below(ALWAYS),
        _ => random.below(KEYS),
    }
}

/// Copies values, without guards.
fn copy(thread: &mut Thread, maps: &'static Maps) {
    let mut last = [Last::new(), Last::new()];
    while !thread.over() {
        for _ in 0..256 {
            let key = some_key(&mut thread.random);
            let found = maps.copied.get_copied(&key);
            if let Some([value, complement]) = found
                && value != !complement
            {
                let what = format!("the key {key} has {value:#x} with the complement {complement:#x}");
                thread.run.fault(&thread.name, what);
                continue;
            }
            maps.aborted.fetch_add(u64::from(found.is_none()), Relaxed);
            last[0].check(thread, key, found.map(|[value, _]| value));
            last[1].check(thread, key, maps.small.get_copied(&key));
        }
        thread.counter.read(512);
        std::thread::yield_now();
    }
}

/// Looks values up and iterates over them, in sections.
fn read(thread: &mut Thread, maps: &'static Maps) {
    let mut last = Last::new();
    while !thread.over() {
        let mut guard = maps.domain.read_lock();
        for _ in 0..=thread.random.skewed(6) {
            let key = some_key(&mut thread.random);
            let found = maps.items.get(&key, &guard);
            let seen = found.map(|item| item.look(thread));
            if thread.random.one_in(64) {
                std::thread::yield_now();
            }
            // The value may have been replaced or removed meanwhile, but must still be whole.
            if found.map(|item| item.look(thread)) != seen || seen == Some(None) {
                return;
            }
            last.check(thread, key, seen.flatten());
            thread.counter.read(1);
            guard.refresh();
        }
        if thread.random.one_in(64) && !all_are_met(thread, maps, &guard) {
            return;
        }
        drop(guard);
        std::thread::yield_now();
    }
}

/// Iterates over the map, and checks that it meets each key that nobody removes once. (Replacing a value
/// keeps the entry in its place, so the key is met once as well.)
fn all_are_met(thread: &Thread, maps: &Maps, guard: &ReadGuard<'_>) -> bool {
    let mut met = [0u32; ALWAYS as usize];
    for (&key, item) in maps.items.iter(guard) {
        match item.look(thread) {
            None => return false,
            Some(number) if number >> 48 != key => {
                let what = format!("the key {key} has the value {number:#x}");
                thread.run.fault(&thread.name, what);
            }
            Some(_) => {
                if let Some(times) = met.get_mut(key as usize) {
                    *times += 1;
                }
            }
        }
    }
    for (key, times) in met.iter().enumerate().filter(|(_, times)| **times != 1) {
        let what = format!("an iteration met the key {key} {times} times");
        thread.run.fault(&thread.name, what);
    }
    thread.counter.read(1);
    true
}

/// Changes keys that no other thread changes, and makes the maps grow and shrink.
fn update(thread: &mut Thread, maps: &'static Maps, number: u64) {
    while !thread.over() {
        // Many keys are there at one time, few at another.
        let many = thread.random.one_in(2);
        for _ in 0..512 {
            let key = some_key(&mut thread.random) / UPDATERS * UPDATERS + number;
            let guard = maps.domain.read_lock();
            if key < ALWAYS || many != thread.random.one_in(8) {
                put(thread, maps, key, &guard);
            } else {
                remove(maps, key, &guard);
            }
            thread.counter.updated();
        }
        let guard = maps.domain.read_lock();
        match thread.random.below(16) {
            0 => maps.items.shrink_to_fit(&guard),
            1 => maps.items.reserve(4 * KEYS as usize, &guard),
            2 => maps.copied.shrink_to_fit(&guard),
            3 => maps.copied.reserve(4 * KEYS as usize, &guard),
            4 => maps.small.shrink_to_fit(&guard),
            5 => maps.small.reserve(4 * KEYS as usize, &guard),
            _ => {}
        }
        drop(guard);
        std::thread::yield_now();
    }
}

fn remove(maps: &Maps, key: u64, guard: &ReadGuard<'_>) {
    maps.items.remove(&key, guard);
    maps.copied.remove(&key, guard);
    maps.small.remove(&key, guard);
}

/// Inserts new values. In a run that is broken on purpose, marks the replaced ones.
fn put(thread: &mut Thread, maps: &Maps, key: u64, guard: &ReadGuard<'_>) {
    let new = number(key, maps.version.fetch_add(1, Relaxed));
    let item = Item::new(maps.ledger, new);
    let old = maps.items.insert(key, item, guard);
    if thread.breaks(Break::EntryFreedEarly, 16)
        && let Some(old) = old
    {
        old.mark();
    }
    let old = maps.copied.insert(key, [new, !new], guard);
    if thread.breaks(Break::PlainBarrierLookups, 4)
        && let Some(old) = old
        && membarrier::barrier().is_ok()
    {
        // SAFETY: the two words are in an entry that lives as long as the guard. Only sequences copy them
        // meanwhile, and those must notice.
        let words = unsafe { &*std::ptr::from_ref(old).cast::<[AtomicU64; 2]>() };
        words.iter().for_each(|word| word.store(0, Relaxed));
    }
    maps.small.insert(key, new, guard);
}
