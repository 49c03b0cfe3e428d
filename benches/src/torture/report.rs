//! What a run tells, and what the program prints of it.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use urcu::Stats;

use super::engine::Settings;
use super::faults::Faults;
use crate::machine::Machine;

/// Counters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Verified reads.
    pub reads: u64,
    /// Versions that were reclaimed after a grace period.
    pub updates: u64,
    /// Grace periods.
    pub grace_periods: u64,
    /// Sequences that were aborted, as far as the library noticed.
    pub aborts: u64,
    /// Sections that began with atomics although the process has sequences.
    pub fallbacks: u64,
    /// Resident memory, in bytes; the most, in a result.
    pub memory: u64,
}

impl Counts {
    /// One more domain.
    pub fn add(&mut self, stats: &Stats) {
        self.grace_periods += stats.grace_periods;
        self.aborts += stats.aborts;
        self.fallbacks += stats.fallback_reads;
    }
}

/// What a process that runs a scenario tells its parent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// How far it is.
    Tick(Counts),
    /// What is wrong, when it is noticed: whatever becomes of the process afterwards.
    Fault(String),
    /// That it is done, and all of its faults.
    Done(Outcome),
}

/// What became of a scenario.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub scenario: String,
    /// How long it took.
    pub seconds: f64,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// Threads that ran at the same time.
    pub threads: u32,
    /// What was wrong.
    #[serde(flatten)]
    pub faults: Faults,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Why the scenario was not run.
    pub skipped: Option<String>,
}

impl Outcome {
    /// Of a scenario that was not run.
    pub fn skipped(scenario: &str, reason: String) -> Self {
        Outcome {
            scenario: scenario.to_owned(),
            skipped: Some(reason),
            ..Outcome::default()
        }
    }

    /// How many faults there were.
    pub fn errors(&self) -> u64 {
        self.faults.count()
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        if let Some(reason) = &self.skipped
            && self.faults.is_empty()
        {
            return format!("{:<18} skipped: {reason}", self.scenario);
        }
        let Counts {
            reads,
            grace_periods,
            aborts,
            fallbacks,
            memory,
            ..
        } = self.counts;
        format!(
            "{:<18} {:>8} reads {:>8} grace periods {:>6.1} s {:>7} aborts {:>7} fallbacks {:>4} MiB  {}",
            self.scenario,
            short(reads),
            short(grace_periods),
            self.seconds,
            short(aborts),
            short(fallbacks),
            memory >> 20,
            match self.errors() {
                0 => "ok".to_owned(),
                errors => format!("{errors} ERRORS"),
            }
        )
    }

    /// The report of its errors: all that is needed to look for them.
    pub fn error_report(&self, settings: &Settings) -> String {
        let mut text = String::new();
        let Settings { seed, threads, .. } = settings;
        let mut more = String::new();
        if let Some(which) = settings.broken {
            more += &format!(" --break {}", which.control().name);
        }
        if settings.placebo {
            more += " --placebo";
        }
        if super::delays::BUILT && !settings.delays {
            more += " --no-delays";
        }
        let _ = writeln!(text, "error report");
        let _ = writeln!(text, "  scenario  {}", self.scenario);
        if let Some(which) = settings.broken {
            let control = which.control();
            let _ = writeln!(text, "  broken    {}: {}", control.name, control.about);
        }
        let _ = writeln!(
            text,
            "  again     --scenario {} --seed {seed} --threads {threads} --seconds {}{more}",
            self.scenario, settings.seconds
        );
        let _ = writeln!(
            text,
            "  threads   {} in {:.3} s",
            self.threads, self.seconds
        );
        let _ = writeln!(text, "  counters  {:?}", self.counts);
        let mut lines = |what: &str, all: &[String]| {
            for line in all.iter().flat_map(|one| one.lines()) {
                let _ = writeln!(text, "  {what:<9} {line}");
            }
        };
        lines("fault", self.faults.first());
        lines("note", &self.notes);
        lines("skipped", self.skipped.as_slice());
        let _ = writeln!(text, "  errors    {}", self.errors());
        text
    }
}

/// A number in four characters or so.
pub fn short(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["", "k", "M", "G"] {
        if value < 999.5 {
            return if unit.is_empty() {
                format!("{number}")
            } else {
                let digits = usize::from(value < 99.95);
                format!("{value:.digits$}{unit}")
            };
        }
        value /= 1000.0;
    }
    format!("{value:.1}T")
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// What it was told.
    pub settings: Settings,
    /// Whether delays could be injected.
    pub delays_built_in: bool,
    /// By scenario.
    pub scenarios: Vec<Outcome>,
    /// Sums of these.
    pub total: Counts,
    /// Likewise. Each has its text in its scenario's.
    errors: u64,
}

impl Report {
    /// The sums of what the scenarios did.
    pub fn new(settings: Settings, scenarios: Vec<Outcome>) -> Self {
        let mut total = Counts::default();
        for Outcome { counts, .. } in &scenarios {
            total.reads += counts.reads;
            total.updates += counts.updates;
            total.grace_periods += counts.grace_periods;
            total.aborts += counts.aborts;
            total.fallbacks += counts.fallbacks;
            total.memory = total.memory.max(counts.memory);
        }
        Report {
            machine: Machine::probe(),
            settings,
            delays_built_in: super::delays::BUILT,
            errors: scenarios.iter().map(Outcome::errors).sum(),
            scenarios,
            total,
        }
    }

    /// How many faults there were in all.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// The last line of the program.
    pub fn closing_line(&self, asked_for: Option<&str>) -> String {
        format!(
            "rcu-torture: scenario={} reads={} grace_periods={} errors={}",
            asked_for.unwrap_or("all"),
            self.total.reads,
            self.total.grace_periods,
            self.errors
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0, 999, 1000, 12_345, 999_499, 2_500_000, 30_000_000_000].map(short);
        assert_eq!(
            shown,
            ["0", "999", "1.0k", "12.3k", "999k", "2.5M", "30.0G"]
        );
    }

    #[test]
    fn sums_and_the_closing_line_have_all_scenarios() {
        let settings = Settings {
            seconds: 1.0,
            seed: 7,
            threads: 2,
            broken: None,
            placebo: false,
            delays: false,
            patience: 20,
        };
        let mut one = Outcome {
            scenario: "one".into(),
            ..Outcome::default()
        };
        one.counts.reads = 5;
        one.counts.grace_periods = 2;
        let mut two = one.clone();
        two.faults.add("a fault");
        let report = Report::new(settings.clone(), vec![one, two]);
        assert_eq!(
            report.closing_line(None),
            "rcu-torture: scenario=all reads=10 grace_periods=4 errors=1"
        );
        let text = report.scenarios[1].error_report(&settings);
        assert!(
            text.contains("--seed 7") && text.contains("a fault"),
            "{text}"
        );
        let broken = Some(super::super::breaks::Break::ReadsOn);
        let text = report.scenarios[1].error_report(&Settings { broken, ..settings });
        assert!(text.contains("--break reads-on"), "{text}");
    }

    #[test]
    fn a_scenario_with_errors_is_not_shown_as_skipped() {
        let mut outcome = Outcome::skipped("one", "no filter".into());
        assert!(outcome.line().ends_with("skipped: no filter"));
        outcome.faults.add("a fault before that");
        assert!(outcome.line().ends_with("1 ERRORS"));
        let settings = Settings {
            seconds: 1.0,
            seed: 7,
            threads: 2,
            broken: None,
            placebo: false,
            delays: false,
            patience: 20,
        };
        let text = outcome.error_report(&settings);
        assert!(
            text.contains("a fault before") && text.contains("no filter"),
            "{text}"
        );
    }

    #[test]
    fn results_name_their_errors_and_faults_as_ever() {
        let mut outcome = Outcome::default();
        outcome.faults.add("a fault");
        let json = serde_json::to_value(&outcome).unwrap();
        assert_eq!(json["errors"], 1);
        assert_eq!(json["faults"][0], "a fault");
        let again: Outcome = serde_json::from_value(json).unwrap();
        assert_eq!(again.faults, outcome.faults);
    }
}
