//! Reads by one to many threads: the number of reads of all threads together.

use std::thread;
use std::time::Duration;

use crate::measure::{Effort, median};
use crate::record::Record;
use crate::subjects::Kind;
use crate::table::{Table, cell};
use crate::window::together;

/// The numbers of reading threads.
pub const THREADS: [usize; 5] = [1, 2, 8, 64, 256];

/// The reads of one subject by some threads.
#[derive(Clone, Debug)]
pub struct ScalingResult {
    /// The subject of the measurement.
    pub kind: Kind,
    /// The number of threads.
    pub threads: usize,
    /// Reads of all threads in a microsecond, in each round.
    pub rounds: Vec<f64>,
}

/// Measures all subjects with every number of threads, in interleaved rounds.
///
/// # Panics
///
/// Panics if no thread can be created.
#[must_use]
pub fn measure(kinds: &[Kind], effort: &Effort) -> Vec<ScalingResult> {
    const SECTIONS: u64 = 10_000;
    let time = Duration::from_millis(effort.scaling_ms);
    let mut results: Vec<ScalingResult> = Vec::new();
    for threads in THREADS {
        results.extend(kinds.iter().map(|kind| ScalingResult {
            kind: *kind,
            threads,
            rounds: Vec::new(),
        }));
    }
    for _ in 0..effort.scaling_rounds {
        for result in &mut results {
            let subject = result.kind.make(1);
            let read = |(): &mut ()| subject.sum(SECTIONS);
            let stretch = together(result.threads, || (), read, || thread::sleep(time));
            result.threads = stretch.done.len();
            result.rounds.push(stretch.per_second() / 1e6);
        }
    }
    results
}

/// Returns the table of the results: a row for each subject.
#[must_use]
pub fn table(results: &[ScalingResult]) -> Table {
    let mut threads: Vec<usize> = results.iter().map(|result| result.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let mut header = vec!["reads/us by so many threads".to_owned()];
    header.extend(threads.iter().map(usize::to_string));
    let mut table = Table::new(&header);
    let mut names: Vec<&str> = results.iter().map(|result| result.kind.name).collect();
    names.dedup();
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let mut row = vec![name.to_owned()];
        for threads in &threads {
            let mut found = results.iter();
            let found = found.find(|it| it.kind.name == name && it.threads == *threads);
            row.push(cell(found.map(|result| median(&result.rounds))));
        }
        table.row(row);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[ScalingResult]) -> Vec<Record> {
    let of = |result: &ScalingResult| {
        let name = result.kind.name;
        Record::of("read_scaling", name, "throughput", &result.rounds, "1/us")
            .with("threads", result.threads)
    };
    results.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::{THREADS, measure, records, table};
    use crate::measure::Effort;
    use crate::subjects::all;

    #[test]
    fn every_subject_is_read_by_every_number_of_threads() {
        let kinds = &all()[..3];
        let results = measure(kinds, &Effort::TEST);
        assert_eq!(results.len(), kinds.len() * THREADS.len());
        assert!(
            results
                .iter()
                .all(|result| result.rounds.iter().all(|reads| *reads > 0.0))
        );
        assert_eq!(table(&results).rows().len(), 1 + kinds.len());
        assert_eq!(records(&results).len(), results.len());
    }
}
