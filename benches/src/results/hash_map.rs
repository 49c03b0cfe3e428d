//! Hash maps: lookups, changes, memory and growth.
//!
//! Every combination of sizes, types, distributions, loads and threads would take days. So each is varied from one
//! point: 65,536 numbers with uniform keys and one thread. Sizes are measured with all loads; types, zipf and the number
//! of threads are varied one at a time.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu_host::machine::allocated;

use crate::measure::{Effort, quantile};
use crate::memb;
use crate::record::Record;
use crate::results::figures::Situation;
use crate::structures::hash::{Kind, Map, Operation, of_numbers, of_shared, of_strings};
use crate::structures::keys::{Key, Random, Spread, Value};
use crate::window::together;

/// The name of the bench.
pub const BENCH: &str = "hash_map";

/// Numbers of threads that share a map.
pub const THREADS: [usize; 4] = [1, 2, 8, 64];

/// Insertions and removals, in equal parts, out of a hundred operations.
pub const UPDATES: [u64; 4] = [0, 1, 10, 50];

/// The size from which all else is varied.
const BASE: u64 = 65_536;

/// Measures all maps.
///
/// # Panics
///
/// Panics if a thread cannot be created, or if a map does not find what is there.
#[must_use]
pub fn measure(effort: &Effort) -> Vec<Record> {
    // Registered, as a C program's threads are as long as they live.
    let _registration = memb::register();
    let mut records = Vec::new();
    for &entries in effort.entries {
        let full = Full::new(&of_numbers(), entries, effort, &mut records);
        full.lookups(Spread::Uniform, &mut records);
        full.changes(&mut records);
        if entries >= BASE.min(effort.entries[effort.entries.len() - 1]) {
            full.hits(Spread::Zipf, &mut records);
        }
        let threads: &[usize] = if entries == BASE { &THREADS } else { &[2] };
        for &threads in threads {
            for updates in UPDATES {
                full.mixed(threads, updates, &mut records);
            }
        }
    }
    let typed = effort
        .entries
        .iter()
        .filter(|entries| (1000..=1 << 20).contains(*entries));
    for &entries in typed {
        typed_map(&of_shared(), entries, effort, &mut records);
        typed_map(&of_strings(), entries, effort, &mut records);
    }
    growth(effort, &mut records);
    records
}

fn typed_map<K: Key, V: Value>(
    kinds: &[Kind<K, V>],
    entries: u64,
    effort: &Effort,
    records: &mut Vec<Record>,
) {
    let full = Full::new(kinds, entries, effort, records);
    full.lookups(Spread::Uniform, records);
    full.mixed(2, 10, records);
}

/// Maps of one size.
struct Full<'e, K, V> {
    names: Vec<&'static str>,
    maps: Vec<Box<dyn Map<K, V>>>,
    entries: u64,
    effort: &'e Effort,
}

impl<'e, K: Key, V: Value> Full<'e, K, V> {
    /// Fills a map of each kind, and records the memory that each takes.
    fn new(
        kinds: &[Kind<K, V>],
        entries: u64,
        effort: &'e Effort,
        records: &mut Vec<Record>,
    ) -> Self {
        let mut full = Self {
            names: kinds.iter().map(|kind| kind.named.name).collect(),
            maps: Vec::new(),
            entries,
            effort,
        };
        let situation = full.situation("bytes an entry", "B");
        // Several small maps, so that memory that others free meanwhile hardly matters.
        let copies = (BASE / entries).clamp(1, 256);
        for kind in kinds {
            let before = settled();
            let mut maps = Vec::new();
            for _ in 0..copies {
                let map = (kind.make)();
                (0..entries).for_each(|number| map.insert(K::of(number), V::of(number)));
                maps.push(map);
            }
            if let Some((before, after)) = before.zip(settled()) {
                let bytes = after.saturating_sub(before) as f64 / (copies * entries) as f64;
                records.push(situation.figure(kind.named.name, &[bytes]));
            }
            full.maps.extend(maps.pop());
        }
        full
    }

    fn situation(&self, metric: &str, unit: &'static str) -> Situation {
        let types = format!("{} to {}", K::NAME, V::NAME);
        Situation::new(BENCH, metric, unit)
            .with("entries", self.entries)
            .with("types", types)
    }

    /// Nanoseconds an operation of one thread.
    fn timed(
        &self,
        situation: &Situation,
        operations: usize,
        work: impl Fn(&dyn Map<K, V>),
        records: &mut Vec<Record>,
    ) {
        let rounds = self.effort.structure_rounds;
        records.extend(situation.interleaved(rounds, &self.names, |index| {
            let start = Instant::now();
            work(&*self.maps[index]);
            start.elapsed().as_secs_f64() * 1e9 / operations as f64
        }));
    }

    fn keys(&self, spread: Spread, below: u64, first: u64) -> Vec<K> {
        let numbers = spread.draw(self.effort.operations, below, 1);
        numbers
            .into_iter()
            .map(|number| K::of(first + number))
            .collect()
    }

    fn hits(&self, spread: Spread, records: &mut Vec<Record>) {
        let keys = self.keys(spread, self.entries, 0);
        let numbers = spread.draw(self.effort.operations, self.entries, 1);
        let sum = numbers.iter().map(|number| V::of(*number).look());
        let sum = sum.fold(0, u64::wrapping_add);
        let hit = self.situation("hit", "ns").with("spread", spread.name());
        let each = hit.clone().with("pin", "a section each");
        self.timed(
            &each,
            keys.len(),
            |map| assert_eq!(black_box(map.look_each(&keys)), sum),
            records,
        );
        let one = hit.with("pin", "one section");
        self.timed(
            &one,
            keys.len(),
            |map| assert_eq!(black_box(map.look_all(&keys)), sum),
            records,
        );
    }

    fn lookups(&self, spread: Spread, records: &mut Vec<Record>) {
        self.hits(spread, records);
        let misses = self.keys(spread, self.entries, 1 << 40);
        let miss = self.situation("miss", "ns").with("pin", "a section each");
        self.timed(
            &miss,
            misses.len(),
            |map| assert_eq!(black_box(map.look_each(&misses)), 0),
            records,
        );
    }

    fn changes(&self, records: &mut Vec<Record>) {
        let keys = self.keys(Spread::Uniform, u64::from(u32::MAX), 1 << 41);
        let keys = &keys[..keys.len() / 4];
        let situation = self.situation("insert and remove", "ns");
        self.timed(
            &situation,
            keys.len(),
            |map| map.insert_and_remove(keys),
            records,
        );
    }

    /// Nanoseconds of an operation of any of the threads.
    fn mixed(&self, threads: usize, updates: u64, records: &mut Vec<Record>) {
        const BATCH: usize = 500;
        let time = Duration::from_millis(self.effort.structure_ms);
        // Half of the keys are there. This remains so, because as many are inserted as removed.
        let keys = self.keys(Spread::Uniform, 2 * self.entries, 0);
        let mut random = Random::new(3);
        let mut draw = |_: &K| match random.draw() >> 32 {
            number if number % 100 >= updates => Operation::Look,
            number if number % 2 == 0 => Operation::Insert,
            _ => Operation::Remove,
        };
        let operations: Vec<Operation> = keys.iter().map(&mut draw).collect();
        let batches = keys.len() / BATCH.min(keys.len());
        let size = keys.len() / batches;
        let situation = self
            .situation("operation", "ns")
            .with("threads", threads)
            .with("updates", updates as f64 / 100.0);
        let rounds = self.effort.structure_rounds.div_ceil(2);
        records.extend(situation.interleaved(rounds, &self.names, |index| {
            let map = &*self.maps[index];
            let next = std::sync::atomic::AtomicUsize::new(0);
            // Each thread begins at another key.
            let prepare = || next.fetch_add(batches / 3 + 1, Ordering::Relaxed);
            let step = |at: &mut usize| {
                *at = (*at + 1) % batches;
                let batch = *at * size..(*at + 1) * size;
                map.mixed(&keys[batch.clone()], &operations[batch]);
                size as u64
            };
            together(threads, prepare, step, || thread::sleep(time)).ns_each()
        }));
    }
}

/// Waits until retired memory is freed, as far as libraries allow that. Returns the number of bytes in use.
fn settled() -> Option<u64> {
    urcu::barrier();
    if memb::AVAILABLE {
        memb::barrier();
    }
    allocated()
}

/// Fills an empty map without reserved capacity, while another thread looks up the entries that are there.
fn growth(effort: &Effort, records: &mut Vec<Record>) {
    let kinds = of_numbers();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.named.name).collect();
    let situation = |metric: &str| {
        Situation::new(BENCH, metric, "ns")
            .with("entries", effort.grown)
            .with("types", "growing from none")
    };
    let keys: Vec<u64> = (0..effort.grown).map(<u64 as Key>::of).collect();
    let rounds = effort.structure_rounds.div_ceil(3);
    records.extend(situation("insert").interleaved(rounds, &names, |index| {
        let map = (kinds[index].make)();
        let start = Instant::now();
        keys.iter().for_each(|key| map.insert(*key, 1));
        start.elapsed().as_secs_f64() * 1e9 / keys.len() as f64
    }));
    for kind in &kinds {
        let map = (kind.make)();
        let (inserts, lookups) = latencies(&*map, &keys);
        for (what, latencies) in [("insert", inserts), ("lookup meanwhile", lookups)] {
            for (part, name) in [
                (0.5, "p50"),
                (0.99, "p99"),
                (0.9999, "p99.99"),
                (1.0, "most"),
            ] {
                let figure = quantile(&latencies, part);
                records
                    .push(situation(&format!("{what}, {name}")).figure(kind.named.name, &[figure]));
            }
        }
    }
}

/// Returns the latencies in nanoseconds, with the cost of the clock.
fn latencies(map: &dyn Map<u64, u64>, keys: &[u64]) -> (Vec<f64>, Vec<f64>) {
    let timed = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64
    };
    let (filled, started) = (AtomicBool::new(false), AtomicBool::new(false));
    map.insert(keys[0], 1);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let _registration = memb::register();
            let mut random = Random::new(5);
            let mut latencies = Vec::with_capacity(keys.len());
            loop {
                let key = keys[random.draw() as usize % keys.len()];
                latencies.push(timed(&|| {
                    black_box(map.get(&key));
                }));
                started.store(true, Ordering::Relaxed);
                if filled.load(Ordering::Relaxed) {
                    break latencies;
                }
            }
        });
        while !started.load(Ordering::Relaxed) && !reader.is_finished() {
            thread::yield_now();
        }
        let inserts = keys.iter().map(|key| timed(&|| map.insert(*key, 1)));
        let inserts = inserts.collect();
        filled.store(true, Ordering::Relaxed);
        (inserts, reader.join().expect("the reader does not panic"))
    })
}

#[cfg(test)]
mod tests {
    use super::{THREADS, UPDATES, measure};
    use crate::measure::Effort;
    use crate::results::figures::{rows, table};
    use crate::structures::hash::of_numbers;

    #[test]
    fn every_map_is_in_every_situation() {
        let records = measure(&Effort::TEST);
        let rows = rows(&records);
        for row in &rows {
            assert!(row.records.len() >= of_numbers().len() - 2, "{}", row.label);
            for record in &row.records {
                assert!(record.value.is_some_and(|value| value >= 0.0), "{record:?}");
            }
        }
        let with = |text: &str| rows.iter().filter(|row| row.label.contains(text)).count();
        assert_eq!(
            with("threads 2"),
            Effort::TEST.entries.len() * UPDATES.len()
        );
        assert!(with("one section") > 0 && with("zipf") > 0 && with("p99.99") == 2);
        assert_eq!(table("hash maps", &records).rows().len(), 1 + rows.len());
        assert_eq!(THREADS[3], 64);
    }
}
