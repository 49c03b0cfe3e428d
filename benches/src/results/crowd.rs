//! Many more readers than CPUs: the number of their reads, and the time of grace periods among them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::grace::{Data, Library, URCU};
use crate::measure::{Effort, Ratio, median, quantile};
use crate::record::Record;
use crate::subjects::MEMB;
use crate::table::{Table, cell};
use crate::target::Target;
use crate::window::together;

/// The readers' behaviour between sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// They yield their CPU every 10,000 sections, which take some microseconds.
    Polite,
    /// They never yield: most lose their CPU inside a section, which stays open until their next turn.
    Greedy,
}

impl Habit {
    const ALL: [Self; 2] = [Self::Polite, Self::Greedy];

    fn name(self) -> &'static str {
        match self {
            Self::Polite => "readers that yield",
            Self::Greedy => "readers in a loop",
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Series {
    readers: usize,
    ns: Vec<f64>,
    /// The median latency of each round, and all latencies.
    medians: Vec<f64>,
    latencies: Vec<f64>,
}

/// The results of one library's readers and grace periods.
#[derive(Clone, Debug)]
pub struct CrowdResult {
    /// The library.
    pub library: &'static str,
    /// The readers' behaviour between sections.
    pub habit: &'static str,
    /// Their number.
    pub readers: usize,
    /// Sections that all of them ended a second: the median of the rounds.
    pub reads_per_second: f64,
    /// The number of grace periods that were waited for.
    pub grace_periods: usize,
    /// The median time of a grace period, in microseconds.
    pub p50_us: f64,
    /// The time that 99 in 100 did not exceed.
    pub p99_us: f64,
    /// Time for a section compared with liburcu-memb.
    pub reads_to_memb: Option<Ratio>,
    /// The median latencies of the rounds compared with liburcu-memb.
    pub latency_to_memb: Option<Ratio>,
}

/// Measures every habit for every library, in interleaved rounds.
///
/// # Panics
///
/// Panics if no thread can be created.
#[must_use]
pub fn measure(libraries: &[Library], data: &Arc<Data>, effort: &Effort) -> Vec<CrowdResult> {
    let time = Duration::from_millis(effort.crowd_ms);
    let mut situations = Vec::new();
    for habit in Habit::ALL {
        situations.extend(libraries.iter().map(|library| (habit, library)));
    }
    let mut all = vec![Series::default(); situations.len()];
    for round in 0..effort.crowd_rounds {
        for ((habit, library), series) in situations.iter().zip(&mut all) {
            // One grace period lasts until all readers had their turns, which takes seconds.
            if round > 0 && *habit == Habit::Greedy {
                continue;
            }
            let read = |(): &mut ()| {
                const SECTIONS: u64 = 10_000;
                (library.read)(data, SECTIONS);
                if *habit == Habit::Polite {
                    thread::yield_now();
                }
                SECTIONS
            };
            let mut latencies = Vec::new();
            let stretch = together(
                effort.crowd,
                || (),
                read,
                || {
                    let begin = Instant::now();
                    while begin.elapsed() < time {
                        let start = Instant::now();
                        (library.synchronize)();
                        latencies.push(start.elapsed().as_secs_f64() * 1e6);
                    }
                },
            );
            series.readers = stretch.done.len();
            series.ns.push(stretch.ns_each());
            series.medians.push(median(&latencies));
            series.latencies.extend(latencies);
        }
    }
    let result = |((habit, library), series): (&(Habit, &Library), &Series)| {
        let memb = situations
            .iter()
            .position(|(its, library)| its == habit && library.name == MEMB)
            .map(|index| &all[index]);
        CrowdResult {
            library: library.name,
            habit: habit.name(),
            readers: series.readers,
            reads_per_second: 1e9 / median(&series.ns),
            grace_periods: series.latencies.len(),
            p50_us: quantile(&series.latencies, 0.5),
            p99_us: quantile(&series.latencies, 0.99),
            reads_to_memb: memb.map(|memb| Ratio::of(&series.ns, &memb.ns)),
            latency_to_memb: memb.map(|memb| Ratio::of(&series.medians, &memb.medians)),
        }
    };
    situations.iter().zip(&all).map(result).collect()
}

/// Returns the table of the results.
#[must_use]
pub fn table(results: &[CrowdResult]) -> Table {
    let mut table = Table::new(&[
        "many readers",
        "threads",
        "library",
        "reads/us",
        "time x liburcu-memb",
        "grace periods",
        "p50 us",
        "p99 us",
        "x liburcu-memb",
    ]);
    for result in results {
        table.row([
            result.habit.to_owned(),
            result.readers.to_string(),
            result.library.to_owned(),
            cell(Some(result.reads_per_second / 1e6)),
            cell(result.reads_to_memb.map(|ratio| ratio.rounds)),
            result.grace_periods.to_string(),
            cell(Some(result.p50_us)),
            cell(Some(result.p99_us)),
            cell(result.latency_to_memb.map(|ratio| ratio.rounds)),
        ]);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[CrowdResult]) -> Vec<Record> {
    let of = |result: &CrowdResult| {
        let new = |metric, value, unit| {
            Record::new("grace_period", result.library, metric, value, unit)
                .with("scenario", result.habit)
                .with("readers", result.readers)
        };
        [
            new("reads", result.reads_per_second, "1/s"),
            new("p50", result.p50_us, "us"),
            new("p99", result.p99_us, "us"),
        ]
    };
    results.iter().flat_map(of).collect()
}

/// Returns the library's aims, met or not.
#[must_use]
pub fn targets(results: &[CrowdResult]) -> Vec<Target> {
    let ours = results.iter().filter(|result| result.library == URCU.name);
    let pair = |result: &CrowdResult| {
        let what = |figure| {
            let CrowdResult { habit, readers, .. } = result;
            format!("{readers} {habit}, {figure}: {} / {MEMB}", URCU.name)
        };
        [
            Target::at_most(what("time a section"), 1.0, result.reads_to_memb),
            Target::at_most(what("synchronize"), 1.0, result.latency_to_memb),
        ]
    };
    ours.flat_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{measure, table, targets};
    use crate::grace::Data;
    use crate::grace::libraries;
    use crate::measure::Effort;

    #[test]
    fn every_situation_reads_and_waits() {
        let results = measure(&libraries(), &Arc::new(Data::new(42)), &Effort::TEST);
        assert_eq!(results.len(), 2 * libraries().len());
        for result in &results {
            assert_eq!(result.readers, 10);
            assert!(result.reads_per_second > 0.0);
            assert!(result.grace_periods >= 1);
            assert!(result.p50_us <= result.p99_us);
        }
        assert_eq!(table(&results).rows().len(), 1 + results.len());
        assert_eq!(targets(&results).len(), 4);
    }
}
