//! Many domains: the barriers that their grace periods share, and the memory that they take.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use urcu::Domain;
use urcu_host::affinity::{cpus, run_on};
use urcu_host::machine::resident;

use crate::child;
use crate::measure::{Effort, median};
use crate::record::Record;
use crate::results::sharing::Company;
use crate::table::{Table, cell};
use crate::target::Target;
use crate::window::together;

/// The barriers of domains whose grace periods overlap.
#[derive(Clone, Debug)]
pub struct BarrierResult {
    /// The number of domains that have grace periods at once, each for one caller in a loop.
    pub domains: usize,
    /// The load beside them, in all of the domains.
    pub company: &'static str,
    /// Grace periods of all of them, a second: the median of the rounds.
    pub grace_periods_per_second: f64,
    /// Barriers for each grace period: the median of the rounds.
    pub barriers_each: f64,
}

/// Measures one domain, two and eight, in interleaved rounds.
///
/// # Panics
///
/// Panics if no thread can be created.
#[must_use]
pub fn barriers(effort: &Effort) -> Vec<BarrierResult> {
    let time = Duration::from_millis(effort.window_ms);
    let mut situations = Vec::new();
    for company in Company::ALL {
        situations.extend([1, 2, 8].map(|domains| (company, domains)));
    }
    let mut all = vec![(Vec::new(), Vec::new()); situations.len()];
    for _ in 0..effort.window_rounds {
        for ((company, count), (rates, each)) in situations.iter().zip(&mut all) {
            let domains: Arc<[Domain]> = (0..*count).map(|_| Domain::new()).collect();
            let company = company.keep({
                let domains = domains.clone();
                move |body: &mut dyn FnMut()| {
                    let _guards: Vec<_> = domains.iter().map(Domain::read_lock).collect();
                    body();
                }
            });
            let next = AtomicUsize::new(0);
            let own = || &domains[next.fetch_add(1, Ordering::Relaxed)];
            let call = |domain: &mut &Domain| {
                domain.synchronize();
                1
            };
            let stretch = together(*count, own, call, || thread::sleep(time));
            drop(company);
            let sum = |figure: fn(&urcu::Stats) -> u64| -> f64 {
                let figures = domains.iter().map(|domain| figure(&domain.stats()));
                figures.sum::<u64>() as f64
            };
            rates.push(stretch.per_second());
            each.push(sum(|stats| stats.membarriers) / sum(|stats| stats.grace_periods));
        }
    }
    let result = |((company, domains), (rates, each)): (&(Company, usize), &(Vec<_>, Vec<_>))| {
        BarrierResult {
            domains: *domains,
            company: company.name(),
            grace_periods_per_second: median(rates),
            barriers_each: median(each),
        }
    };
    situations.iter().zip(&all).map(result).collect()
}

/// Returns the table of the barriers.
#[must_use]
pub fn barrier_table(results: &[BarrierResult]) -> Table {
    let mut table = Table::new(&[
        "grace periods of several domains",
        "domains",
        "grace periods/s",
        "barriers/grace period",
    ]);
    for result in results {
        table.row([
            result.company.to_owned(),
            result.domains.to_string(),
            cell(Some(result.grace_periods_per_second)),
            cell(Some(result.barriers_each)),
        ]);
    }
    table
}

/// The task of measuring the memory of domains.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The number of domains.
    pub domains: usize,
}

impl child::Task for Task {
    const NAME: &'static str = "domains";
    type Outcome = MemoryResult;

    fn perform(&self) -> Result<MemoryResult, String> {
        Ok(perform(self))
    }
}

/// The memory of domains.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemoryResult {
    /// The number of domains.
    pub domains: usize,
    /// The number of CPUs that read in all of them.
    pub cpus: usize,
    /// Resident bytes of each after that.
    pub bytes_after_reads: f64,
    /// Resident bytes of each after a grace period too.
    pub bytes_after_synchronize: f64,
}

/// Measures the memory in a process of its own.
///
/// # Errors
///
/// Fails if that process does.
pub fn memory(program: &Path, effort: &Effort) -> Result<MemoryResult, String> {
    let domains = effort.domains;
    child::run(program, &Task { domains })
}

/// Measures the memory of domains. The process should do nothing else.
///
/// # Panics
///
/// Panics if a thread cannot be created.
#[must_use]
pub fn perform(task: &Task) -> MemoryResult {
    let cpus = cpus();
    // Memory for the first domain and the first threads of a process is not counted.
    let first = [Domain::new()];
    read_on(&cpus, &first);
    first[0].synchronize();
    let domains: Vec<Domain> = (0..task.domains).map(|_| Domain::new()).collect();

    let empty = resident();
    read_on(&cpus, &domains);
    let read = resident();
    domains.iter().for_each(Domain::synchronize);
    let synchronized = resident();

    let each = |bytes: u64| bytes.saturating_sub(empty) as f64 / task.domains as f64;
    MemoryResult {
        domains: task.domains,
        cpus: cpus.len(),
        bytes_after_reads: each(read),
        bytes_after_synchronize: each(synchronized),
    }
}

/// Reads in all domains on all CPUs at the same time, repeatedly for a while: a process's threads use different slots
/// only when they run at the same time.
fn read_on(cpus: &[usize], domains: &[Domain]) {
    let start = Barrier::new(cpus.len());
    thread::scope(|scope| {
        for &cpu in cpus {
            let start = &start;
            scope.spawn(move || {
                run_on(&[cpu]);
                start.wait();
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(50) {
                    for domain in domains {
                        drop(domain.read_lock());
                    }
                }
            });
        }
    });
}

/// Returns the table of the memory.
#[must_use]
pub fn memory_table(result: Option<&MemoryResult>) -> Table {
    let mut table = Table::new(&[
        "memory of a domain",
        "domains",
        "CPUs",
        "bytes",
        "bytes/CPU",
    ]);
    if let Some(result) = result {
        let when = [
            ("after a read on each CPU", result.bytes_after_reads),
            ("and a grace period", result.bytes_after_synchronize),
        ];
        for (when, bytes) in when {
            table.row([
                when.to_owned(),
                result.domains.to_string(),
                result.cpus.to_string(),
                cell(Some(bytes)),
                cell(Some(bytes / result.cpus as f64)),
            ]);
        }
    }
    table
}

/// Returns every figure.
#[must_use]
pub fn records(barriers: &[BarrierResult], memory: Option<&MemoryResult>) -> Vec<Record> {
    let barriers = barriers.iter().flat_map(|result| {
        let new = |metric, value, unit| {
            Record::new("domains", "urcu", metric, value, unit)
                .with("domains", result.domains)
                .with("scenario", result.company)
        };
        [
            new("grace periods", result.grace_periods_per_second, "1/s"),
            new("barriers for each", result.barriers_each, "1"),
        ]
    });
    let memory = memory.into_iter().flat_map(|result| {
        let new = |metric, value| {
            Record::new("domains", "urcu", metric, value, "B")
                .with("domains", result.domains)
                .with("cpus", result.cpus)
        };
        [
            new("memory after a read on each CPU", result.bytes_after_reads),
            new(
                "memory after a grace period",
                result.bytes_after_synchronize,
            ),
        ]
    });
    barriers.chain(memory).collect()
}

/// Returns the library's aims, met or not.
#[must_use]
pub fn targets(barriers: &[BarrierResult], memory: Option<&MemoryResult>) -> Vec<Target> {
    let two = barriers.iter().filter(|result| result.domains == 2);
    let shared = two.map(|result| {
        let what = format!("barriers/grace period, two domains, {}", result.company);
        Target::at_most(what, 1.0, Some(result.barriers_each))
    });
    let bytes = memory.map(|result| {
        let each = result.bytes_after_reads / result.cpus as f64;
        let what = "bytes of a domain for each CPU that read in it";
        Target::at_most(what, 64.0, Some(each))
    });
    shared.chain(bytes).collect()
}

#[cfg(test)]
mod tests {
    use urcu_host::affinity::cpus;

    use super::{Task, barrier_table, barriers, memory_table, perform, targets};
    use crate::measure::Effort;

    #[test]
    fn every_situation_has_grace_periods() {
        let results = barriers(&Effort::TEST);
        assert_eq!(results.len(), 6);
        for result in &results {
            assert!(result.grace_periods_per_second > 0.0, "{result:?}");
            assert!(result.barriers_each.is_finite(), "{result:?}");
        }
        assert_eq!(barrier_table(&results).rows().len(), 7);
    }

    #[test]
    fn domains_take_memory() {
        let result = perform(&Task { domains: 2000 });
        assert_eq!(result.cpus, cpus().len());
        assert!(result.bytes_after_synchronize > 0.0);
        assert_eq!(memory_table(Some(&result)).rows().len(), 3);
        assert_eq!(targets(&[], Some(&result)).len(), 1);
    }
}
