//! The parent: runs the chosen scenarios one after the other, and prints their results.

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use urcu_host::machine::Machine;

use crate::breaks::{self, Break};
use crate::console::{Console, tell};
use crate::options::Options;
use crate::perform::Task;
use crate::progress::Bar;
use crate::rebuild::build_with_delays;
use crate::report::{Report, error_report};
use crate::scenario::{Need, Scenario};
use crate::settings::Settings;
use crate::{delays, scenarios, supervisor};

/// Runs the program. Its allocator must be [`urcu_host::poison::Poisoning`].
pub fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(format_args!("rcu-torture: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Returns true if there was no error.
fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    if let Some(task) = &options.child {
        let task: Task = serde_json::from_str(task)?;
        return Ok(task.perform()?);
    }
    let mut console = Console::default();
    if options.list {
        list(&mut console);
        let nobody_reads = console.is_left_alone();
        console
            .check()
            .or_else(|error| if nobody_reads { Ok(()) } else { Err(error) })?;
        return Ok(true);
    }
    if !(options.seconds > 0.0 && options.seconds < 1e6) {
        return Err("--seconds must be a number above 0 and below 1000000".into());
    }
    let control = options.control()?;
    let chosen = options.scenarios(control)?;
    supervisor::catch_interrupts();
    if !options.no_delays && !delays::BUILT {
        build_with_delays(&mut console);
    }
    if let Some(control) = control
        && control.delays
        && !delays::BUILT
    {
        return Err(format!(
            "the control {} needs a build with --cfg rseq_ops_delay_injection",
            control.name
        )
        .into());
    }
    if let Some(file) = &options.json {
        // A file that cannot be written is reported now rather than after the torture.
        let opened = fs::OpenOptions::new().append(true).create(true).open(file);
        opened.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let settings = options.settings(control);
    console.line(Machine::probe().line());
    console.line(format_args!(
        "seed {}, {} reader threads, {} s for each of {} scenarios, delays inside the sequences: {}",
        settings.seed,
        settings.threads,
        settings.seconds,
        chosen.len(),
        if settings.delays { "yes" } else { "no" },
    ));
    let report = torture(&chosen, settings, &mut console);
    conclude(options, &report, console)
}

fn torture(chosen: &[&'static Scenario], settings: Settings, console: &mut Console) -> Report {
    let mut outcomes = Vec::new();
    for (number, scenario) in chosen.iter().enumerate() {
        if supervisor::interrupted() || console.is_left_alone() {
            break;
        }
        let length = Duration::from_secs_f64(settings.seconds);
        let mut bar = Bar::new(scenario.name, (number + 1, chosen.len()), length);
        let outcome = supervisor::run(scenario, &settings, |counts| bar.show(counts));
        bar.clear();
        // Reported first, so that nothing that goes wrong later can hide it.
        if !outcome.faults.is_empty() {
            tell(error_report(&outcome, &settings).trim_end());
        }
        console.line(outcome.line());
        let beside = |what: &str| format!("{:<18} {what}", "");
        for fault in outcome.faults.first() {
            console.line(beside(&format!("fault: {fault}")));
        }
        for note in &outcome.notes {
            console.line(beside(note));
        }
        if let Some(control) = settings.broken.map(Break::control)
            && outcome.faults.is_empty()
            && !settings.placebo
        {
            console.line(beside(&format!(
                "the control {} was not noticed",
                control.name
            )));
        }
        outcomes.push(outcome);
    }
    Report::new(settings, outcomes)
}

/// Writes the results. Returns true if there was no error.
fn conclude(
    options: &Options,
    report: &Report,
    mut console: Console,
) -> Result<bool, Box<dyn Error>> {
    let asked_for = (!options.scenario.is_empty()).then(|| options.scenario.join(","));
    let asked_for = asked_for.or_else(|| {
        let control = report.settings.broken?.control();
        Some(control.scenario.to_owned())
    });
    let written = options.json.as_ref().map_or(Ok(()), |file| {
        let mut json = serde_json::to_string_pretty(report)?;
        json.push('\n');
        fs::write(file, json)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok::<(), Box<dyn Error>>(())
    });
    let closing = report.closing_line(asked_for.as_deref());
    console.line(&closing);
    let printed = console.check();
    if printed.is_err() {
        tell(&closing);
    }
    let all = written.and(printed.map_err(Box::from));
    if report.errors() != 0 {
        // The status is that of an error, whatever else went wrong.
        if let Err(error) = all {
            tell(format_args!("rcu-torture: {error}"));
        }
        return Ok(false);
    }
    all?;
    if supervisor::interrupted() {
        return Err("interrupted".into());
    }
    Ok(true)
}

fn list(console: &mut Console) {
    console.line("scenarios:");
    for scenario in scenarios::ALL {
        let needs: Vec<_> = scenario.needs.iter().copied().map(Need::name).collect();
        let needs = if needs.is_empty() {
            String::new()
        } else {
            format!(" (needs {})", needs.join(", "))
        };
        console.line(format_args!(
            "  {:<18} {}{needs}",
            scenario.name, scenario.about
        ));
    }
    console.line("controls (--break), which must be detected:");
    for control in breaks::ALL {
        console.line(format_args!(
            "  {:<26} {} (scenario {}{})",
            control.name,
            control.about,
            control.scenario,
            if control.delays { ", needs delays" } else { "" }
        ));
    }
}
