//! A large value that one thread replaces at given rates while another reads: the time of a read, and the age of the
//! value that it sees.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::cells::{Cell, Epoch, Hazard, Kovan, Lock, Seize, Swap, Urcu};
use crate::measure::{Effort, quantile};
use crate::record::Record;
use crate::table::{Table, cell};

/// A configuration of 64 KiB with its version.
#[derive(Clone, Debug)]
pub struct Value {
    version: u64,
    _rest: Vec<u64>,
}

impl Value {
    fn new(version: u64) -> Self {
        Self {
            version,
            _rest: vec![version; 8192],
        }
    }
}

/// The rates at which the value is replaced, per second.
pub const RATES: [u32; 3] = [1, 100, 10_000];

/// The observations of one library's reader.
#[derive(Clone, Debug)]
pub struct ReloadResult {
    /// The library.
    pub library: &'static str,
    /// Replacements a second, as asked for.
    pub rate: u32,
    /// Replacements that were made.
    pub replaced: u64,
    /// The time that reads took, in nanoseconds, with the cost of the clock.
    pub latencies: Vec<f64>,
    /// Reads that saw a version before the one that was published when they began.
    pub stale: u64,
}

fn run<C: Cell<Value>>(rate: u32, time: Duration) -> ReloadResult {
    let cell = C::new(Value::new(0));
    let (published, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut latencies = Vec::new();
    let mut stale = 0;
    let replaced = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let pause = Duration::from_secs(1) / rate;
            let begin = Instant::now();
            let mut version = 0;
            while !stop.load(Ordering::Relaxed) {
                version += 1;
                cell.replace(Value::new(version));
                published.store(version, Ordering::Release);
                let next = begin + pause * version as u32;
                while Instant::now() < next && !stop.load(Ordering::Relaxed) {
                    thread::sleep(
                        next.saturating_duration_since(Instant::now())
                            .min(Duration::from_millis(5)),
                    );
                }
            }
            version
        });
        let begin = Instant::now();
        while begin.elapsed() < time {
            for _ in 0..256 {
                let least = published.load(Ordering::Acquire);
                let start = Instant::now();
                let version = cell.read(|value| value.version);
                latencies.push(start.elapsed().as_nanos() as f64);
                stale += u64::from(version < least);
            }
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer does not panic")
    });
    C::drain();
    ReloadResult {
        library: C::LIBRARY,
        rate,
        replaced,
        latencies,
        stale,
    }
}

/// Measures every library at every rate.
///
/// # Panics
///
/// Panics if a thread cannot be created.
#[must_use]
pub fn measure(effort: &Effort) -> Vec<ReloadResult> {
    type Run = fn(u32, Duration) -> ReloadResult;
    let runs: [Run; 7] = [
        run::<Urcu<Value>>,
        run::<Epoch<Value>>,
        run::<Seize<Value>>,
        run::<Kovan<Value>>,
        run::<Hazard<Value>>,
        run::<Swap<Value>>,
        run::<Lock<Value>>,
    ];
    let time = Duration::from_millis(effort.reload_ms);
    let rates = RATES.iter();
    rates
        .flat_map(|rate| runs.iter().map(move |run| run(*rate, time)))
        .collect()
}

/// The quantiles, with their names.
const QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.99, "p99"), (0.9999, "p99.99")];

/// Returns the table of the results.
#[must_use]
pub fn table(results: &[ReloadResult]) -> Table {
    let mut table = Table::new(&[
        "reads of 64 KiB that is replaced",
        "library",
        "p50 ns",
        "p99 ns",
        "p99.99 ns",
        "reads",
        "replaced",
        "stale",
    ]);
    for result in results {
        let mut row = vec![
            format!("{} a second", result.rate),
            result.library.to_owned(),
        ];
        row.extend(QUANTILES.map(|(part, _)| cell(Some(quantile(&result.latencies, part)))));
        row.extend(
            [result.latencies.len() as u64, result.replaced, result.stale].map(|n| n.to_string()),
        );
        table.row(row);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[ReloadResult]) -> Vec<Record> {
    let of = |result: &ReloadResult| {
        let new = |metric, value, unit| {
            Record::new("reload", result.library, metric, value, unit).with("rate", result.rate)
        };
        let times =
            QUANTILES.map(|(part, name)| new(name, quantile(&result.latencies, part), "ns"));
        let others = [
            new("replaced", result.replaced as f64, "1"),
            new("stale reads", result.stale as f64, "1"),
        ];
        times.into_iter().chain(others)
    };
    results.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::{RATES, measure, records, table};
    use crate::measure::Effort;

    #[test]
    fn every_library_is_read_while_it_is_replaced_and_none_is_stale() {
        let results = measure(&Effort::TEST);
        assert_eq!(results.len(), 7 * RATES.len());
        for result in &results {
            assert!(
                result.replaced > 0 && !result.latencies.is_empty(),
                "{}",
                result.library
            );
            assert_eq!(result.stale, 0, "{}", result.library);
        }
        assert_eq!(table(&results).rows().len(), 1 + results.len());
        assert_eq!(records(&results).len(), 5 * results.len());
    }
}
