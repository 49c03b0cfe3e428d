//! The outcome of a comparison, as tables for people and as JSON for programs.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use urcu_host::machine::Machine;

use crate::grace::Measured;
use crate::measure::{Effort, median};
use crate::record::Record;
use crate::results::crowd::{self, CrowdResult};
use crate::results::domains::{self, BarrierResult};
use crate::results::figures;
use crate::results::grace::{self, GraceResult};
use crate::results::memory::{self, MemoryResult};
use crate::results::mixed::{self, MixedResult};
use crate::results::read_side::{self, SectionResult};
use crate::results::reclaim::{self, ReclaimResult};
use crate::results::reload::{self, ReloadResult};
use crate::results::scaling::{self, ScalingResult};
use crate::results::sharing::{self, SharingResult};
use crate::results::updates::{self, UpdateResult};
use crate::results::{hash_map, ordered_map, queues};
use crate::run::{self, Neighbours, Part, Run, Samples};
use crate::structures::{self, hash, ordered};
use crate::table::{Table, align};
use crate::target::{self, Target};

/// The text printed where liburcu-memb is missing.
pub const SKIPPED: &str = "liburcu-memb (install liburcu-dev to compare with it)";

/// Everything that was measured. The parts that were not measured are empty.
#[derive(Debug)]
pub struct Report {
    /// The date at which it began, by UTC.
    pub date: String,
    /// The machine on which it was measured.
    pub machine: Machine,
    /// The machine's other load meanwhile.
    neighbours: Neighbours,
    /// The load average when the measurement began, for one minute.
    pub load: Option<f64>,
    /// The cost of reading the clock, in nanoseconds.
    pub clock_ns: f64,
    /// The effort that was spent.
    pub effort: Effort,
    /// Measurements that were impossible, and why.
    pub skipped: Vec<String>,
    /// Conditions that make figures doubtful.
    pub warnings: Vec<String>,
    /// Read-side sections.
    pub read_side: Vec<SectionResult>,
    /// Reads by many threads.
    pub scaling: Vec<ScalingResult>,
    /// Reads and updates.
    pub mixed: Vec<MixedResult>,
    /// Grace periods.
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
    /// The time that retired values wait.
    pub reclaim: Vec<ReclaimResult>,
    /// Memory over time.
    pub memory: Vec<MemoryResult>,
    /// A large value that is replaced while it is read.
    pub reload: Vec<ReloadResult>,
    /// Maps and queues: the figures of all their benches.
    pub structures: Vec<Record>,
    /// Grace periods among idle threads.
    pub idle: Vec<Record>,
    /// The constants of the model of scale.
    pub constants: Vec<Record>,
    /// The library's aims, met or not.
    pub targets: Vec<Target>,
}

impl Report {
    /// Returns a report of nothing yet.
    #[must_use]
    pub fn new(machine: Machine, effort: Effort) -> Self {
        let mut report = Self {
            date: run::date(),
            load: machine.load(),
            clock_ns: clock_ns(),
            neighbours: Neighbours::watch(machine.cpus),
            machine,
            effort,
            skipped: Vec::new(),
            warnings: Vec::new(),
            read_side: Vec::new(),
            scaling: Vec::new(),
            mixed: Vec::new(),
            synchronize: Vec::new(),
            sharing: Vec::new(),
            crowd: Vec::new(),
            barriers: Vec::new(),
            domain_memory: None,
            updates: Vec::new(),
            reclaim: Vec::new(),
            memory: Vec::new(),
            reload: Vec::new(),
            structures: Vec::new(),
            idle: Vec::new(),
            constants: Vec::new(),
            targets: Vec::new(),
        };
        if report.load.is_some_and(|load| load > BUSY) {
            report.warnings.push(format!(
                "the machine is busy (load average {:.1}): figures and ratios are doubtful",
                report.load.unwrap_or_default()
            ));
        }
        report
    }

    /// Adds the sections.
    pub fn add_read_side(&mut self, results: Vec<SectionResult>) {
        self.targets.extend(read_side::targets(&results));
        self.read_side = results;
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

    /// Returns every figure.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let memory = self.domain_memory.as_ref();
        [
            read_side::records(&self.read_side),
            scaling::records(&self.scaling),
            mixed::records(&self.mixed),
            grace::records(&self.synchronize),
            sharing::records(&self.sharing),
            crowd::records(&self.crowd),
            domains::records(&self.barriers, memory),
            updates::records(&self.updates),
            reclaim::records(&self.reclaim),
            memory::records(&self.memory),
            reload::records(&self.reload),
            self.idle.clone(),
            self.structures.clone(),
            self.constants.clone(),
        ]
        .concat()
    }

    /// Returns the run as it is kept in a file.
    #[must_use]
    pub fn run(&self) -> Run {
        let results = self.records();
        let mut warnings = self.warnings.clone();
        warnings.extend(self.neighbours.warnings());
        warnings.extend(run::wide(&results));
        let curve = |result: &MemoryResult| Samples {
            bench: "retire".to_owned(),
            subject: result.library.clone(),
            situation: memory::situation(result.stalled).to_owned(),
            points: result.samples.clone(),
        };
        Run {
            date: self.date.clone(),
            machine: self.machine.clone(),
            load: self.load,
            clock_ns: self.clock_ns,
            seconds: self.neighbours.seconds(),
            effort: serde_json::to_value(self.effort).unwrap_or_default(),
            skipped: self.skipped.clone(),
            warnings,
            results,
            targets: self.targets.clone(),
            tables: self.parts(),
            curves: self.memory.iter().map(curve).collect(),
        }
    }

    /// Returns the parts that were measured.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let memory = self.domain_memory.as_ref();
        let structures = |bench: &str, title: &str| {
            let records = self
                .structures
                .iter()
                .filter(|record| record.bench == bench);
            let records: Vec<Record> = records.cloned().collect();
            figures::table(title, &records)
        };
        let parts = [
            ("Read side", read_side::table(&self.read_side)),
            ("Reads by many threads", scaling::table(&self.scaling)),
            ("Reads and updates", mixed::table(&self.mixed)),
            ("Grace periods", grace::table(&self.synchronize)),
            (
                "Grace periods among idle threads",
                figures::table("synchronize", &self.idle),
            ),
            ("Shared grace periods", sharing::table(&self.sharing)),
            ("More readers than CPUs", crowd::table(&self.crowd)),
            ("Domains at once", domains::barrier_table(&self.barriers)),
            ("Memory of domains", domains::memory_table(memory)),
            ("Updates", updates::table(&self.updates)),
            ("Reclamation", reclaim::table(&self.reclaim)),
            ("Memory", memory::table(&self.memory)),
            ("A large value, reloaded", reload::table(&self.reload)),
            ("Hash maps", structures(hash_map::BENCH, "hash map")),
            (
                "Ordered maps",
                structures(ordered_map::BENCH, "ordered map"),
            ),
            ("Queues", structures(queues::BENCH, "queue")),
            (
                "Constants of the model of scale",
                figures::table("this machine", &self.constants),
            ),
            ("Targets", target::table(&self.targets)),
            (
                "How each subject is used",
                read_side::usage(&self.read_side),
            ),
            (
                "How each map and queue is used",
                structure_usage(&self.structures),
            ),
        ];
        let parts = parts.into_iter().filter(|(_, table)| !table.is_empty());
        let part = |(title, table): (&str, Table)| Part {
            title: title.to_owned(),
            table,
        };
        parts.map(part).collect()
    }
}

impl Run {
    /// Returns the run as text: the machine, the tables and the targets.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.machine_line());
        for remark in self.remarks() {
            let _ = writeln!(text, "{remark}");
        }
        if !self.remarks().is_empty() {
            text.push('\n');
        }
        for part in &self.tables {
            text.push_str(&align(part.table.rows()));
            text.push('\n');
        }
        text.push_str(NOTE);
        text
    }
}

/// Returns how each structure that was measured is used, with the version that was built in.
fn structure_usage(records: &[Record]) -> Table {
    let mut table = Table::new(&["map or queue", "package", "version", "how it is used"]);
    let hash_maps = hash::of_numbers().into_iter().map(|kind| kind.named);
    let ordered_maps = ordered::kinds().into_iter().map(|kind| kind.named);
    let queues = structures::queues::kinds()
        .into_iter()
        .map(|kind| kind.named);
    for named in hash_maps.chain(ordered_maps).chain(queues) {
        if records.iter().any(|record| record.subject == named.name) {
            let version = structures::version(named.package).unwrap_or("-");
            table.row([named.name, named.package, version, named.how].map(str::to_owned));
        }
    }
    table
}

/// A load average above this means that the machine does other work too.
const BUSY: f64 = 1.0;

/// Returns the cost of reading the clock, in nanoseconds.
fn clock_ns() -> f64 {
    const LOOKS: u32 = 1000;
    let rounds: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..LOOKS {
                black_box(Instant::now());
            }
            start.elapsed().as_nanos() as f64 / f64::from(LOOKS)
        })
        .collect();
    median(&rounds)
}

/// The note after the tables: how the figures are measured.
pub const NOTE: &str = "\
x is the median of the ratios of all rounds, with both sides measured in the same round; quiet is the ratio of the two
best rounds. ns and us are wall-clock time, except \"cpu ns\".
Rounds are interleaved: all subjects take turns in each round. Sections, and threads that work for a stretch of time,
are warmed up before they are measured; everything else warms up in its first round. Figures are medians of the rounds,
and the spread is the range of their middle half. The kernel places threads; they are pinned only for the constants of
the model of scale. Single latencies include one reading of the clock, whose cost is stated above; other times do not.
All subjects are built into one program by one compiler, and use the system's malloc; all maps use one hasher, foldhash.
read_side corresponds to the kernel's refscale (nanoseconds of a section, many in a row), with a load and a dereference
inside. grace_period corresponds to its rcuscale (the time of a grace period: one writer or many, with or without
readers). mixed, memory, and garbage with a long-running reader are what smr-benchmark (kaist-cp) measures: operations a
second, peak and average memory. zipf is YCSB's distribution, with 0.99.
The targets are information, not a test.
";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use urcu_host::machine::Machine;

    use super::{Report, Run};
    use crate::grace::{self, Data};
    use crate::measure::Effort;
    use crate::results::read_side;
    use crate::subjects;

    fn small() -> Report {
        let effort = Effort::TEST;
        let mut report = Report::new(Machine::probe(), effort);
        report.add_read_side(read_side::measure(&subjects::all(), &effort));
        let data = Arc::new(Data::new(42));
        report.add_grace(&grace::measure(&grace::measured(), &data, &effort));
        report
    }

    #[test]
    fn the_report_names_everything() {
        let report = small();
        let run = report.run();
        let text = run.text();
        for kind in subjects::all() {
            assert!(text.contains(kind.name), "{}", kind.name);
            assert!(text.contains(kind.how), "{}", kind.name);
        }
        for scenario in ["idle", "busy reader", "5 idle threads"] {
            assert!(text.contains(scenario), "{scenario}");
        }
        assert_eq!(report.targets.len(), 7);
        let json = run.json().unwrap();
        let records = Run::read(&json).unwrap().results;
        assert_eq!(records.len(), report.records().len());
        for kind in subjects::all() {
            let mut own = records.iter().filter(|record| record.subject == kind.name);
            assert!(
                own.any(|record| record.bench == "read_side"),
                "{}",
                kind.name
            );
        }
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let report = small();
        let parts = report.parts();
        let titles: Vec<_> = parts.iter().map(|part| &*part.title).collect();
        let expected = [
            "Read side",
            "Grace periods",
            "Targets",
            "How each subject is used",
        ];
        assert_eq!(titles, expected);
        assert!(!report.run().text().contains("stalls"));
    }
}
