//! Resident memory over time while two threads replace a value of 1 KiB in a loop, with and
//! without a reader that stalls for half of the time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use urcu_host::machine::{about_resident, peak_resident};

use crate::cells::{Cell, Epoch, Hazard, Kovan, Seize, Urcu};
use crate::child;
use crate::measure::Effort;
use crate::record::Record;
use crate::table::{Table, cell};
use crate::target::Target;

/// The value that is replaced.
pub type Value = [u8; 1024];

/// The number of threads that replace the value.
const WRITERS: usize = 2;

/// The memory that a process may take while a reader stalls, in bytes. Above it each writer replaces only one value in a
/// millisecond until the reader goes on, so that the machine has memory for the rest of the measurement.
pub const LIMIT: u64 = 1 << 30;

/// The part of the time at which the reader begins to stall, and that at which it goes on.
const STALL: (f64, f64) = (0.25, 0.75);

/// The task of measuring the memory of one library.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The library.
    pub library: String,
    /// True if a reader stalls.
    pub stalled: bool,
    /// The time it takes.
    pub seconds: f64,
}

impl child::Task for Task {
    const NAME: &'static str = "memory";
    type Outcome = MemoryResult;

    fn perform(&self) -> Result<MemoryResult, String> {
        perform(self)
    }
}

/// The memory of one library.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryResult {
    /// The library.
    pub library: String,
    /// True if a reader stalled for half of the time.
    pub stalled: bool,
    /// The time for which values were replaced, in seconds.
    pub seconds: f64,
    /// The highest resident memory, in MiB.
    pub peak_mib: f64,
    /// The memory that was resident at the end.
    pub end_mib: f64,
    /// True if the writers were held up, because memory would have grown beyond [`LIMIT`].
    pub limited: bool,
    /// Values replaced a second.
    pub replacements_per_second: f64,
    /// Seconds since the beginning, and the MiB that were resident then.
    pub samples: Vec<(f64, f64)>,
}

/// Returns the name of a situation.
#[must_use]
pub fn situation(stalled: bool) -> &'static str {
    if stalled {
        "a reader stalls for half of it"
    } else {
        "nobody stalls"
    }
}

impl MemoryResult {
    fn scenario(&self) -> String {
        format!("{} s, {}", self.seconds, situation(self.stalled))
    }
}

/// Measures the memory of every library, each in a process of its own.
///
/// # Errors
///
/// Fails if such a process does.
pub fn measure(program: &Path, effort: &Effort) -> Result<Vec<MemoryResult>, String> {
    let mut results = Vec::new();
    for stalled in [false, true] {
        for (library, _) in LIBRARIES {
            let task = Task {
                library: library.to_owned(),
                stalled,
                seconds: effort.memory_seconds,
            };
            results.push(child::run(program, &task)?);
        }
    }
    Ok(results)
}

type Library = (&'static str, fn(&Task) -> MemoryResult);

const LIBRARIES: [Library; 5] = [
    (<Urcu<Value> as Cell<Value>>::LIBRARY, run::<Urcu<Value>>),
    (<Epoch<Value> as Cell<Value>>::LIBRARY, run::<Epoch<Value>>),
    (<Seize<Value> as Cell<Value>>::LIBRARY, run::<Seize<Value>>),
    (<Kovan<Value> as Cell<Value>>::LIBRARY, run::<Kovan<Value>>),
    (
        <Hazard<Value> as Cell<Value>>::LIBRARY,
        run::<Hazard<Value>>,
    ),
];

/// Measures the memory of one library. The process should do nothing else.
///
/// # Errors
///
/// Fails if there is no such library.
pub fn perform(task: &Task) -> Result<MemoryResult, String> {
    let mut libraries = LIBRARIES.into_iter();
    let found = libraries.find(|(name, _)| *name == task.library);
    let (_, run) = found.ok_or_else(|| format!("no library is called {}", task.library))?;
    // The reader stalls on purpose, so stalls are not reported.
    urcu::stall::set_timeout(Duration::MAX);
    Ok(run(task))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn run<C: Cell<Value>>(task: &Task) -> MemoryResult {
    let begin = Instant::now();
    let at = |part: f64| begin + Duration::from_secs_f64(task.seconds * part);
    let until = |time: Instant| time.saturating_duration_since(Instant::now());
    let (stop, slow) = (AtomicBool::new(false), AtomicBool::new(false));
    let replaced = AtomicU64::new(0);
    let cell = C::new([0; 1024]);
    let mut samples = Vec::new();
    let mut limited = false;
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let mut count = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    cell.replace([count as u8; 1024]);
                    count += 1;
                    if slow.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                replaced.fetch_add(count, Ordering::Relaxed);
            });
        }
        if task.stalled {
            scope.spawn(|| {
                thread::sleep(until(at(STALL.0)));
                C::hold(|| thread::sleep(until(at(STALL.1))));
            });
        }
        let mut next = begin;
        while begin.elapsed().as_secs_f64() < task.seconds {
            let (now, bytes) = (Instant::now(), about_resident());
            let stalled = task.stalled && at(STALL.0) <= now && now < at(STALL.1);
            // Afterwards the writers run at full speed again: some libraries free memory only while writers run.
            let over = bytes > if stalled { LIMIT } else { 2 * LIMIT };
            slow.store(over, Ordering::Relaxed);
            limited |= over;
            if now >= next {
                samples.push((begin.elapsed().as_secs_f64(), mib(bytes)));
                next += Duration::from_secs_f64(task.seconds / 300.0);
            }
            thread::sleep(Duration::from_millis(2));
        }
        samples.push((begin.elapsed().as_secs_f64(), mib(about_resident())));
        stop.store(true, Ordering::Relaxed);
    });
    MemoryResult {
        library: task.library.clone(),
        stalled: task.stalled,
        seconds: task.seconds,
        peak_mib: mib(peak_resident()),
        end_mib: samples.last().map_or(0.0, |(_, mib)| *mib),
        limited,
        replacements_per_second: replaced.into_inner() as f64 / begin.elapsed().as_secs_f64(),
        samples,
    }
}

/// Returns the table of the results.
#[must_use]
pub fn table(results: &[MemoryResult]) -> Table {
    let mut table = Table::new(&[
        "memory, 2 threads replace 1 KiB",
        "library",
        "peak MiB",
        "end MiB",
        "replaced/s",
        "held up",
    ]);
    for result in results {
        table.row([
            result.scenario(),
            result.library.clone(),
            cell(Some(result.peak_mib)),
            cell(Some(result.end_mib)),
            cell(Some(result.replacements_per_second)),
            if result.limited { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(results: &[MemoryResult]) -> Vec<Record> {
    let of = |result: &MemoryResult| {
        let new = |metric, value, unit| {
            Record::new("retire", &result.library, metric, value, unit)
                .with("long-running reader", result.stalled)
                .with("seconds", result.seconds)
        };
        let mean =
            result.samples.iter().map(|(_, mib)| mib).sum::<f64>() / result.samples.len() as f64;
        [
            new("peak memory", result.peak_mib, "MiB"),
            new("mean memory", mean, "MiB"),
            new("memory at the end", result.end_mib, "MiB"),
            new("replaced", result.replacements_per_second, "1/s"),
        ]
    };
    results.iter().flat_map(of).collect()
}

/// Returns the library's aims, met or not.
#[must_use]
pub fn targets(results: &[MemoryResult]) -> Vec<Target> {
    let ours = results
        .iter()
        .find(|result| result.library == LIBRARIES[0].0 && !result.stalled);
    let target = |result: &MemoryResult| {
        let what = format!("peak MiB, 2 threads replace 1 KiB, {}", result.scenario());
        Target::at_most(what, 64.0, Some(result.peak_mib))
    };
    ours.map(target).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{LIBRARIES, Task, perform, table, targets};

    #[test]
    fn every_library_is_measured() {
        let mut results = Vec::new();
        for (library, _) in LIBRARIES {
            let task = Task {
                library: library.to_owned(),
                stalled: true,
                seconds: 0.1,
            };
            let result = perform(&task).unwrap();
            assert!(result.replacements_per_second > 0.0, "{library}");
            assert!(result.samples.len() > 2, "{library}");
            assert!(result.peak_mib >= 1.0, "{library}");
            results.push(result);
        }
        assert_eq!(table(&results).rows().len(), 6);
        assert!(targets(&results).is_empty(), "a reader stalled in all");
    }

    #[test]
    fn other_libraries_are_refused() {
        let task = Task {
            library: "none".to_owned(),
            stalled: false,
            seconds: 0.0,
        };
        assert!(perform(&task).is_err());
    }
}
