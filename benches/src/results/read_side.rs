//! Read-side sections by one thread: the time of a section of each subject.

use std::time::Duration;

use crate::measure::{Effort, Ratio, median, minimum};
use crate::record::{Record, spread};
use crate::subjects::{ARC_SWAP, CROSSBEAM, FLOOR, GUARD, Kind, MEMB, READ, SNAPSHOT, Subject};
use crate::table::{Table, cell};
use crate::target::Target;

/// The subjects with which sections are compared. The first one that was measured is also compared by its best round.
const REFERENCES: [&str; 3] = [MEMB, CROSSBEAM, FLOOR];

/// The value that every subject holds.
const VALUE: u64 = 42;

/// One subject's read-side section.
#[derive(Clone, Debug)]
pub struct SectionResult {
    /// The subject of the measurement.
    pub kind: Kind,
    /// Nanoseconds a section, in each round.
    pub rounds: Vec<f64>,
}

/// Measures all subjects in interleaved rounds.
///
/// # Panics
///
/// Panics if a subject does not read the value it was made with.
#[must_use]
pub fn measure(kinds: &[Kind], effort: &Effort) -> Vec<SectionResult> {
    let target = Duration::from_micros(effort.section_us);
    let subjects: Vec<_> = kinds.iter().map(|kind| kind.make(VALUE)).collect();
    let counts: Vec<u64> = subjects
        .iter()
        .map(|subject| calibrate(&**subject, target))
        .collect();
    let mut series = vec![Vec::with_capacity(effort.section_rounds); kinds.len()];
    for round in 0..effort.section_rounds {
        for step in 0..kinds.len() {
            // Each round begins with another section, so that no section always follows the same one.
            let index = (round + step * stride(kinds.len(), round)) % kinds.len();
            let (elapsed, sum) = subjects[index].time(counts[index]);
            let expected = VALUE.wrapping_mul(counts[index]);
            assert_eq!(sum, expected, "{}", kinds[index].name);
            series[index].push(elapsed.as_secs_f64() * 1e9 / counts[index] as f64);
        }
    }
    let results = kinds.iter().zip(series);
    let result = |(kind, rounds): (&Kind, _)| SectionResult {
        kind: *kind,
        rounds,
    };
    results.map(result).collect()
}

/// Returns the step to the next subject: forwards in even rounds, backwards in odd ones.
fn stride(kinds: usize, round: usize) -> usize {
    if round.is_multiple_of(2) {
        1
    } else {
        kinds - 1
    }
}

/// Returns how many sections take about that long, after a warm-up of as much.
fn calibrate(subject: &dyn Subject, target: Duration) -> u64 {
    let mut count = 64;
    loop {
        let (elapsed, _) = subject.time(count);
        if elapsed >= target / 2 {
            let scaled = count as f64 * target.as_secs_f64() / elapsed.as_secs_f64();
            return (scaled as u64).max(64);
        }
        count *= 2;
    }
}

fn ratio(results: &[SectionResult], ours: &SectionResult, theirs: &str) -> Option<Ratio> {
    let theirs = results.iter().find(|result| result.kind.name == theirs)?;
    Some(Ratio::of(&ours.rounds, &theirs.rounds))
}

/// Returns the table of the read-side sections.
#[must_use]
pub fn table(results: &[SectionResult]) -> Table {
    let references: Vec<&str> = REFERENCES
        .into_iter()
        .filter(|name| results.iter().any(|result| result.kind.name == *name))
        .collect();
    let mut header: Vec<String> = ["read-side section", "median ns", "min ns", "spread %"]
        .map(str::to_owned)
        .to_vec();
    for (index, reference) in references.iter().enumerate() {
        header.push(format!(
            "x {}",
            reference.split(':').next().unwrap_or(reference)
        ));
        if index == 0 {
            header.push("quiet x".to_owned());
        }
    }
    let mut table = Table::new(&header);
    for result in results {
        let mut row = vec![
            result.kind.name.to_owned(),
            format!("{:.3}", median(&result.rounds)),
            format!("{:.3}", minimum(&result.rounds)),
            format!("{:.0}", spread(&result.rounds) * 100.0),
        ];
        for (index, reference) in references.iter().enumerate() {
            let ratio = ratio(results, result, reference);
            row.push(cell(ratio.map(|ratio| ratio.rounds)));
            if index == 0 {
                row.push(cell(ratio.map(|ratio| ratio.quiet)));
            }
        }
        table.row(row);
    }
    table
}

/// Returns how each subject is used, with the version that was built in.
#[must_use]
pub fn usage(results: &[SectionResult]) -> Table {
    let mut table = Table::new(&["subject", "package", "version", "how it is used"]);
    for result in results {
        let kind = result.kind;
        let version = kind.version().unwrap_or("-");
        table.row([kind.name, kind.package, version, kind.how].map(str::to_owned));
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[SectionResult]) -> Vec<Record> {
    let of = |result: &SectionResult| {
        let name = result.kind.name;
        [
            Record::of("read_side", name, "time", &result.rounds, "ns"),
            Record::new(
                "read_side",
                name,
                "least time",
                minimum(&result.rounds),
                "ns",
            ),
        ]
    };
    results.iter().flat_map(of).collect()
}

/// Returns what the library aims at.
#[must_use]
pub fn targets(results: &[SectionResult]) -> Vec<Target> {
    let section = |ours: &str, theirs: &str, limit| {
        let result = results.iter().find(|result| result.kind.name == ours);
        let ratio = result.and_then(|result| ratio(results, result, theirs));
        Target::at_most(format!("{ours} / {theirs}"), limit, ratio)
    };
    vec![
        section(GUARD, MEMB, 1.30),
        section(GUARD, CROSSBEAM, 0.20),
        section(READ, ARC_SWAP, 0.12),
        section(SNAPSHOT, MEMB, 0.50),
    ]
}

#[cfg(test)]
mod tests {
    use super::{measure, records, usage};
    use crate::measure::Effort;
    use crate::subjects::all;

    #[test]
    fn every_subject_has_every_round() {
        let effort = Effort {
            section_rounds: 4,
            section_us: 20,
            ..Effort::QUICK
        };
        let kinds = all();
        let results = measure(&kinds, &effort);
        assert_eq!(results.len(), kinds.len());
        assert!(results.iter().all(|result| result.rounds.len() == 4));
        assert_eq!(records(&results).len(), 2 * kinds.len());
        assert_eq!(usage(&results).rows().len(), 1 + kinds.len());
    }
}
