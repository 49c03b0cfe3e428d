//! Ordered maps of numbers: lookups, ranges, changes, memory.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu_host::machine::allocated;

use crate::measure::Effort;
use crate::record::Record;
use crate::results::figures::Situation;
use crate::structures::keys::{Key, Spread};
use crate::structures::ordered::{Map, kinds};
use crate::window::together;

/// The name of the bench.
pub const BENCH: &str = "ordered_map";

/// Measures all maps.
///
/// # Panics
///
/// Panics if a thread cannot be created, or if a map does not find what is there.
#[must_use]
pub fn measure(effort: &Effort) -> Vec<Record> {
    let mut records = Vec::new();
    // Without the largest size, which takes long to fill and shows nothing more about trees.
    let sizes = effort.entries.iter().filter(|entries| **entries <= 1 << 20);
    for &entries in sizes {
        of_size(entries, effort, &mut records);
    }
    records
}

fn of_size(entries: u64, effort: &Effort, records: &mut Vec<Record>) {
    let situation =
        |metric: &str, unit| Situation::new(BENCH, metric, unit).with("entries", entries);
    let key = <u64 as Key>::of;
    let kinds = kinds();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.named.name).collect();
    let mut maps: Vec<Box<dyn Map>> = Vec::new();
    for kind in &kinds {
        urcu::barrier();
        let before = allocated();
        let copies = (65_536 / entries).clamp(1, 256);
        let mut filled = Vec::new();
        for _ in 0..copies {
            let map = (kind.make)();
            (0..entries).for_each(|number| map.insert(key(number), number));
            filled.push(map);
        }
        urcu::barrier();
        if let Some((before, after)) = before.zip(allocated()) {
            let bytes = after.saturating_sub(before) as f64 / (copies * entries) as f64;
            records.push(situation("bytes an entry", "B").figure(kind.named.name, &[bytes]));
        }
        maps.extend(filled.pop());
    }
    let draw = |below, seed| Spread::Uniform.draw(effort.operations, below, seed);
    let numbers = draw(entries, 1);
    let keys: Vec<u64> = numbers.iter().map(|number| key(*number)).collect();
    let sum = numbers
        .iter()
        .fold(0, |sum: u64, number| sum.wrapping_add(*number));
    let mut timed = |metric: &str, operations: usize, work: &dyn Fn(&dyn Map)| {
        let rounds = effort.structure_rounds;
        records.extend(
            situation(metric, "ns").interleaved(rounds, &names, |index| {
                let start = Instant::now();
                work(&*maps[index]);
                start.elapsed().as_secs_f64() * 1e9 / operations as f64
            }),
        );
    };
    timed("hit", keys.len(), &|map| {
        assert_eq!(black_box(map.look_each(&keys)), sum);
    });
    let few = &keys[..keys.len().div_ceil(50)];
    timed("range of 100", few.len(), &|map| {
        black_box(map.ranges(few));
    });
    let fresh: Vec<u64> = draw(1 << 32, 2)
        .iter()
        .map(|number| key(number | 1 << 40))
        .collect();
    let fresh = &fresh[..fresh.len().div_ceil(10)];
    timed("insert and remove", fresh.len(), &|map| {
        map.insert_and_remove(fresh)
    });
    for (threads, updates) in [(2, 0), (2, 10), (2, 100), (2, 500), (8, 100)] {
        mixed(threads, updates, &names, &maps, entries, effort, records);
    }
}

/// Returns the nanoseconds of an operation of any thread, of which `updates` in a thousand change the map.
fn mixed(
    threads: usize,
    updates: u64,
    names: &[&str],
    maps: &[Box<dyn Map>],
    entries: u64,
    effort: &Effort,
    records: &mut Vec<Record>,
) {
    const BATCH: usize = 200;
    let time = Duration::from_millis(effort.structure_ms);
    let numbers = Spread::Uniform.draw(effort.operations, 2 * entries, 3);
    let keys: Vec<u64> = numbers.into_iter().map(<u64 as Key>::of).collect();
    let batches: Vec<&[u64]> = keys.chunks_exact(BATCH.min(keys.len())).collect();
    let situation = Situation::new(BENCH, "operation", "ns")
        .with("entries", entries)
        .with("threads", threads)
        .with("updates", updates as f64 / 1000.0);
    let rounds = effort.structure_rounds.div_ceil(2);
    records.extend(situation.interleaved(rounds, names, |index| {
        let next = AtomicUsize::new(0);
        let prepare = || next.fetch_add(batches.len() / 3 + 1, Ordering::Relaxed);
        let step = |at: &mut usize| {
            *at = (*at + 1) % batches.len();
            maps[index].mixed(batches[*at], updates);
            batches[*at].len() as u64
        };
        together(threads, prepare, step, || thread::sleep(time)).ns_each()
    }));
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::measure::Effort;
    use crate::results::figures::rows;
    use crate::structures::ordered::kinds;

    #[test]
    fn every_map_is_in_every_situation() {
        let records = measure(&Effort::TEST);
        let rows = rows(&records);
        assert!(rows.len() >= 2 * 8, "{}", rows.len());
        for row in &rows {
            assert_eq!(row.records.len(), kinds().len(), "{}", row.label);
            let known = row.records.iter().all(|record| record.value.is_some());
            assert!(known, "{}", row.label);
        }
    }
}
