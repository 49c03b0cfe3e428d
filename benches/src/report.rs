//! The outcome of a comparison, as tables for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::grace::{self, Measured, Scenario, Series};
use crate::machine::Machine;
use crate::measure::{Effort, Ratio, median, minimum};
use crate::memb;
use crate::sections::{self, Section};
use crate::table::align;

/// What is said of liburcu-memb where it is missing.
pub const SKIPPED: &str = "liburcu-memb (install liburcu-dev to compare with it)";

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it was measured on.
    pub machine: Machine,
    /// How long it was measured.
    pub effort: Effort,
    /// What could not be measured, and why.
    pub skipped: Vec<String>,
    /// The read-side sections.
    pub sections: Vec<SectionResult>,
    /// The grace periods.
    pub synchronize: Vec<GraceResult>,
    /// The figures that the library aims at.
    pub targets: Vec<Target>,
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

/// One library's grace periods in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct GraceResult {
    /// The library.
    pub library: &'static str,
    /// What else went on.
    pub scenario: &'static str,
    /// How many idle threads there were.
    pub idle_threads: usize,
    /// How many grace periods were measured.
    pub samples: usize,
    /// Their median, in microseconds.
    pub median_us: f64,
    /// The shortest.
    pub min_us: f64,
    /// How it compares with liburcu-memb in the same scenario.
    pub to_memb: Option<Ratio>,
    /// How it compares with the same library when nothing else goes on.
    pub to_idle: Ratio,
}

/// A figure that the library aims at, beside what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What is divided by what.
    pub what: String,
    /// At most this; none where the aim is not to grow.
    pub limit: Option<f64>,
    /// What was measured; none where a peer is missing.
    pub measured: Option<Ratio>,
    /// Whether the median of the rounds' ratios is within the limit.
    pub met: Option<bool>,
}

impl Target {
    fn new(what: impl Into<String>, limit: Option<f64>, measured: Option<Ratio>) -> Self {
        let met = limit
            .zip(measured)
            .map(|(limit, ratio)| ratio.rounds <= limit);
        Self {
            what: what.into(),
            limit,
            measured,
            met,
        }
    }
}

impl Report {
    /// Puts the report together; `series` goes by the indices of `sections`.
    #[must_use]
    pub fn new(
        machine: Machine,
        effort: Effort,
        sections: &[Section],
        series: &[Vec<f64>],
        grace: &Measured,
    ) -> Self {
        let mut skipped = Vec::new();
        if !memb::AVAILABLE {
            skipped.push(SKIPPED.to_owned());
        }
        if let Some(error) = &grace.shortage {
            skipped.push(format!(
                "{} of {} idle threads could not be created: {error}",
                effort.idle_threads - grace.idle_threads,
                effort.idle_threads,
            ));
        }
        let sections = section_results(sections, series);
        let targets = targets(&sections, grace);
        Self {
            machine,
            effort,
            skipped,
            sections,
            synchronize: grace
                .series
                .iter()
                .map(|series| grace_result(grace, series))
                .collect(),
            targets,
        }
    }

    /// The report as text: the machine, the tables and the targets.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.machine.line());
        for skipped in &self.skipped {
            let _ = writeln!(text, "skipped: {skipped}");
        }
        if !self.skipped.is_empty() {
            text.push('\n');
        }
        for table in [
            self.section_table(),
            self.grace_table(),
            self.target_table(),
        ] {
            text.push_str(&align(&table));
            text.push('\n');
        }
        text.push_str(NOTE);
        text
    }
}

impl GraceResult {
    /// The scenario, with the number of threads where it has any.
    #[must_use]
    pub fn label(&self) -> String {
        match self.idle_threads {
            0 => self.scenario.to_owned(),
            threads => format!("{threads} {}", self.scenario),
        }
    }
}

/// How the figures came about, for the end of the tables.
pub const NOTE: &str = "\
x: the median of the ratios of each round, both sides measured in the same round;
quiet: the ratio of the two best rounds. The targets are information, not a test.
";

fn section_results(sections: &[Section], series: &[Vec<f64>]) -> Vec<SectionResult> {
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

fn rounds_of<'m>(grace: &'m Measured, library: &str, scenario: Scenario) -> Option<&'m [f64]> {
    let mut all = grace.series.iter();
    let found = all.find(|series| series.library == library && series.scenario == scenario);
    found.map(|series| series.rounds.as_slice())
}

fn grace_result(grace: &Measured, series: &Series) -> GraceResult {
    let idle = rounds_of(grace, series.library, Scenario::Idle).unwrap_or_default();
    let memb = rounds_of(grace, sections::MEMB, series.scenario);
    GraceResult {
        library: series.library,
        scenario: series.scenario.name(),
        idle_threads: match series.scenario {
            Scenario::IdleThreads => grace.idle_threads,
            Scenario::Idle | Scenario::BusyReader => 0,
        },
        samples: series.samples.len(),
        median_us: median(&series.samples),
        min_us: minimum(&series.samples),
        to_memb: memb.map(|memb| Ratio::of(&series.rounds, memb)),
        to_idle: Ratio::of(&series.rounds, idle),
    }
}

fn targets(results: &[SectionResult], grace: &Measured) -> Vec<Target> {
    let section = |ours: &'static str, theirs: &'static str, limit| {
        let result = results.iter().find(|result| result.name == ours);
        let ratio = result.and_then(|result| result.ratios.get(theirs).copied());
        Target::new(format!("{ours} / {theirs}"), Some(limit), ratio)
    };
    let urcu = grace::URCU.name;
    let pair = |ours: Option<&[f64]>, theirs: Option<&[f64]>| {
        ours.zip(theirs)
            .map(|(ours, theirs)| Ratio::of(ours, theirs))
    };
    let growth = |library| {
        let crowd = rounds_of(grace, library, Scenario::IdleThreads);
        pair(crowd, rounds_of(grace, library, Scenario::Idle))
    };
    let busy = |library| rounds_of(grace, library, Scenario::BusyReader);
    vec![
        section(sections::GUARD, sections::MEMB, 1.30),
        section(sections::GUARD, sections::CROSSBEAM, 0.20),
        section(sections::READ, sections::ARC_SWAP, 0.12),
        section(sections::SNAPSHOT, sections::MEMB, 0.50),
        Target::new(
            format!("synchronize, busy reader: {urcu} / {}", sections::MEMB),
            Some(0.60),
            pair(busy(urcu), busy(sections::MEMB)),
        ),
        Target::new(
            format!(
                "{urcu} synchronize, {} idle threads / none",
                grace.idle_threads
            ),
            None,
            growth(urcu),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Report;
    use crate::machine::Machine;
    use crate::measure::{self, Effort};
    use crate::sections::{self, Data};
    use crate::{grace, memb};

    fn small() -> Report {
        let effort = Effort {
            section_rounds: 2,
            section_us: 10,
            grace_rounds: 1,
            grace_samples: 2,
            idle_threads: 5,
            ..Effort::QUICK
        };
        let data = Arc::new(Data::new(42));
        let sections = sections::all();
        let series = measure::sections(&sections, &data, 42, &effort);
        let grace = grace::measure(&grace::libraries(), &data, &effort);
        Report::new(Machine::probe(), effort, &sections, &series, &grace)
    }

    #[test]
    fn the_report_names_everything() {
        let report = small();
        let text = report.text();
        for section in sections::all() {
            assert!(text.contains(section.name), "{}", section.name);
        }
        for scenario in ["idle", "busy reader", "5 idle threads"] {
            assert!(text.contains(scenario), "{scenario}");
        }
        assert_eq!(text.contains("skipped: liburcu-memb"), !memb::AVAILABLE);
        assert_eq!(report.targets.len(), 6);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json["sections"].as_array().unwrap().len(),
            sections::all().len()
        );
    }
}
