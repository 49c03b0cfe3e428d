//! A model of reads and grace periods on machines that are not available: 1 to 512 CPUs and 1 to 100,000 threads. It
//! uses constants that were measured on a small machine.
//!
//! The count of each event is known: it follows from the algorithms, and is verified in guests of 2, 4 and 8 CPUs (the
//! example `counts` of `urcu-torture`). Two costs are not known: that of an interrupt to the 2nd, 3rd, ... CPU, because
//! interrupts overlap, and that of a line from another socket. For these there are a low and a high assumption, so every
//! result is a range.

use crate::losses::digits;
use crate::record::Record;
use crate::results::constants;
use crate::run::Run;
use crate::subjects::{CROSSBEAM, GUARD, MEMB};
use crate::table::Table;

/// Numbers of CPUs that the tables are for.
pub const CPUS: [u64; 6] = [1, 2, 8, 64, 256, 512];

/// Numbers of threads.
pub const THREADS: [u64; 4] = [1, 100, 10_000, 100_000];

/// Scans of all slots in a grace period that waits for nobody: one sums the counters, and fetches the lines that readers
/// have written; the other settles the counters, and finds the lines in its own cache.
pub const SCANS: f64 = 2.0;

/// Barriers in a grace period of this library.
pub const BARRIERS: f64 = 1.0;

/// Barriers in a grace period of liburcu-memb, which looks at all of its threads after each barrier.
pub const BARRIERS_MEMB: f64 = 2.0;

/// The constants, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Constants {
    /// Sections of this library, of liburcu-memb, of crossbeam-epoch, and of a lock by one thread.
    sections: [f64; 4],
    /// A call of membarrier while no other CPU runs the process.
    barrier: f64,
    /// The addition if one other CPU runs the process.
    interrupt: f64,
    /// The transfer of a line between two CPUs.
    line: f64,
    /// A grace period of this library beyond its barrier and its scans.
    rest: f64,
    /// A grace period of liburcu-memb with few threads, beyond its barriers, and the addition for each thread.
    rest_memb: f64,
    thread: f64,
    /// The scan of a slot by number of slots: those never written, those here, those written by others.
    untouched: Vec<(f64, f64)>,
    here: Vec<(f64, f64)>,
    written: Vec<(f64, f64)>,
}

/// An assumption about the costs that are not known.
#[derive(Clone, Copy, Debug)]
struct Assumption {
    /// The part of an interrupt's cost that each CPU after the first adds.
    added: f64,
    /// The cost of a line, and of a slot written elsewhere, as a multiple of that measured here.
    far: f64,
}

const LOW: Assumption = Assumption {
    added: 0.02,
    far: 1.0,
};

const HIGH: Assumption = Assumption {
    added: 0.5,
    far: 3.0,
};

fn value(run: &Run, bench: &str, subject: &str, metric: &str, with: &[(&str, f64)]) -> Option<f64> {
    let matches = |record: &&Record| {
        (&*record.bench, &*record.subject, &*record.metric) == (bench, subject, metric)
            && with.iter().all(|(name, value)| {
                record.params.get(*name).and_then(serde_json::Value::as_f64) == Some(*value)
            })
    };
    run.results.iter().find(matches)?.value
}

impl Constants {
    /// Finds the constants among the figures of a run. Returns `None` if one is missing.
    #[must_use]
    pub fn of(run: &Run) -> Option<Self> {
        let section = |subject| value(run, "read_side", subject, "time", &[]);
        let here = |metric| value(run, constants::BENCH, constants::MACHINE, metric, &[]);
        let scan = |state: &str| -> Vec<(f64, f64)> {
            let of_state = run.results.iter().filter(|it| {
                it.metric == "scan of a slot"
                    && it.params.get("state").is_some_and(|is| is == state)
            });
            let pairs =
                of_state.filter_map(|it| Some((it.params.get("slots")?.as_f64()?, it.value?)));
            pairs.collect()
        };
        let idle = |subject: &str, threads: f64| {
            let us = value(
                run,
                "grace_period",
                subject,
                "time",
                &[("threads", threads)],
            )?;
            Some(us * 1e3)
        };
        let barrier = here("barrier, nobody runs")?;
        let near = scan("written here");
        let slot = interpolate(&near, run.machine.cpus as f64)?;
        let counts = run
            .results
            .iter()
            .filter(|it| (&*it.bench, &*it.subject, &*it.metric) == ("grace_period", MEMB, "time"));
        let counts = counts.filter_map(|it| it.params.get("threads")?.as_f64());
        let (few, many) = counts
            .filter(|count| *count >= 10.0)
            .fold((f64::INFINITY, 0.0f64), |(few, many), count| {
                (few.min(count), many.max(count))
            });
        let (memb_few, memb_many) = (idle(MEMB, few)?, idle(MEMB, many)?);
        let thread = (memb_many - memb_few) / (many - few);
        Some(Self {
            sections: [
                section(GUARD)?,
                section(MEMB)?,
                section(CROSSBEAM)?,
                section("std RwLock")?,
            ],
            barrier,
            interrupt: (here("barrier, one other runs")? - barrier).max(0.0),
            line: here("transfer of a line")?,
            rest: (idle("urcu", few)? - barrier - SCANS * slot * run.machine.cpus as f64).max(0.0),
            rest_memb: (memb_few - BARRIERS_MEMB * barrier - thread * few).max(0.0),
            thread,
            untouched: scan("never written"),
            here: near,
            written: scan("written elsewhere"),
        })
    }

    /// Returns the nanoseconds of a barrier when `running` CPUs run the process, the caller's included.
    fn barrier_of(&self, running: f64, assumption: Assumption) -> f64 {
        let others = running - 1.0;
        let first = others.min(1.0);
        self.barrier + self.interrupt * (first + (others - first) * assumption.added)
    }

    /// Returns the nanoseconds of all scans in a grace period with `slots` slots, of which `used` are in use.
    fn scans(&self, slots: f64, used: f64, assumption: Assumption) -> f64 {
        let unused = slots - used;
        used * self.fetched(used, assumption)
            + used * each(&self.here, slots)
            // All slots that nobody wrote share the kernel's page of zeros.
            + SCANS * unused * each(&self.untouched, slots)
    }

    /// Returns the nanoseconds to fetch each of `lines` lines that other CPUs have written.
    fn fetched(&self, lines: f64, assumption: Assumption) -> f64 {
        each(&self.written, lines) * assumption.far
    }

    /// Returns the nanoseconds of a grace period that waits for no reader.
    fn ours(&self, slots: f64, used: f64, assumption: Assumption) -> f64 {
        self.rest
            + BARRIERS * self.barrier_of(used, assumption)
            + self.scans(slots, used, assumption)
    }

    fn memb(&self, running: f64, threads: f64, assumption: Assumption) -> f64 {
        // Each thread on another CPU has written its line since then. All threads are looked at after each barrier.
        let elsewhere = (running - 1.0).max(0.0);
        let lines = BARRIERS_MEMB * elsewhere * self.fetched(elsewhere, assumption);
        self.rest_memb
            + BARRIERS_MEMB * self.barrier_of(running, assumption)
            + threads * self.thread
            + lines
    }
}

fn each(points: &[(f64, f64)], number: f64) -> f64 {
    interpolate(points, number).unwrap_or(f64::NAN)
}

/// Interpolates between two points on a scale of powers of two. Beyond the ends, returns the value of the last point.
fn interpolate(points: &[(f64, f64)], at: f64) -> Option<f64> {
    let after = points.iter().position(|(x, _)| *x >= at);
    match after {
        None => points.last().map(|(_, y)| *y),
        Some(0) => points.first().map(|(_, y)| *y),
        Some(index) => {
            let ((x0, y0), (x1, y1)) = (points[index - 1], points[index]);
            let part = (at / x0).log2() / (x1 / x0).log2();
            Some(y0 + (y1 - y0) * part)
        }
    }
}

fn range(low: f64, high: f64, unit: f64) -> String {
    let (low, high) = (digits(low / unit), digits(high / unit));
    if low == high {
        low
    } else {
        format!("{low} to {high}")
    }
}

/// Returns the table of the constants.
#[must_use]
pub fn constants(c: &Constants) -> Table {
    let mut table = Table::new(&["measured here", "ns"]);
    let mut row = |what: &str, ns: f64| table.row([what.to_owned(), digits(ns)]);
    row("a section: the guard", c.sections[0]);
    row("a section: liburcu-memb", c.sections[1]);
    row("a section: crossbeam-epoch", c.sections[2]);
    row("a section: std RwLock, one thread", c.sections[3]);
    row("membarrier, no other CPU runs the process", c.barrier);
    row(
        "an interrupt of a barrier: one other CPU runs it",
        c.interrupt,
    );
    row("the transfer of a line between the two CPUs", c.line);
    row("a grace period beyond barrier and scans", c.rest);
    row(
        "liburcu-memb: a grace period beyond barriers and threads",
        c.rest_memb,
    );
    row("liburcu-memb: each registered thread", c.thread);
    for (slots, ns) in &c.untouched {
        row(
            &format!("the scan of a slot never written, of {slots}"),
            *ns,
        );
    }
    for (slots, ns) in &c.here {
        row(&format!("the scan of a slot that is here, of {slots}"), *ns);
    }
    for (slots, ns) in &c.written {
        row(
            &format!("the scan of a slot written elsewhere, of {slots}"),
            *ns,
        );
    }
    table
}

/// Returns the reads of all CPUs in a microsecond.
#[must_use]
pub fn reads(c: &Constants) -> Table {
    let mut table = Table::new(&[
        "CPUs (reads/us, a thread on each)",
        "guard",
        "liburcu-memb",
        "crossbeam-epoch",
        "std RwLock",
    ]);
    for cpus in CPUS {
        let cpus_f = cpus as f64;
        let private = |index: usize| digits(cpus_f * 1e3 / c.sections[index]);
        let lock = |assumption: Assumption| {
            // Two changes of one line, which only one CPU has at a time.
            let shared = 1e3 / (2.0 * c.line * assumption.far);
            let alone = 1e3 / c.sections[3];
            if cpus == 1 {
                alone
            } else {
                shared.min(alone * cpus_f)
            }
        };
        table.row([
            cpus.to_string(),
            private(0),
            private(1),
            private(2),
            range(lock(HIGH), lock(LOW), 1.0),
        ]);
    }
    table
}

/// Returns the duration of a grace period by the number of CPUs, all of which run the process, and of threads.
#[must_use]
pub fn grace_periods(c: &Constants) -> Table {
    let mut header = vec![
        "CPUs (us of a grace period that waits for no reader)".to_owned(),
        "urcu, any number of threads".to_owned(),
        "of it scans".to_owned(),
    ];
    header.extend(THREADS.map(|threads| format!("liburcu-memb, threads: {threads}")));
    let mut table = Table::new(&header);
    for cpus in CPUS {
        let n = cpus as f64;
        let mut row = vec![
            cpus.to_string(),
            range(c.ours(n, n, LOW), c.ours(n, n, HIGH), 1e3),
            range(c.scans(n, n, LOW), c.scans(n, n, HIGH), 1e3),
        ];
        row.extend(THREADS.map(|threads| {
            let threads = threads as f64;
            let running = n.min(threads);
            range(
                c.memb(running, threads, LOW),
                c.memb(running, threads, HIGH),
                1e3,
            )
        }));
        table.row(row);
    }
    table
}

/// Returns the gains of possible changes on 512 CPUs.
#[must_use]
pub fn changes(c: &Constants) -> Table {
    let mut table = Table::new(&[
        "CPUs of 512 that run the process (us of a grace period)",
        "as it is",
        "scan up to the highest index seen",
        "sums of 64 CPUs each, kept by readers",
    ]);
    let slots = 512.0;
    for used in [1.0, 4.0, 64.0, 512.0] {
        let of = |what: &dyn Fn(Assumption) -> f64| range(what(LOW), what(HIGH), 1e3);
        let without = |a: Assumption| c.ours(slots, used, a) - c.scans(slots, used, a);
        // The kernel may put a thread on any CPU, but indexes are low in a process that is bound to low CPUs.
        let bounded = |a: Assumption| without(a) + c.scans(used, used, a);
        // Eight lines, each changed by 64 CPUs with atomic operations: readers would pay for a transfer.
        let two_level = |a: Assumption| without(a) + SCANS * 8.0 * c.line * a.far;
        table.row([
            used.to_string(),
            of(&|a| c.ours(slots, used, a)),
            of(&bounded),
            of(&two_level),
        ]);
    }
    table
}

/// Returns the factors by which the bounded scan would shorten a grace period of a process on `running` of 512 CPUs:
/// under the assumptions by which it matters least and most.
#[must_use]
pub fn gain_of_bound(c: &Constants, used: f64) -> (f64, f64) {
    let gain = |a: Assumption| {
        let as_it_is = c.ours(512.0, used, a);
        as_it_is / (as_it_is - c.scans(512.0, used, a) + c.scans(used, used, a))
    };
    let (low, high) = (gain(LOW), gain(HIGH));
    (low.min(high), low.max(high))
}

/// Returns the cost of a two-level sum for a reader, as a multiple of the present cost of a section.
#[must_use]
pub fn cost_of_two_levels(c: &Constants) -> f64 {
    2.0 * c.line / c.sections[0]
}

#[cfg(test)]
mod tests {
    use super::{Constants, HIGH, LOW, changes, gain_of_bound, grace_periods, interpolate, reads};

    fn made_up() -> Constants {
        Constants {
            sections: [1.0, 0.8, 6.0, 9.0],
            barrier: 200.0,
            interrupt: 1000.0,
            line: 50.0,
            rest: 100.0,
            rest_memb: 100.0,
            thread: 5.0,
            untouched: vec![(2.0, 1.0), (512.0, 5.0)],
            here: vec![(2.0, 1.5), (512.0, 5.0)],
            written: vec![(2.0, 2.0), (512.0, 20.0)],
        }
    }

    #[test]
    fn what_is_measured_comes_out_again() {
        let c = made_up();
        // Two CPUs, of which the other does not run the process: a barrier, two scans of two slots, and the rest.
        assert_eq!(c.ours(2.0, 1.0, LOW), 100.0 + 200.0 + 2.0 + 1.5 + 2.0 * 1.0);
        assert_eq!(c.barrier_of(2.0, HIGH), 1200.0);
        assert_eq!(c.barrier_of(3.0, HIGH), 1700.0);
        assert_eq!(c.memb(1.0, 10.0, LOW), 100.0 + 400.0 + 50.0);
    }

    #[test]
    fn threads_cost_only_designs_that_know_them() {
        let c = made_up();
        let table = grace_periods(&c);
        assert_eq!(table.rows().len(), 7);
        assert!(c.memb(8.0, 100_000.0, LOW) > 100.0 * c.ours(8.0, 8.0, LOW));
        assert_eq!(reads(&c).rows().len(), 7);
        assert_eq!(changes(&c).rows().len(), 5);
        let (least, most) = gain_of_bound(&c, 1.0);
        assert!(1.0 < least && least <= most);
    }

    #[test]
    fn between_points_lies_what_is_between_them() {
        let points = [(2.0, 1.0), (8.0, 3.0)];
        assert_eq!(interpolate(&points, 1.0), Some(1.0));
        assert_eq!(interpolate(&points, 4.0), Some(2.0));
        assert_eq!(interpolate(&points, 512.0), Some(3.0));
        assert_eq!(interpolate(&[], 1.0), None);
    }
}
