//! Queues: a value in and out, by one thread and between threads.

use std::thread;
use std::time::Instant;

use crate::measure::Effort;
use crate::record::Record;
use crate::results::figures::Situation;
use crate::structures::queues::{Queue, kinds};

/// The name of the bench.
pub const BENCH: &str = "queues";

/// The numbers of threads that push; as many pop.
const PAIRS: [u64; 3] = [1, 4, 32];

/// Measures all queues.
///
/// # Panics
///
/// Panics if a thread cannot be created, or if a queue loses a value.
#[must_use]
pub fn measure(effort: &Effort) -> Vec<Record> {
    let kinds = kinds();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.named.name).collect();
    let queues: Vec<Box<dyn Queue>> = kinds.iter().map(|kind| (kind.make)()).collect();
    let values = effort.operations as u64;
    let rounds = effort.structure_rounds;
    let situation =
        |load: String| Situation::new(BENCH, "a value in and out", "ns").with("load", load);
    let ns = |start: Instant, values: u64| start.elapsed().as_secs_f64() * 1e9 / values as f64;
    let mut records = Vec::new();
    for batch in [1, 100] {
        let values = values / batch * batch;
        let load = format!("one thread, {batch} in, {batch} out");
        records.extend(situation(load).interleaved(rounds, &names, |index| {
            let start = Instant::now();
            let sum = queues[index].rounds(values, batch);
            assert_eq!(sum, values * (values - 1) / 2, "{}", names[index]);
            ns(start, values)
        }));
    }
    for pairs in PAIRS {
        let each = values / pairs;
        let load = format!("{pairs} in, {pairs} out, each a thread");
        records.extend(situation(load).interleaved(rounds, &names, |index| {
            let start = Instant::now();
            let sum = between(&*queues[index], pairs, each);
            assert_eq!(sum, pairs * (each * (each - 1) / 2), "{}", names[index]);
            ns(start, each * pairs)
        }));
    }
    records
}

/// Returns the sum of the popped values.
fn between(queue: &dyn Queue, pairs: u64, each: u64) -> u64 {
    thread::scope(|scope| {
        for _ in 0..pairs {
            scope.spawn(|| queue.push_all(each));
        }
        let takers: Vec<_> = (0..pairs)
            .map(|_| scope.spawn(|| queue.pop_all(each)))
            .collect();
        let sums = takers
            .into_iter()
            .map(|taker| taker.join().expect("no panic"));
        sums.sum()
    })
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::measure::Effort;
    use crate::results::figures::rows;
    use crate::structures::queues::kinds;

    #[test]
    fn every_queue_has_every_load() {
        let records = measure(&Effort::TEST);
        let rows = rows(&records);
        assert_eq!(rows.len(), 5);
        for row in rows {
            assert_eq!(row.records.len(), kinds().len(), "{}", row.label);
        }
    }
}
