//! Grace periods that callers share: the number of calls of `synchronize` that one thread and many threads complete in a
//! loop, and how evenly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::grace::{Library, URCU};
use crate::measure::{Effort, Ratio, median};
use crate::record::Record;
use crate::subjects::MEMB;
use crate::table::{Table, cell};
use crate::target::Target;
use crate::window::{Background, doze, together};

/// The load beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Nothing: nobody reads.
    Nobody,
    /// Two readers in sections of 10 us, of which one is always open. They sleep in them, so that
    /// the CPUs are the callers'.
    Readers,
}

impl Company {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Nobody, Self::Readers];

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody reads",
            Self::Readers => "sections of 10 us",
        }
    }

    /// Lets it go on until the outcome is dropped; `section` runs something in a section.
    ///
    /// # Panics
    ///
    /// Panics if a thread cannot be created.
    #[must_use]
    pub fn keep(self, section: impl Fn(&mut dyn FnMut()) + Clone + Send + 'static) -> Kept {
        let readers = match self {
            Self::Nobody => 0,
            Self::Readers => 2,
        };
        let begun = Arc::new(AtomicU64::new(0));
        // While both are there: the first begins alone, and the last ends alone.
        let paired = Arc::new(AtomicBool::new(false));
        let reader = |_| {
            let (section, begun, paired) = (section.clone(), begun.clone(), paired.clone());
            Background::start(move || {
                section(&mut || {
                    let own = begun.fetch_add(1, Ordering::Relaxed) + 1;
                    doze(Duration::from_micros(10));
                    // Until the other one has begun another: else a caller that is woken when
                    // this one ends could take this one's CPU, and find nobody to wait for.
                    while begun.load(Ordering::Relaxed) == own && paired.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                });
            })
        };
        let readers = (0..readers).map(reader).collect();
        paired.store(true, Ordering::Relaxed);
        Kept {
            paired,
            _readers: readers,
        }
    }
}

/// A load that goes on until this is dropped.
#[derive(Debug)]
pub struct Kept {
    paired: Arc<AtomicBool>,
    _readers: Vec<Background>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.paired.store(false, Ordering::Relaxed);
    }
}

/// The rounds of one library, company and number of callers.
#[derive(Clone, Debug, Default)]
struct Series {
    ns: Vec<f64>,
    /// The least and the most that one caller completed, in parts of the mean.
    least: Vec<f64>,
    most: Vec<f64>,
}

/// The calls that were completed.
#[derive(Clone, Debug)]
pub struct SharingResult {
    /// The library.
    pub library: &'static str,
    /// The load beside it.
    pub company: &'static str,
    /// The number of calling threads.
    pub callers: usize,
    /// Calls that all of them completed a second: the median of the rounds.
    pub calls_per_second: f64,
    /// The ratio to the calls of one caller.
    pub gain: Ratio,
    /// The calls of the caller that completed fewest, in parts of the mean: the median of the
    /// rounds. Zero is a caller that starved.
    pub least: f64,
    /// The calls of the caller that completed most.
    pub most: f64,
    /// Time for a call, compared with liburcu-memb in the same situation.
    pub to_memb: Option<Ratio>,
}

/// Measures every situation for every library, in interleaved rounds.
///
/// # Panics
///
/// Panics if no thread can be created.
#[must_use]
pub fn measure(libraries: &[Library], effort: &Effort) -> Vec<SharingResult> {
    // Long enough for all the callers to get a CPU.
    let time = Duration::from_millis(4 * effort.window_ms);
    let mut situations = Vec::new();
    for company in Company::ALL {
        for callers in [1, effort.callers] {
            situations.extend(libraries.iter().map(|library| (company, callers, library)));
        }
    }
    let mut all = vec![Series::default(); situations.len()];
    for _ in 0..effort.window_rounds {
        for ((company, callers, library), series) in situations.iter().zip(&mut all) {
            let _company = company.keep(library.section);
            let call = |(): &mut ()| {
                (library.synchronize)();
                1
            };
            let stretch = together(*callers, || (), call, || thread::sleep(time));
            let mean = stretch.done.iter().sum::<u64>() as f64 / stretch.done.len() as f64;
            let part = |done: Option<&u64>| done.map_or(f64::NAN, |done| *done as f64 / mean);
            series.ns.push(stretch.ns_each());
            series.least.push(part(stretch.done.iter().min()));
            series.most.push(part(stretch.done.iter().max()));
        }
    }
    let find = |company: Company, callers: usize, name: &str| {
        let wanted = |(its, theirs, library): &(Company, usize, &Library)| {
            *its == company && *theirs == callers && library.name == name
        };
        let index = situations.iter().position(wanted)?;
        Some(all[index].ns.as_slice())
    };
    let result = |((company, callers, library), series): (&(Company, usize, &Library), &Series)| {
        let one = find(*company, 1, library.name).unwrap_or_default();
        let memb = find(*company, *callers, MEMB);
        SharingResult {
            library: library.name,
            company: company.name(),
            callers: *callers,
            calls_per_second: 1e9 / median(&series.ns),
            gain: Ratio::of(one, &series.ns),
            least: median(&series.least),
            most: median(&series.most),
            to_memb: memb.map(|memb| Ratio::of(&series.ns, memb)),
        }
    };
    situations.iter().zip(&all).map(result).collect()
}

/// Returns the table of the results.
#[must_use]
pub fn table(results: &[SharingResult]) -> Table {
    let mut table = Table::new(&[
        "synchronize in a loop",
        "callers",
        "library",
        "calls/s",
        "x 1 caller",
        "least/mean",
        "most/mean",
        "time x liburcu-memb",
    ]);
    for result in results {
        table.row([
            result.company.to_owned(),
            result.callers.to_string(),
            result.library.to_owned(),
            cell(Some(result.calls_per_second)),
            cell(Some(result.gain.rounds)),
            cell(Some(result.least)),
            cell(Some(result.most)),
            cell(result.to_memb.map(|ratio| ratio.rounds)),
        ]);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[SharingResult]) -> Vec<Record> {
    let of = |result: &SharingResult| {
        let new = |metric, value, unit| {
            Record::new("grace_period", result.library, metric, value, unit)
                .with("scenario", result.company)
                .with("callers", result.callers)
        };
        [
            new("throughput", result.calls_per_second, "1/s"),
            new("least of the callers", result.least, "1"),
            new("most of the callers", result.most, "1"),
        ]
    };
    results.iter().flat_map(of).collect()
}

/// Returns the library's aims, met or not.
#[must_use]
pub fn targets(results: &[SharingResult]) -> Vec<Target> {
    let ours = results
        .iter()
        .filter(|result| result.library == URCU.name && result.callers > 1);
    let target = |result: &SharingResult| {
        let what = format!(
            "synchronize, {}: calls of {} callers / 1",
            result.company, result.callers
        );
        Target::at_least(what, 3.0, Some(result.gain))
    };
    ours.map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::{measure, table, targets};
    use crate::grace::libraries;
    use crate::measure::Effort;

    #[test]
    fn every_situation_completes_calls() {
        let results = measure(&libraries(), &Effort::TEST);
        assert_eq!(results.len(), 4 * libraries().len());
        for result in &results {
            assert!(result.calls_per_second > 0.0, "{result:?}");
            assert!(result.least <= 1.0 && result.most >= 1.0, "{result:?}");
        }
        assert_eq!(table(&results).rows().len(), 1 + results.len());
        assert_eq!(targets(&results).len(), 2);
    }
}
