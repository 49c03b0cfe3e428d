//! The outcome of a comparison, as tables for people and as JSON for programs.

use std::fmt::Write;

use serde::Serialize;
use urcu_host::machine::Machine;

use crate::grace::Measured;
use crate::measure::Effort;
use crate::results::crowd::{self, CrowdResult};
use crate::results::domains::{self, BarrierResult};
use crate::results::grace::{self, GraceResult};
use crate::results::memory::{self, MemoryResult};
use crate::results::reclaim::{self, ReclaimResult};
use crate::results::sections::{self, SectionResult};
use crate::results::sharing::{self, SharingResult};
use crate::results::updates::{self, UpdateResult};
use crate::sections::Section;
use crate::table::{Table, align};
use crate::target::{self, Target};

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
    /// Returns a report of nothing yet.
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
        self.sections = sections::results(sections, series);
        self.targets.extend(sections::targets(&self.sections));
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
        self.synchronize = grace::results(grace);
        self.targets.extend(grace::targets(grace));
    }

    /// Returns the parts that were measured.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let part = |title, plots, table| Part {
            title,
            plots,
            table,
        };
        let parts = [
            part(
                "Read side",
                &["sections.svg"] as &[_],
                sections::table(&self.sections),
            ),
            part(
                "Grace periods",
                &["synchronize.svg"],
                grace::table(&self.synchronize),
            ),
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
            part("Targets", &[], target::table(&self.targets)),
        ];
        let measured = parts.into_iter().filter(|part| !part.table.is_empty());
        measured.collect()
    }

    /// Returns what it was measured on, in a line.
    #[must_use]
    pub fn machine_line(&self) -> String {
        let load = self
            .load
            .map_or("unknown".to_owned(), |load| format!("{load:.1}"));
        format!("{}; load average {load}", self.machine.line())
    }

    /// Returns the report as text: the machine, the tables and the targets.
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

/// How the figures came about, for the end of the tables.
pub const NOTE: &str = "\
x: the median of the ratios of each round, both sides measured in the same round;
quiet: the ratio of the two best rounds. ns and us: wall-clock time, but for \"cpu ns\".
The targets are information, not a test.
";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use urcu_host::machine::Machine;

    use super::Report;
    use crate::measure::Effort;
    use crate::sections::{self, Data};
    use crate::{grace, results};

    fn small() -> Report {
        let effort = Effort::TEST;
        let data = Arc::new(Data::new(42));
        let sections = sections::all();
        let mut report = Report::new(Machine::probe(), effort);
        let series = results::sections::measure(&sections, &data, 42, &effort);
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
}
