//! The hash map beside its peers, in one process, with one hasher for all.
//!
//! Every row is measured in rounds in which all maps take their turns; the least of the rounds counts. The
//! last column is the ratio to the best peer of the row.
//!
//! `cargo run --release -p urcu-collections --example compare [-- ROW]`

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use foldhash::fast::FixedState;

/// Counts bytes, as malloc(3) rounds them.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

fn rounded(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16).max(32)
}

// SAFETY: what `System` does; counted beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(rounded(layout), Relaxed);
        // SAFETY: the same conditions.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(rounded(layout), Relaxed);
        // SAFETY: the same conditions.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(rounded(layout), Relaxed);
        // SAFETY: the same conditions.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// For what is not to be looked at.
fn forget<T>(_: T) {}

/// A map of the field.
trait Peer: Sync {
    fn name(&self) -> &'static str;
    /// One of this library's: not a peer of itself.
    fn is_ours(&self) -> bool {
        false
    }
    fn get(&self, key: u64) -> Option<u64>;
    fn insert(&self, key: u64, value: u64);
    fn remove(&self, key: u64);
    /// Looks many keys up, under one guard where there is such a thing.
    fn get_all(&self, keys: &[u64]) -> u64 {
        keys.iter().filter_map(|&key| self.get(key)).sum()
    }
}

type Ours = urcu_collections::HashMap<u64, u64, FixedState>;

/// A guard for each lookup.
struct Guarded(Ours);

impl Peer for Guarded {
    fn name(&self) -> &'static str {
        "urcu"
    }
    fn is_ours(&self) -> bool {
        true
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.0.pin().get(&key).copied()
    }
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.0.pin();
        keys.iter().filter_map(|key| pinned.get(key)).sum()
    }
}

/// `get_copied`; and batches.
struct Copied(Ours);

impl Peer for Copied {
    fn name(&self) -> &'static str {
        "urcu, copied/many"
    }
    fn is_ours(&self) -> bool {
        true
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get_copied(&key)
    }
    fn insert(&self, key: u64, value: u64) {
        self.0.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.0.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.0.pin();
        let (batches, rest) = keys.as_chunks::<8>();
        let batches = batches
            .iter()
            .flat_map(|batch| pinned.get_many(batch.each_ref()));
        let rest = rest.iter().map(|key| pinned.get(key));
        batches.chain(rest).flatten().sum()
    }
}

impl Peer for papaya::HashMap<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "papaya"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.pin().get(&key).copied()
    }
    fn insert(&self, key: u64, value: u64) {
        self.pin().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.pin().remove(&key);
    }
    fn get_all(&self, keys: &[u64]) -> u64 {
        let pinned = self.pin();
        keys.iter().filter_map(|key| pinned.get(key)).sum()
    }
}

impl Peer for dashmap::DashMap<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "dashmap"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.get(&key).map(|value| *value)
    }
    fn insert(&self, key: u64, value: u64) {
        self.insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.remove(&key);
    }
}

impl Peer for scc::HashMap<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "scc"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.read_sync(&key, |_, &value| value)
    }
    fn insert(&self, key: u64, value: u64) {
        self.upsert_sync(key, value);
    }
    fn remove(&self, key: u64) {
        self.remove_sync(&key);
    }
}

impl Peer for scc::HashIndex<u64, u64, FixedState> {
    fn name(&self) -> &'static str {
        "scc index"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.peek_with(&key, |_, &value| value)
    }
    fn insert(&self, key: u64, value: u64) {
        let _ = self.insert_sync(key, value);
    }
    fn remove(&self, key: u64) {
        self.remove_sync(&key);
    }
}

impl Peer for RwLock<hashbrown::HashMap<u64, u64, FixedState>> {
    fn name(&self) -> &'static str {
        "RwLock"
    }
    fn get(&self, key: u64) -> Option<u64> {
        self.read().unwrap().get(&key).copied()
    }
    fn insert(&self, key: u64, value: u64) {
        self.write().unwrap().insert(key, value);
    }
    fn remove(&self, key: u64) {
        self.write().unwrap().remove(&key);
    }
}

/// The maps, or those whose names begin with the second argument.
fn peers() -> Vec<Box<dyn Fn() -> Box<dyn Peer>>> {
    let wanted = std::env::args().nth(2).unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').collect();
    let mut all = all_peers();
    all.retain(|make| {
        wanted
            .iter()
            .any(|wanted| make().name().starts_with(wanted))
    });
    all
}

fn all_peers() -> Vec<Box<dyn Fn() -> Box<dyn Peer>>> {
    let hasher = || FixedState::with_seed(7);
    vec![
        Box::new(move || Box::new(Copied(urcu_collections::HashMap::with_hasher(hasher())))),
        Box::new(move || Box::new(Guarded(urcu_collections::HashMap::with_hasher(hasher())))),
        Box::new(move || Box::new(papaya::HashMap::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || Box::new(dashmap::DashMap::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || Box::new(scc::HashMap::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || Box::new(scc::HashIndex::<u64, u64, _>::with_hasher(hasher()))),
        Box::new(move || {
            Box::new(RwLock::new(hashbrown::HashMap::<u64, u64, _>::with_hasher(
                hasher(),
            )))
        }),
    ]
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Keys, spread over all bits: none of them is known to a peer's own order.
fn key(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

struct Row {
    name: String,
    /// For each map its name, whether it is ours, and nanoseconds or bytes.
    results: Vec<(&'static str, bool, f64)>,
}

impl Row {
    fn print(&self) {
        let best = self.results.iter().filter(|(_, ours, _)| !ours);
        let best = best.map(|&(_, _, figure)| figure).fold(f64::MAX, f64::min);
        print!("{:<34}", self.name);
        for (_, ours, figure) in &self.results {
            if *ours {
                print!(" {figure:>8.2} {:>5.2}", figure / best);
            } else {
                print!(" {figure:>9.2}");
            }
        }
        println!();
    }
}

const ROUNDS: usize = 9;

/// Measures all maps in turns; the least of the rounds, for each operation.
fn measure(
    name: String,
    maps: &[Box<dyn Peer>],
    operations: usize,
    work: impl Fn(&dyn Peer),
) -> Row {
    let mut least = vec![f64::MAX; maps.len()];
    for _ in 0..ROUNDS {
        for (map, least) in maps.iter().zip(&mut least) {
            let start = Instant::now();
            work(&**map);
            let took = start.elapsed().as_secs_f64() * 1e9 / operations as f64;
            *least = least.min(took);
        }
    }
    let results = maps.iter().zip(least);
    Row {
        name,
        results: results
            .map(|(map, least)| (map.name(), map.is_ours(), least))
            .collect(),
    }
}

fn wanted(name: &str) -> bool {
    std::env::args()
        .nth(1)
        .is_none_or(|wanted| name.contains(&wanted))
}

fn row(name: String, maps: &[Box<dyn Peer>], operations: usize, work: impl Fn(&dyn Peer)) {
    if wanted(&name) {
        measure(name, maps, operations, work).print();
    }
}

/// The mixed load: `writes` of a hundred operations are insertions and removals, in equal parts.
fn mixed(map: &dyn Peer, keys: u64, writes: u64, operations: usize, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..operations {
        let drawn = random.next();
        let number = key((drawn >> 20) % (2 * keys));
        match drawn % 100 {
            kind if kind >= writes => forget(black_box(map.get(number))),
            kind if kind % 2 == 0 => map.insert(number, drawn),
            _ => map.remove(number),
        }
    }
}

/// An ordered map or a queue, as something to be measured.
type Subject<'a> = (&'static str, bool, Box<dyn Fn() + 'a>);

/// Measures in turns, as `measure` does.
fn side_by_side(name: &str, operations: usize, subjects: &[Subject<'_>]) {
    if !wanted(name) {
        return;
    }
    let mut least = vec![f64::MAX; subjects.len()];
    for _ in 0..ROUNDS {
        for ((_, _, work), least) in subjects.iter().zip(&mut least) {
            let start = Instant::now();
            work();
            *least = least.min(start.elapsed().as_secs_f64() * 1e9 / operations as f64);
        }
    }
    let results = subjects.iter().zip(least);
    let results = results.map(|((name, ours, _), least)| (*name, *ours, least));
    Row {
        name: name.to_owned(),
        results: results.collect(),
    }
    .print();
}

fn ordered() {
    let operations = 50_000usize;
    for entries in [1000u64, 65_536, 1 << 20] {
        let name = |what: &str| format!("ordered, {entries}: {what}");
        if !wanted(&name("")) && !wanted("ordered") {
            continue;
        }
        let pairs = || (0..entries).map(|number| (key(number), number));
        let ours: urcu_collections::BTreeMap<u64, u64> = pairs().collect();
        let skiplist: crossbeam_skiplist::SkipMap<u64, u64> = pairs().collect();
        let locked = RwLock::new(pairs().collect::<std::collections::BTreeMap<_, _>>());
        let mut random = Random(entries);
        let keys: Vec<_> = (0..operations)
            .map(|_| key(random.next() % entries))
            .collect();
        side_by_side(
            &name("get"),
            operations,
            &[
                (
                    "urcu",
                    true,
                    Box::new(|| {
                        keys.iter()
                            .for_each(|key| forget(black_box(ours.pin().get(key).copied())));
                    }),
                ),
                (
                    "skiplist",
                    false,
                    Box::new(|| {
                        keys.iter().for_each(|key| {
                            forget(black_box(skiplist.get(key).map(|entry| *entry.value())))
                        });
                    }),
                ),
                (
                    "RwLock",
                    false,
                    Box::new(|| {
                        keys.iter().for_each(|key| {
                            forget(black_box(locked.read().unwrap().get(key).copied()))
                        });
                    }),
                ),
            ],
        );
        let few = &keys[..operations / 50];
        side_by_side(
            &name("range of 100"),
            few.len(),
            &[
                (
                    "urcu",
                    true,
                    Box::new(|| {
                        for key in few {
                            let pinned = ours.pin();
                            black_box(
                                pinned
                                    .range(key..)
                                    .take(100)
                                    .map(|(_, value)| value)
                                    .sum::<u64>(),
                            );
                        }
                    }),
                ),
                (
                    "skiplist",
                    false,
                    Box::new(|| {
                        for key in few {
                            let range = skiplist.range(key..).take(100);
                            black_box(range.map(|entry| *entry.value()).sum::<u64>());
                        }
                    }),
                ),
                (
                    "RwLock",
                    false,
                    Box::new(|| {
                        for key in few {
                            let locked = locked.read().unwrap();
                            black_box(
                                locked
                                    .range(key..)
                                    .take(100)
                                    .map(|(_, value)| value)
                                    .sum::<u64>(),
                            );
                        }
                    }),
                ),
            ],
        );
        side_by_side(
            &name("insert + remove"),
            few.len(),
            &[
                (
                    "urcu",
                    true,
                    Box::new(|| {
                        for key in few {
                            ours.pin().insert(key + 1, 0);
                            ours.pin().remove(&(key + 1));
                        }
                    }),
                ),
                (
                    "skiplist",
                    false,
                    Box::new(|| {
                        for key in few {
                            skiplist.insert(key + 1, 0);
                            skiplist.remove(&(key + 1));
                        }
                    }),
                ),
                (
                    "RwLock",
                    false,
                    Box::new(|| {
                        for key in few {
                            locked.write().unwrap().insert(key + 1, 0);
                            locked.write().unwrap().remove(&(key + 1));
                        }
                    }),
                ),
            ],
        );
    }
}

fn queues() {
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

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_default();
    ordered();
    queues();
    if ["ordered", "queue"]
        .iter()
        .any(|other| asked.starts_with(other))
    {
        return;
    }
    print!("{:<34}", "least of 9 rounds, ns");
    for make in peers() {
        let map = make();
        let width = if map.is_ours() { 14 } else { 9 };
        print!(
            " {:>width$}",
            map.name().chars().take(width).collect::<String>()
        );
    }
    println!();
    for entries in [16u64, 1000, 65_536, 1 << 20, 4 << 20] {
        let asked = std::env::args().nth(1).unwrap_or_default();
        let asks_for = asked
            .split(':')
            .next()
            .and_then(|entries| entries.parse::<u64>().ok());
        if asked == "growing" || asks_for.is_some_and(|asked| asked != entries) {
            continue;
        }
        let mut bytes = Vec::new();
        let maps: Vec<_> = peers()
            .iter()
            .map(|make| {
                let before = BYTES.load(Relaxed);
                let map = make();
                (0..entries).for_each(|number| map.insert(key(number), number));
                urcu::barrier();
                let took = BYTES.load(Relaxed) - before;
                bytes.push((map.name(), map.is_ours(), took as f64 / entries as f64));
                map
            })
            .collect();
        let mut random = Random(entries);
        let operations = 200_000usize;
        let hits: Vec<_> = (0..operations)
            .map(|_| key(random.next() % entries))
            .collect();
        let misses: Vec<_> = (0..operations)
            .map(|_| key(random.next() | 1 << 63))
            .collect();
        let look = |keys: &[u64], map: &dyn Peer| {
            for &key in keys {
                black_box(map.get(key));
            }
        };
        row(
            format!("{entries}: hit, guard each"),
            &maps,
            operations,
            |map| look(&hits, map),
        );
        row(
            format!("{entries}: miss, guard each"),
            &maps,
            operations,
            |map| look(&misses, map),
        );
        row(
            format!("{entries}: hit, one guard"),
            &maps,
            operations,
            |map| {
                black_box(map.get_all(&hits));
            },
        );
        for writes in [1, 10, 50] {
            row(
                format!("{entries}: {writes} % writes, 2 threads"),
                &maps,
                operations,
                |map| {
                    thread::scope(|scope| {
                        for seed in [1, 2] {
                            scope.spawn(move || mixed(map, entries, writes, operations / 2, seed));
                        }
                    });
                },
            );
        }
        row(
            format!("{entries}: insert + remove"),
            &maps,
            operations / 4,
            |map| {
                for number in 0..operations as u64 / 4 {
                    map.insert(key(number | 1 << 60), number);
                    map.remove(key(number | 1 << 60));
                }
            },
        );
        if wanted("bytes") {
            Row {
                name: format!("{entries}: bytes an entry"),
                results: bytes,
            }
            .print();
        }
    }
    for entries in [1u64 << 20] {
        let name = format!("{entries}: insert, growing from empty");
        if wanted(&name) {
            let mut least = vec![f64::MAX; peers().len()];
            let mut names = Vec::new();
            for _ in 0..3 {
                names.clear();
                for (make, least) in peers().iter().zip(&mut least) {
                    let map = make();
                    let start = Instant::now();
                    (0..entries).for_each(|number| map.insert(key(number), number));
                    *least = least.min(start.elapsed().as_secs_f64() * 1e9 / entries as f64);
                    names.push((map.name(), map.is_ours()));
                }
            }
            let results = names
                .into_iter()
                .zip(least)
                .map(|((name, ours), least)| (name, ours, least));
            Row {
                name,
                results: results.collect(),
            }
            .print();
        }
    }
}
