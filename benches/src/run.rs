//! A run: all that was measured at one time on one machine, as it is kept in a file.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use urcu_host::machine::{Busy, Machine, cpu_time_with_children};

use crate::record::{self, Record};
use crate::table::Table;
use crate::target::Target;

/// Everything that was measured at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// The date at which it began, by UTC.
    pub date: String,
    /// The machine on which it was measured.
    pub machine: Machine,
    /// The load average when it began, for one minute.
    pub load: Option<f64>,
    /// The cost of reading the clock, in nanoseconds.
    pub clock_ns: f64,
    /// The duration of all measurements together, in seconds.
    pub seconds: f64,
    /// The effort that was spent on each thing.
    pub effort: Value,
    /// Measurements that were impossible, and why.
    pub skipped: Vec<String>,
    /// Conditions that make figures doubtful.
    pub warnings: Vec<String>,
    /// Every figure.
    pub results: Vec<Record>,
    /// The library's aims, met or not.
    pub targets: Vec<Target>,
    /// The figures as tables.
    pub tables: Vec<Part>,
    /// Figures over time.
    pub curves: Vec<Samples>,
}

/// A part of a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Its title.
    pub title: String,
    /// Its figures.
    pub table: Table,
}

/// A figure over time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Samples {
    /// The bench.
    pub bench: String,
    /// The subject.
    pub subject: String,
    /// The situation.
    pub situation: String,
    /// Seconds since the beginning, and what was measured then.
    pub points: Vec<(f64, f64)>,
}

impl Run {
    /// Reads a run that was written as JSON.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a run.
    pub fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// Returns the run as JSON, with a line for each figure.
    ///
    /// # Errors
    ///
    /// Fails if a value cannot be written as JSON, which none here is.
    pub fn json(&self) -> serde_json::Result<String> {
        // No string contains an unescaped quote.
        let json = serde_json::to_string(self)?;
        Ok(json
            .replace("{\"bench\":", "\n{\"bench\":")
            .replace("{\"title\":", "\n{\"title\":"))
    }

    /// Returns the machine on which it was measured, in a line.
    #[must_use]
    pub fn machine_line(&self) -> String {
        let load = self
            .load
            .map_or("unknown".to_owned(), |load| format!("{load:.1}"));
        format!(
            "{}; {}; load average {load}; reading the clock takes {:.0} ns",
            self.date,
            self.machine.line(),
            self.clock_ns
        )
    }

    /// Returns what was left out and what is doubtful, one remark in each line.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let skipped = self.skipped.iter().map(|text| format!("skipped: {text}"));
        let warnings = self.warnings.iter().map(|text| format!("warning: {text}"));
        skipped.chain(warnings).collect()
    }

    /// Adds a table of the figures beside those of an earlier run, if there are any of the same name.
    pub fn compare(&mut self, before: &[Record]) {
        let table = record::comparison(&self.results, before);
        if !table.is_empty() {
            let title = "Before and now".to_owned();
            self.tables.push(Part { title, table });
        }
    }

    /// Returns the figures of a bench.
    #[must_use]
    pub fn of_bench(&self, bench: &str) -> Vec<Record> {
        let records = self.results.iter().filter(|record| record.bench == bench);
        records.cloned().collect()
    }
}

/// The spread of the middle half of the rounds beyond which ratios say little.
const WIDE: f64 = 0.25;

/// Returns a warning for each bench with rounds that lie too far apart for ratios to mean much.
#[must_use]
pub fn wide(results: &[Record]) -> Vec<String> {
    let mut benches: Vec<&str> = results.iter().map(|record| &*record.bench).collect();
    benches.sort_unstable();
    benches.dedup();
    let warnings = benches.into_iter().filter_map(|bench| {
        let of_bench = || results.iter().filter(|record| record.bench == bench);
        let all = of_bench().filter(|record| record.spread.is_some()).count();
        let mut wide: Vec<&Record> = of_bench()
            .filter(|record| record.spread.is_some_and(|spread| spread > WIDE))
            .collect();
        wide.sort_by(|left, right| right.spread.unwrap_or(0.0).total_cmp(&left.spread.unwrap_or(0.0)));
        let worst = wide.first()?;
        Some(format!(
            "{bench}: the rounds of {} of {all} figures lie apart by more than {:.0} % of their median, so their \
             ratios mean little (the widest: {}, {}, {:.0} %)",
            wide.len(),
            WIDE * 100.0,
            worst.subject,
            worst.situation(),
            worst.spread.unwrap_or(0.0) * 100.0,
        ))
    });
    warnings.collect()
}

/// A watch on other users of the machine during a run.
#[derive(Debug)]
pub struct Neighbours {
    begin: Instant,
    busy: Option<Busy>,
    own: Duration,
    cpus: usize,
}

/// The part of the machine's time that others may use without a warning.
const BUSY: f64 = 0.03;

impl Neighbours {
    /// Begins to watch a machine of so many CPUs.
    #[must_use]
    pub fn watch(cpus: usize) -> Self {
        Self {
            begin: Instant::now(),
            busy: Busy::now(),
            own: cpu_time_with_children(),
            cpus,
        }
    }

    /// Returns how long it has been watched, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Returns warnings if others have used much of the machine's time since then.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let Some((before, after)) = self.busy.zip(Busy::now()) else {
            return Vec::new();
        };
        let own = (cpu_time_with_children() - self.own).as_secs_f64();
        let all = self.seconds() * self.cpus as f64;
        let shares = [
            ("other programs", after.seconds - before.seconds - own),
            (
                "the host of this virtual machine",
                after.stolen - before.stolen,
            ),
        ];
        let shares = shares
            .into_iter()
            .map(|(who, seconds)| (who, seconds / all));
        let busy = shares.filter(|(_, share)| *share > BUSY);
        let warnings = busy.map(|(who, share)| {
            format!(
                "{who} used {:.0} % of the CPUs' time: figures and ratios are doubtful",
                share * 100.0
            )
        });
        warnings.collect()
    }
}

/// Returns the present time in UTC: `2026-11-27 08:05`.
#[must_use]
pub fn date() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    civil(since.map_or(0, |since| since.as_secs()))
}

/// Returns a time of the Gregorian calendar.
fn civil(seconds: u64) -> String {
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + u64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute) = (rest / 3600, rest % 3600 / 60);
    format!(
        "{year}-{:02}-{:02} {hour:02}:{minute:02}",
        month + 1,
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::{civil, wide};
    use crate::record::Record;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), "1970-01-01 00:00");
        assert_eq!(civil(1_709_208_000), "2024-02-29 12:00");
        assert_eq!(civil(1_795_765_500), "2026-11-27 07:45");
        assert_eq!(civil(4_102_444_740), "2099-12-31 23:59");
    }

    #[test]
    fn a_wide_spread_is_warned_of_for_each_bench() {
        let close = Record::of("a", "s", "time", &[1.0, 1.0, 1.1], "ns");
        let far = Record::of("b", "t", "time", &[1.0, 2.0, 9.0], "ns");
        let warnings = wide(&[close, far]);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with("b: the rounds of 1 of 1"),
            "{warnings:?}"
        );
    }
}
