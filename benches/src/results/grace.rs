//! Grace periods: the time of `synchronize`, beside that of the system call alone.

use crate::grace::{MEMBARRIER, Measured, Scenario, Series, URCU};
use crate::measure::{Ratio, median, minimum, quantile};
use crate::record::Record;
use crate::subjects::MEMB;
use crate::table::{Table, cell};
use crate::target::Target;

/// One library's grace periods in one scenario.
#[derive(Clone, Debug)]
pub struct GraceResult {
    /// The library.
    pub library: &'static str,
    /// The load beside it.
    pub scenario: &'static str,
    /// The number of idle threads.
    pub idle_threads: usize,
    /// The number of grace periods that were measured.
    pub samples: usize,
    /// The median of each round, in microseconds.
    pub rounds: Vec<f64>,
    /// The time that 99 in 100 did not exceed, in microseconds.
    pub p99_us: f64,
    /// Their median, in microseconds.
    pub median_us: f64,
    /// The shortest.
    pub min_us: f64,
    /// The ratio to liburcu-memb in the same scenario.
    pub to_memb: Option<Ratio>,
    /// The ratio to the same library when nothing else goes on.
    pub to_idle: Ratio,
    /// The nanoseconds beyond the plain system call in the same scenario.
    pub above_membarrier_ns: Option<Ratio>,
}

impl GraceResult {
    /// Returns the scenario, with its number of idle threads if it has any.
    #[must_use]
    pub fn label(&self) -> String {
        match self.idle_threads {
            0 => self.scenario.to_owned(),
            threads => format!("{threads} {}", self.scenario),
        }
    }
}

/// Returns the results of what was measured.
#[must_use]
pub fn results(grace: &Measured) -> Vec<GraceResult> {
    let series = grace.series.iter();
    series.map(|series| grace_result(grace, series)).collect()
}

fn rounds_of<'m>(grace: &'m Measured, library: &str, scenario: Scenario) -> Option<&'m [f64]> {
    let mut all = grace.series.iter();
    let found = all.find(|series| series.library == library && series.scenario == scenario);
    found.map(|series| series.rounds.as_slice())
}

fn grace_result(grace: &Measured, series: &Series) -> GraceResult {
    let idle = rounds_of(grace, series.library, Scenario::Idle).unwrap_or_default();
    let memb = rounds_of(grace, MEMB, series.scenario);
    let floor = rounds_of(grace, MEMBARRIER.name, series.scenario);
    let ns = |rounds: &[f64]| -> Vec<f64> { rounds.iter().map(|us| us * 1e3).collect() };
    GraceResult {
        library: series.library,
        scenario: series.scenario.name(),
        idle_threads: match series.scenario {
            Scenario::IdleThreads => grace.idle_threads,
            Scenario::Idle | Scenario::BusyReader => 0,
        },
        samples: series.samples.len(),
        rounds: series.rounds.clone(),
        p99_us: quantile(&series.samples, 0.99),
        median_us: median(&series.samples),
        min_us: minimum(&series.samples),
        to_memb: memb.map(|memb| Ratio::of(&series.rounds, memb)),
        to_idle: Ratio::of(&series.rounds, idle),
        above_membarrier_ns: floor.map(|floor| Ratio::difference(&ns(&series.rounds), &ns(floor))),
    }
}

/// Returns the table of the grace periods.
#[must_use]
pub fn table(results: &[GraceResult]) -> Table {
    let mut header: Vec<String> = [
        "synchronize",
        "library",
        "median us",
        "min us",
        "p99 us",
        "x idle",
    ]
    .map(str::to_owned)
    .to_vec();
    let peer = results.iter().any(|result| result.to_memb.is_some());
    if peer {
        header.push(format!("x {}", MEMB));
    }
    header.push("- membarrier ns".to_owned());
    let mut table = Table::new(&header);
    for result in results {
        let mut row = vec![
            result.label(),
            result.library.to_owned(),
            format!("{:.2}", result.median_us),
            format!("{:.2}", result.min_us),
            format!("{:.2}", result.p99_us),
            cell(Some(result.to_idle.rounds)),
        ];
        if peer {
            row.push(cell(result.to_memb.map(|ratio| ratio.rounds)));
        }
        row.push(cell(result.above_membarrier_ns.map(|above| above.rounds)));
        table.row(row);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[GraceResult]) -> Vec<Record> {
    let of = |result: &GraceResult| {
        let of = |record: Record| {
            record
                .with("scenario", result.scenario)
                .with("idle_threads", result.idle_threads)
        };
        let name = result.library;
        [
            of(Record::of(
                "grace_period",
                name,
                "time",
                &result.rounds,
                "us",
            )),
            of(Record::new(
                "grace_period",
                name,
                "least time",
                result.min_us,
                "us",
            )),
            of(Record::new(
                "grace_period",
                name,
                "p99",
                result.p99_us,
                "us",
            )),
        ]
    };
    results.iter().flat_map(of).collect()
}

/// Returns what the library aims at.
#[must_use]
pub fn targets(grace: &Measured) -> Vec<Target> {
    let urcu = URCU.name;
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
            format!("synchronize, busy reader: {urcu} / {}", MEMB),
            0.60,
            pair(
                ours(Scenario::BusyReader),
                rounds_of(grace, MEMB, Scenario::BusyReader),
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
