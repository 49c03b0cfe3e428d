//! The time from retiring a value to its drop, with few and with many retired values.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cells::{Cell, Epoch, Hazard, Kovan, Seize, Urcu};
use crate::measure::{Effort, quantile};
use crate::record::Record;
use crate::table::{Table, cell};
use crate::window::together;

/// The times at which a value was retired and dropped.
#[derive(Debug, Default)]
struct Sample {
    retired: OnceLock<Instant>,
    dropped: OnceLock<Instant>,
}

impl Sample {
    /// Returns the latency in microseconds, or infinity if the value was not dropped.
    fn latency(&self) -> f64 {
        let Some((retired, dropped)) = self.retired.get().zip(self.dropped.get()) else {
            return f64::INFINITY;
        };
        dropped.saturating_duration_since(*retired).as_secs_f64() * 1e6
    }
}

/// A value of 24 bytes. Some of these values note when they are dropped.
#[derive(Debug, Default)]
struct Value {
    sample: Option<Arc<Sample>>,
    _rest: [u64; 2],
}

impl Drop for Value {
    fn drop(&mut self) {
        if let Some(sample) = &self.sample {
            let _ = sample.dropped.set(Instant::now());
        }
    }
}

/// A cell, and the sample of its value.
struct Noted<C> {
    cell: C,
    sample: Option<Arc<Sample>>,
}

impl<C: Cell<Value>> Noted<C> {
    fn new() -> Self {
        Self {
            cell: C::new(Value::default()),
            sample: None,
        }
    }

    /// Replaces the value, and returns the sample of the old one. `noted` says whether the new one notes its drop.
    fn replace(&mut self, noted: bool) -> Option<Arc<Sample>> {
        let before = self.sample.take();
        self.sample = noted.then(Arc::default);
        let value = Value {
            sample: self.sample.clone(),
            ..Value::default()
        };
        if let Some(before) = &before {
            let _ = before.retired.set(Instant::now());
        }
        self.cell.replace(value);
        before
    }
}

/// The rate at which values are retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// One value in ten milliseconds.
    Light,
    /// As many values as two threads can retire, some of which are sampled.
    Heavy,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light: one in 10 ms",
            Self::Heavy => "heavy: two threads in a loop",
        }
    }
}

/// The time that values of one library waited to be dropped.
#[derive(Clone, Debug)]
pub struct ReclaimResult {
    /// The library.
    pub library: &'static str,
    /// The rate at which values were retired.
    pub load: &'static str,
    /// The number of values that were sampled.
    pub samples: usize,
    /// The number of samples that had not been dropped some time after the last was retired.
    pub left: usize,
    /// The median, in microseconds; none if half were not dropped.
    pub p50_us: Option<f64>,
    /// The time that 99 in 100 did not exceed; none if as many were not dropped.
    pub p99_us: Option<f64>,
}

impl ReclaimResult {
    fn new(library: &'static str, load: Load, latencies: &[f64]) -> Self {
        let known = |part| Some(quantile(latencies, part)).filter(|value| value.is_finite());
        Self {
            library,
            load: load.name(),
            samples: latencies.len(),
            left: latencies.iter().filter(|value| value.is_infinite()).count(),
            p50_us: known(0.5),
            p99_us: known(0.99),
        }
    }
}

/// Returns the latencies, some time after the last of the samples was retired.
fn settle(samples: &[Arc<Sample>]) -> Vec<f64> {
    thread::sleep(Duration::from_millis(100));
    samples.iter().map(|sample| sample.latency()).collect()
}

fn light<C: Cell<Value>>(effort: &Effort) -> Vec<f64> {
    let mut noted = Noted::<C>::new();
    let mut samples = Vec::with_capacity(effort.light_samples);
    while samples.len() < effort.light_samples {
        thread::sleep(Duration::from_millis(10));
        samples.extend(noted.replace(true));
    }
    // The thread goes on, as a server's would: some libraries hand over the remaining values when a thread ends.
    settle(&samples)
}

fn heavy<C: Cell<Value>>(effort: &Effort) -> Vec<f64> {
    // Not a multiple of any library's batch size, so that samples fall anywhere in batches.
    const BATCH: u64 = 251;
    let time = Duration::from_millis(effort.window_ms);
    let all = Mutex::new(Vec::new());
    let step = |noted: &mut Noted<C>| {
        noted.replace(true);
        let sample = noted.replace(false);
        for _ in 2..BATCH {
            noted.replace(false);
        }
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(sample);
        BATCH
    };
    together(2, Noted::<C>::new, step, || thread::sleep(time));
    settle(&all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Measures all libraries that drop values: under the light load at the same time, otherwise in interleaved rounds.
///
/// # Panics
///
/// Panics if a thread cannot be created.
#[must_use]
pub fn measure(effort: &Effort) -> Vec<ReclaimResult> {
    type Run = fn(&Effort) -> Vec<f64>;
    fn library<C: Cell<Value>>() -> (&'static str, Run, Run) {
        (C::LIBRARY, light::<C>, heavy::<C>)
    }
    let libraries = [
        library::<Urcu<Value>>(),
        library::<Epoch<Value>>(),
        library::<Seize<Value>>(),
        library::<Kovan<Value>>(),
        library::<Hazard<Value>>(),
    ];
    let mut results: Vec<ReclaimResult> = thread::scope(|scope| {
        let threads = libraries.map(|(name, light, _)| {
            let thread = scope.spawn(move || light(effort));
            (name, thread)
        });
        let results = threads.into_iter().map(|(name, thread)| {
            let latencies = thread.join().expect("the thread that retires");
            ReclaimResult::new(name, Load::Light, &latencies)
        });
        results.collect()
    });
    let mut latencies = libraries.map(|_| Vec::new());
    for _ in 0..effort.window_rounds {
        for ((_, _, heavy), latencies) in libraries.iter().zip(&mut latencies) {
            latencies.extend(heavy(effort));
        }
    }
    for ((name, ..), latencies) in libraries.iter().zip(&latencies) {
        results.push(ReclaimResult::new(name, Load::Heavy, latencies));
    }
    results
}

/// Returns the table of the results.
#[must_use]
pub fn table(results: &[ReclaimResult]) -> Table {
    let mut table = Table::new(&[
        "from retiring to the drop",
        "library",
        "p50 us",
        "p99 us",
        "samples",
        "left",
    ]);
    for result in results {
        table.row([
            result.load.to_owned(),
            result.library.to_owned(),
            cell(result.p50_us),
            cell(result.p99_us),
            result.samples.to_string(),
            result.left.to_string(),
        ]);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[ReclaimResult]) -> Vec<Record> {
    let of = |result: &ReclaimResult| {
        let new = |metric, value: Option<f64>, unit| {
            let value = value.unwrap_or(f64::INFINITY);
            Record::new("retire", result.library, metric, value, unit).with("load", result.load)
        };
        [
            new("p50 to the drop", result.p50_us, "us"),
            new("p99 to the drop", result.p99_us, "us"),
            new(
                "not dropped",
                Some(result.left as f64 / result.samples as f64),
                "1",
            ),
        ]
    };
    results.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Load, ReclaimResult, Sample, Value, measure, table};
    use crate::measure::Effort;

    #[test]
    fn values_have_the_size_that_is_told() {
        assert_eq!(size_of::<Value>(), 24);
    }

    #[test]
    fn what_is_left_counts_as_late() {
        let latencies = (0..4u64).map(|index| {
            let sample = Sample::default();
            let now = Instant::now();
            sample.retired.set(now).unwrap();
            if index < 3 {
                let later = now + Duration::from_micros(10 * (index + 1));
                sample.dropped.set(later).unwrap();
            }
            sample.latency()
        });
        let latencies: Vec<f64> = latencies.collect();
        let result = ReclaimResult::new("any", Load::Heavy, &latencies);
        assert_eq!((result.samples, result.left), (4, 1));
        assert!((result.p50_us.unwrap() - 20.0).abs() < 1e-6);
        assert_eq!(result.p99_us, None);
    }

    #[test]
    fn every_library_has_both_loads() {
        let results = measure(&Effort::TEST);
        assert_eq!(results.len(), 10);
        assert!(results.iter().all(|result| result.samples > 0));
        assert_eq!(table(&results).rows().len(), 11);
    }
}
