//! The outcome of a comparison, as tables for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::crowd::{self, CrowdResult};
use crate::domains::{self, BarrierResult};
use crate::grace::{self, Measured, Scenario, Series};
use crate::machine::Machine;
use crate::measure::{Effort, Ratio, median, minimum};
use crate::memory::{self, MemoryResult};
use crate::reclaim::{self, ReclaimResult};
use crate::sections::{self, Section};
use crate::sharing::{self, SharingResult};
use crate::table::{Table, align};
use crate::updates::{self, UpdateResult};

/// What is said of liburcu-memb where it is missing.
pub const SKIPPED: &str = "liburcu-memb (install liburcu-dev to compare with it)";

/// Everything that was measured; what was not is empty.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it was measured on.
    pub machine: Machine,
    /// The load average when the measurement began, for one minute.
    pub load: Option<f64>,
    /// How long it was measured.
    pub effort: Effort,
    /// What could not be measured, and why.
    pub skipped: Vec<String>,
    /// The read-side sections.
    pub sections: Vec<SectionResult>,
    /// The grace periods.
    pub synchronize: Vec<GraceResult>,
    /// Grace periods that callers share.
    pub sharing: Vec<SharingResult>,
    /// Many more readers than CPUs.
    pub crowd: Vec<CrowdResult>,
    /// Barriers that domains share.
    pub barriers: Vec<BarrierResult>,
    /// The memory of domains.
    pub domain_memory: Option<domains::MemoryResult>,
    /// Updates.
    pub updates: Vec<UpdateResult>,
    /// How long retired values wait.
    pub reclaim: Vec<ReclaimResult>,
    /// Memory over time.
    pub memory: Vec<MemoryResult>,
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
    /// How much more than the plain system call in the same scenario it takes, in nanoseconds.
    pub above_membarrier_ns: Option<Ratio>,
}

/// A figure that the library aims at, beside what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What is divided by what.
    pub what: String,
    /// At most this.
    pub limit: Option<f64>,
    /// At least this. If there is neither, the aim is not to grow.
    pub at_least: Option<f64>,
    /// What was measured; none where a peer is missing.
    pub measured: Option<Ratio>,
    /// Whether the median of the rounds is as it should be.
    pub met: Option<bool>,
}

impl Target {
    /// At most `limit`.
    #[must_use]
    pub fn at_most(
        what: impl Into<String>,
        limit: f64,
        measured: Option<impl Into<Ratio>>,
    ) -> Self {
        let measured: Option<Ratio> = measured.map(Into::into);
        Self {
            what: what.into(),
            limit: Some(limit),
            at_least: None,
            measured,
            met: measured.map(|measured| measured.rounds <= limit),
        }
    }

    /// At least `limit`.
    #[must_use]
    pub fn at_least(what: impl Into<String>, limit: f64, measured: Option<Ratio>) -> Self {
        Self {
            what: what.into(),
            limit: None,
            at_least: Some(limit),
            measured,
            met: measured.map(|measured| measured.rounds >= limit),
        }
    }

    /// Not more than without what makes it grow.
    fn not_growing(what: impl Into<String>, measured: Option<Ratio>) -> Self {
        Self {
            what: what.into(),
            limit: None,
            at_least: None,
            measured,
            met: None,
        }
    }
}

/// A part of the report.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its title.
    pub title: &'static str,
    /// The files of its plots.
    pub plots: &'static [&'static str],
    /// Its figures.
    pub table: Table,
}

impl Report {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(machine: Machine, effort: Effort) -> Self {
        Self {
            load: machine.load(),
            machine,
            effort,
            skipped: Vec::new(),
            sections: Vec::new(),
            synchronize: Vec::new(),
            sharing: Vec::new(),
            crowd: Vec::new(),
            barriers: Vec::new(),
            domain_memory: None,
            updates: Vec::new(),
            reclaim: Vec::new(),
            memory: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Adds the sections; `series` goes by their indices.
    pub fn add_sections(&mut self, sections: &[Section], series: &[Vec<f64>]) {
        self.sections = section_results(sections, series);
        self.targets.extend(section_targets(&self.sections));
    }

    /// Adds the grace periods.
    pub fn add_grace(&mut self, grace: &Measured) {
        if let Some(error) = &grace.shortage {
            self.skipped.push(format!(
                "{} of {} idle threads could not be created: {error}",
                self.effort.idle_threads - grace.idle_threads,
                self.effort.idle_threads,
            ));
        }
        let results = grace.series.iter();
        self.synchronize = results.map(|series| grace_result(grace, series)).collect();
        self.targets.extend(grace_targets(grace));
    }

    /// The parts that were measured.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let part = |title, plots, table| Part {
            title,
            plots,
            table,
        };
        let parts = [
            part("Read side", &["sections.svg"] as &[_], self.section_table()),
            part("Grace periods", &["synchronize.svg"], self.grace_table()),
            part("Shared grace periods", &[], sharing::table(&self.sharing)),
            part("More readers than CPUs", &[], crowd::table(&self.crowd)),
            part(
                "Domains at once",
                &[],
                domains::barrier_table(&self.barriers),
            ),
            part(
                "Memory of domains",
                &[],
                domains::memory_table(self.domain_memory.as_ref()),
            ),
            part("Updates", &["updates.svg"], updates::table(&self.updates)),
            part("Reclamation", &[], reclaim::table(&self.reclaim)),
            part(
                "Memory",
                &["memory.svg", "memory-stalled.svg"],
                memory::table(&self.memory),
            ),
            part("Targets", &[], self.target_table()),
        ];
        let measured = parts.into_iter().filter(|part| !part.table.is_empty());
        measured.collect()
    }

    /// What it was measured on, in a line.
    #[must_use]
    pub fn machine_line(&self) -> String {
        let load = self
            .load
            .map_or("unknown".to_owned(), |load| format!("{load:.1}"));
        format!("{}; load average {load}", self.machine.line())
    }

    /// The report as text: the machine, the tables and the targets.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.machine_line());
        for skipped in &self.skipped {
            let _ = writeln!(text, "skipped: {skipped}");
        }
        if !self.skipped.is_empty() {
            text.push('\n');
        }
        for part in self.parts() {
            text.push_str(&align(part.table.rows()));
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
quiet: the ratio of the two best rounds. ns and us: wall-clock time, but for \"cpu ns\".
The targets are information, not a test.
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
    let floor = rounds_of(grace, grace::MEMBARRIER.name, series.scenario);
    let ns = |rounds: &[f64]| -> Vec<f64> { rounds.iter().map(|us| us * 1e3).collect() };
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
        above_membarrier_ns: floor.map(|floor| Ratio::difference(&ns(&series.rounds), &ns(floor))),
    }
}

fn section_targets(results: &[SectionResult]) -> Vec<Target> {
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

fn grace_targets(grace: &Measured) -> Vec<Target> {
    let urcu = grace::URCU.name;
    let ours = |scenario| rounds_of(grace, urcu, scenario);
    let pair = |ours: Option<&[f64]>, theirs: Option<&[f64]>| {
        ours.zip(theirs)
            .map(|(ours, theirs)| Ratio::of(ours, theirs))
    };
    let mut idle = grace
        .series
        .iter()
        .filter(|series| series.library == urcu && series.scenario == Scenario::Idle);
    vec![
        Target::at_most(
            format!("synchronize, busy reader: {urcu} / {}", sections::MEMB),
            0.60,
            pair(
                ours(Scenario::BusyReader),
                rounds_of(grace, sections::MEMB, Scenario::BusyReader),
            ),
        ),
        Target::not_growing(
            format!(
                "{urcu} synchronize, {} idle threads / none",
                grace.idle_threads
            ),
            pair(ours(Scenario::IdleThreads), ours(Scenario::Idle)),
        ),
        Target::at_most(
            format!("synchronize, idle: {urcu} - the membarrier call, ns"),
            150.0,
            idle.next()
                .and_then(|series| grace_result(grace, series).above_membarrier_ns),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Report, Target};
    use crate::grace;
    use crate::machine::Machine;
    use crate::measure::{self, Effort};
    use crate::sections::{self, Data};

    fn small() -> Report {
        let effort = Effort::TEST;
        let data = Arc::new(Data::new(42));
        let sections = sections::all();
        let mut report = Report::new(Machine::probe(), effort);
        let series = measure::sections(&sections, &data, 42, &effort);
        report.add_sections(&sections, &series);
        report.add_grace(&grace::measure(&grace::measured(), &data, &effort));
        report
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
        assert_eq!(report.targets.len(), 7);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json["sections"].as_array().unwrap().len(),
            sections::all().len()
        );
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let report = small();
        let titles: Vec<_> = report.parts().iter().map(|part| part.title).collect();
        assert_eq!(titles, ["Read side", "Grace periods", "Targets"]);
        assert!(!report.text().contains("retire"));
    }

    #[test]
    fn targets_go_both_ways() {
        let met = |target: Target| target.met;
        assert_eq!(met(Target::at_most("", 1.0, Some(0.9))), Some(true));
        assert_eq!(met(Target::at_most("", 1.0, Some(1.1))), Some(false));
        assert_eq!(met(Target::at_most("", 1.0, None::<f64>)), None);
        let ratio = Some(0.9.into());
        assert_eq!(met(Target::at_least("", 1.0, ratio)), Some(false));
        assert_eq!(met(Target::at_least("", 0.8, ratio)), Some(true));
    }
}
