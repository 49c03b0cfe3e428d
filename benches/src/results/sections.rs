//! Read-side sections: how long each peer's takes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::measure::{Effort, Ratio, median, minimum};
use crate::sections::{self, Data, Section};
use crate::table::{Table, cell};
use crate::target::Target;

/// What sections are compared with, the first that was measured also by its best round.
const REFERENCES: [&str; 3] = [sections::MEMB, sections::CROSSBEAM, sections::FLOOR];

fn short(reference: &'static str) -> &'static str {
    match reference {
        sections::CROSSBEAM => "crossbeam pin",
        sections::FLOOR => "floor",
        other => other,
    }
}

/// One peer's read-side section.
#[derive(Clone, Debug, Serialize)]
pub struct SectionResult {
    /// What was measured.
    pub name: &'static str,
    /// The median of the rounds, in nanoseconds a section.
    pub median_ns: f64,
    /// The least of the rounds.
    pub min_ns: f64,
    /// How it compares with each reference that was measured.
    pub ratios: BTreeMap<&'static str, Ratio>,
}

/// Measures all sections in interleaved rounds: nanoseconds of one section, by section
/// and round.
///
/// # Panics
///
/// Panics if a section does not read the value that `data` was made with.
#[must_use]
pub fn measure(sections: &[Section], data: &Data, value: u64, effort: &Effort) -> Vec<Vec<f64>> {
    let target = Duration::from_micros(effort.section_us);
    let counts: Vec<u64> = sections
        .iter()
        .map(|section| calibrate(section, data, target))
        .collect();
    let mut series = vec![Vec::with_capacity(effort.section_rounds); sections.len()];
    for round in 0..effort.section_rounds {
        for step in 0..sections.len() {
            // Each round begins with another section, so that none always follows the same.
            let index = (round + step * stride(sections.len(), round)) % sections.len();
            let (elapsed, sum) = sections[index].time(data, counts[index]);
            assert_eq!(
                sum,
                value.wrapping_mul(counts[index]),
                "{}",
                sections[index].name
            );
            series[index].push(elapsed.as_secs_f64() * 1e9 / counts[index] as f64);
        }
    }
    series
}

/// Forwards in even rounds, backwards in odd ones.
fn stride(sections: usize, round: usize) -> usize {
    if round.is_multiple_of(2) {
        1
    } else {
        sections - 1
    }
}

/// How many sections take about that long, after a warm-up of as much.
fn calibrate(section: &Section, data: &Data, target: Duration) -> u64 {
    let mut count = 64;
    loop {
        let (elapsed, _) = section.time(data, count);
        if elapsed >= target / 2 {
            let scaled = count as f64 * target.as_secs_f64() / elapsed.as_secs_f64();
            return (scaled as u64).max(64);
        }
        count *= 2;
    }
}

/// Returns the results of [`measure`]; `series` goes by the indices of `sections`.
#[must_use]
pub fn results(sections: &[Section], series: &[Vec<f64>]) -> Vec<SectionResult> {
    let rounds = |name: &str| {
        let index = sections.iter().position(|section| section.name == name);
        index.map(|index| &series[index])
    };
    let references = [
        sections::MEMB,
        sections::CROSSBEAM,
        sections::ARC_SWAP,
        sections::FLOOR,
    ];
    let results = sections
        .iter()
        .zip(series)
        .map(|(section, ours)| SectionResult {
            name: section.name,
            median_ns: median(ours),
            min_ns: minimum(ours),
            ratios: references
                .into_iter()
                .filter_map(|name| Some((name, Ratio::of(ours, rounds(name)?))))
                .collect(),
        });
    results.collect()
}

/// Returns the table of the read-side sections.
#[must_use]
pub fn table(results: &[SectionResult]) -> Table {
    let references: Vec<&str> = REFERENCES
        .into_iter()
        .filter(|name| results.iter().any(|section| section.name == *name))
        .collect();
    let mut header: Vec<String> = ["read-side section", "median ns", "min ns"]
        .map(str::to_owned)
        .to_vec();
    for (index, reference) in references.iter().enumerate() {
        header.push(format!("x {}", short(reference)));
        if index == 0 {
            header.push("quiet x".to_owned());
        }
    }
    let mut table = Table::new(&header);
    for section in results {
        let mut row = vec![
            section.name.to_owned(),
            format!("{:.3}", section.median_ns),
            format!("{:.3}", section.min_ns),
        ];
        for (index, reference) in references.iter().enumerate() {
            let ratio = section.ratios.get(reference);
            row.push(cell(ratio.map(|ratio| ratio.rounds)));
            if index == 0 {
                row.push(cell(ratio.map(|ratio| ratio.quiet)));
            }
        }
        table.row(row);
    }
    table
}

/// Returns what the library aims at.
#[must_use]
pub fn targets(results: &[SectionResult]) -> Vec<Target> {
    let section = |ours: &'static str, theirs: &'static str, limit| {
        let result = results.iter().find(|result| result.name == ours);
        let ratio = result.and_then(|result| result.ratios.get(theirs).copied());
        Target::at_most(format!("{ours} / {theirs}"), limit, ratio)
    };
    vec![
        section(sections::GUARD, sections::MEMB, 1.30),
        section(sections::GUARD, sections::CROSSBEAM, 0.20),
        section(sections::READ, sections::ARC_SWAP, 0.12),
        section(sections::SNAPSHOT, sections::MEMB, 0.50),
    ]
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::measure::Effort;
    use crate::sections::{Data, all};

    #[test]
    fn every_section_has_every_round() {
        let effort = Effort {
            section_rounds: 4,
            section_us: 20,
            ..Effort::QUICK
        };
        let all = all();
        let series = measure(&all, &Data::new(42), 42, &effort);
        assert_eq!(series.len(), all.len());
        assert!(series.iter().all(|rounds| rounds.len() == 4));
    }
}
