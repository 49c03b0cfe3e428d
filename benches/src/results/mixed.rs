//! Reads and updates by two threads at once: the time of an operation, by the share of updates and by the length of
//! sections.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use crate::measure::{Effort, median};
use crate::record::Record;
use crate::subjects::Kind;
use crate::table::{Table, cell};
use crate::window::together;

/// The numbers of updates in a thousand operations.
pub const UPDATES: [u64; 4] = [0, 10, 100, 500];

/// The lengths of a section beyond its load, in nanoseconds.
pub const SECTION_NS: [u64; 3] = [0, 1_000, 10_000];

const THREADS: usize = 2;

/// The operations of one subject.
#[derive(Clone, Debug)]
pub struct MixedResult {
    /// The subject of the measurement.
    pub kind: Kind,
    /// Updates in a thousand operations.
    pub updates: u64,
    /// The length of each section.
    pub section_ns: u64,
    /// Nanoseconds for an operation of either thread, in each round.
    pub rounds: Vec<f64>,
}

/// Measures all subjects in every mix, in interleaved rounds.
///
/// # Panics
///
/// Panics if no thread can be created.
#[must_use]
pub fn measure(kinds: &[Kind], effort: &Effort) -> Vec<MixedResult> {
    let time = Duration::from_millis(effort.mixed_ms);
    let spins = Spins::calibrate();
    let mut results = Vec::new();
    for section_ns in SECTION_NS {
        for updates in UPDATES {
            results.extend(kinds.iter().map(|kind| MixedResult {
                kind: *kind,
                updates,
                section_ns,
                rounds: Vec::new(),
            }));
        }
    }
    for _ in 0..effort.mixed_rounds {
        for result in &mut results {
            let subject = result.kind.make(1);
            let (updates, spins) = (result.updates, spins.of(result.section_ns));
            // The threads begin at different places, so that they do not update in step.
            let step = |count: &mut u64| {
                const BATCH: u64 = 50;
                for _ in 0..BATCH {
                    // Updates are spread evenly: the remainder says when the next one is due.
                    *count += updates;
                    if *count >= 1000 {
                        *count -= 1000;
                        subject.store(1);
                    } else {
                        subject.held(&mut |value| spin(spins * value));
                    }
                }
                BATCH
            };
            let stretch = together(THREADS, || 0, step, || thread::sleep(time));
            result.rounds.push(stretch.ns_each());
        }
    }
    results
}

fn spin(count: u64) {
    for step in 0..count {
        black_box(step);
    }
}

/// The speed at which this processor spins.
#[derive(Clone, Copy, Debug)]
struct Spins {
    each_ns: f64,
}

impl Spins {
    fn calibrate() -> Self {
        const COUNT: u64 = 100_000;
        let rounds: Vec<f64> = (0..9)
            .map(|_| {
                let start = Instant::now();
                spin(black_box(COUNT));
                start.elapsed().as_nanos() as f64 / COUNT as f64
            })
            .collect();
        Self {
            each_ns: median(&rounds).max(0.01),
        }
    }

    fn of(self, ns: u64) -> u64 {
        (ns as f64 / self.each_ns) as u64
    }
}

fn situations(results: &[MixedResult]) -> Vec<(u64, u64)> {
    let mut all: Vec<(u64, u64)> = Vec::new();
    for result in results {
        let situation = (result.section_ns, result.updates);
        if !all.contains(&situation) {
            all.push(situation);
        }
    }
    all
}

/// Returns the table of the results: a row for each subject, a column for each mix.
#[must_use]
pub fn table(results: &[MixedResult]) -> Table {
    let situations = situations(results);
    let mut header = vec!["ns an operation, 2 threads; updates, section".to_owned()];
    header.extend(situations.iter().map(|(section_ns, updates)| {
        format!(
            "{}%, {}us",
            *updates as f64 / 10.0,
            *section_ns as f64 / 1e3
        )
    }));
    let mut table = Table::new(&header);
    let mut seen: Vec<&str> = Vec::new();
    for result in results {
        let name = result.kind.name;
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let mut row = vec![name.to_owned()];
        for (section_ns, updates) in &situations {
            let found = results.iter().find(|it| {
                it.kind.name == name && it.section_ns == *section_ns && it.updates == *updates
            });
            row.push(cell(found.map(|result| median(&result.rounds))));
        }
        table.row(row);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[MixedResult]) -> Vec<Record> {
    let of = |result: &MixedResult| {
        Record::of("mixed", result.kind.name, "time", &result.rounds, "ns")
            .with("threads", THREADS)
            .with("updates", result.updates as f64 / 1000.0)
            .with("section_ns", result.section_ns)
    };
    results.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::{SECTION_NS, UPDATES, measure, records, table};
    use crate::measure::Effort;
    use crate::subjects::all;

    #[test]
    fn every_subject_is_in_every_mix() {
        let kinds = &all()[..2];
        let results = measure(kinds, &Effort::TEST);
        let mixes = SECTION_NS.len() * UPDATES.len();
        assert_eq!(results.len(), kinds.len() * mixes);
        assert_eq!(table(&results).rows()[0].len(), 1 + mixes);
        assert_eq!(records(&results).len(), results.len());
        let long = results
            .iter()
            .filter(|it| it.section_ns == 10_000 && it.updates == 0);
        assert!(
            long.flat_map(|it| &it.rounds).all(|ns| *ns > 500.0),
            "sections do last"
        );
    }
}
