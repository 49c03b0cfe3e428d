//! Reports: of a scenario's errors, and of the whole run.

use std::fmt::Write;

use serde::Serialize;
use urcu_host::machine::Machine;

use crate::counts::Counts;
use crate::delays::BUILT;
use crate::outcome::Outcome;
use crate::settings::Settings;

/// Returns the report of an outcome's errors, with all that is needed to reproduce them.
pub fn error_report(outcome: &Outcome, settings: &Settings) -> String {
    let mut text = String::new();
    let Settings { seed, threads, .. } = settings;
    let mut more = String::new();
    if let Some(which) = settings.broken {
        more += &format!(" --break {}", which.control().name);
    }
    if settings.placebo {
        more += " --placebo";
    }
    if BUILT && !settings.delays {
        more += " --no-delays";
    }
    let _ = writeln!(text, "error report");
    let _ = writeln!(text, "  scenario  {}", outcome.scenario);
    if let Some(which) = settings.broken {
        let control = which.control();
        let _ = writeln!(text, "  broken    {}: {}", control.name, control.about);
    }
    let _ = writeln!(
        text,
        "  again     --scenario {} --seed {seed} --threads {threads} --seconds {}{more}",
        outcome.scenario, settings.seconds
    );
    let _ = writeln!(
        text,
        "  threads   {} in {:.3} s",
        outcome.threads, outcome.seconds
    );
    let _ = writeln!(text, "  counters  {:?}", outcome.counts);
    let mut lines = |what: &str, all: &[String]| {
        for line in all.iter().flat_map(|one| one.lines()) {
            let _ = writeln!(text, "  {what:<9} {line}");
        }
    };
    lines("fault", outcome.faults.first());
    lines("note", &outcome.notes);
    lines("skipped", outcome.skipped.as_slice());
    let _ = writeln!(text, "  errors    {}", outcome.errors());
    text
}

/// The results of all scenarios.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine on which it ran.
    pub machine: Machine,
    /// The settings of the run.
    pub settings: Settings,
    /// True if delays could be injected.
    pub delays_built_in: bool,
    /// The outcome of each scenario.
    pub scenarios: Vec<Outcome>,
    /// The sums of their counts.
    pub total: Counts,
    /// The number of all faults. Their texts are in the outcomes.
    errors: u64,
}

impl Report {
    /// Returns the report of these outcomes.
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
            delays_built_in: BUILT,
            errors: scenarios.iter().map(Outcome::errors).sum(),
            scenarios,
            total,
        }
    }

    /// Returns the number of all faults.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Returns the last line of the program.
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
    fn sums_and_the_closing_line_have_all_scenarios() {
        let settings = Settings::TEST;
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
        let text = error_report(&report.scenarios[1], &settings);
        assert!(
            text.contains("--seed 7") && text.contains("a fault"),
            "{text}"
        );
        let broken = Some(crate::breaks::Break::ReadsOn);
        let text = error_report(&report.scenarios[1], &Settings { broken, ..settings });
        assert!(text.contains("--break reads-on"), "{text}");
    }

    #[test]
    fn a_scenario_with_errors_is_not_shown_as_skipped() {
        let mut outcome = Outcome::skipped("one", "no filter".into());
        assert!(outcome.line().ends_with("skipped: no filter"));
        outcome.faults.add("a fault before that");
        assert!(outcome.line().ends_with("1 ERRORS"));
        let settings = Settings::TEST;
        let text = error_report(&outcome, &settings);
        assert!(
            text.contains("a fault before") && text.contains("no filter"),
            "{text}"
        );
    }
}
