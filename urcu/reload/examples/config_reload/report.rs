//! The results of the run.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::ledger::{Fault, Ledger};
use crate::worker::{Tally, Work};

/// The time that the parts of the reloads took: one entry each for every version published.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    /// From the rename until the library begins to read.
    pub(crate) notice: Vec<Duration>,
    /// To read, parse, validate and build.
    pub(crate) build: Vec<Duration>,
    /// To publish; with `replace`, this includes the grace period.
    pub(crate) publish: Vec<Duration>,
    /// From the rename until every read that begins sees the version.
    pub(crate) total: Vec<Duration>,
}

/// The results of all turns of a store.
#[derive(Debug, Default)]
pub(crate) struct Results {
    name: &'static str,
    pub(crate) lookups: Reads,
    version_only: Reads,
    pub(crate) stale: u64,
    pub(crate) timings: Timings,
}

/// The number of reads, and the sum of all readers' times.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    pub(crate) reads: u64,
    time: Duration,
    readers: usize,
}

impl Reads {
    fn per_second_of_a_reader(&self) -> f64 {
        self.reads as f64 / self.time.as_secs_f64()
    }

    fn per_second(&self) -> f64 {
        self.per_second_of_a_reader() * self.readers as f64
    }

    fn nanoseconds(&self) -> f64 {
        1e9 / self.per_second_of_a_reader()
    }

    /// Returns the nanoseconds, or a dash if they were not measured.
    fn shown_nanoseconds(&self) -> String {
        match self.reads {
            0 => "-".into(),
            _ => format!("{:.1}", self.nanoseconds()),
        }
    }
}

impl Results {
    /// Adds a turn: its readers' counts and times, and its reloads.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        work: Work,
        tallies: &[Tally],
        reading: &[Duration],
        timings: Timings,
    ) {
        self.name = name;
        let reads = match work {
            Work::Lookup => &mut self.lookups,
            Work::VersionOnly => &mut self.version_only,
        };
        reads.reads += tallies.iter().map(|tally| tally.reads()).sum::<u64>();
        reads.time += reading.iter().sum::<Duration>();
        reads.readers = reading.len();
        self.stale += tallies.iter().map(|tally| tally.stale()).sum::<u64>();
        if work == Work::Lookup {
            self.timings.notice.extend(timings.notice);
            self.timings.build.extend(timings.build);
            self.timings.publish.extend(timings.publish);
            self.timings.total.extend(timings.total);
        }
    }
}

const READS: &str = "\
Reads. A lookup finds a route and a feature, and checks that both are whole and belong to one version
that is not too old. `version only` reads nothing else: it measures access to the table alone.

                     lookups/s    per reader   ns each   vs the first   version only: ns each";

const RELOADS: &str = "\
Reloads, in ms: median / 99th percentile. `noticed`: from the rename of the file until the library begins
to read it; `built`: from then until the new table is ready; `published`: the time to publish it (`store`
does not wait; `replace` waits until no reader uses the old table); `in all`: from the rename until every
read that begins sees the new table.

                   count         noticed           built       published          in all";

/// Returns the results as text. The first store is the one that the others are compared with.
pub(crate) fn text(stores: &[&Results], ledger: &Ledger) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "\n{READS}")?;
    for store in stores {
        writeln!(
            text,
            "{:<18} {:>9.2} M {:>11.2} M {:>9.1} {:>12.2} x {:>23}",
            store.name,
            store.lookups.per_second() / 1e6,
            store.lookups.per_second_of_a_reader() / 1e6,
            store.lookups.nanoseconds(),
            store.lookups.per_second() / stores[0].lookups.per_second(),
            store.version_only.shown_nanoseconds(),
        )?;
    }
    writeln!(text, "\n{RELOADS}")?;
    for store in stores {
        let Timings {
            notice,
            build,
            publish,
            total,
        } = &store.timings;
        writeln!(
            text,
            "{:<18} {:>5}  {}  {}  {}  {}",
            store.name,
            total.len(),
            quantiles(notice),
            quantiles(build),
            quantiles(publish),
            quantiles(total),
        )?;
    }
    let refused = Fault::ALL.map(|f| format!("{} {}", f.name(), ledger.refused[f as usize]));
    writeln!(
        text,
        "\nFiles that were broken on purpose, and refused for the right reason at the right line: {}.",
        refused.join(", ")
    )?;
    writeln!(
        text,
        "Versions that were replaced before the library read them: {}.",
        ledger.superseded
    )?;
    Ok(text)
}

/// Returns the median and the 99th percentile, in milliseconds.
fn quantiles(times: &[Duration]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    let quantile = |percent: usize| match times.len().checked_sub(1) {
        Some(last) => format!("{:.2}", times[last * percent / 100].as_secs_f64() * 1e3),
        None => "-".into(),
    };
    format!("{:>6} / {:>6}", quantile(50), quantile(99))
}
