//! Measures the library and its peers side by side in one process.

use std::env;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use urcu_benches::measure::Effort;
use urcu_benches::report::{self, Report};
use urcu_benches::results::{crowd, domains, memory, reclaim, sharing, updates};
use urcu_benches::sections::{self, Data};
use urcu_benches::{grace, memb, membarrier, plot, results, tasks};
use urcu_host::machine::Machine;

/// Compares read-side sections, grace periods and updates of urcu-percpu with its peers.
#[derive(Debug, Parser)]
#[command(name = "rcu-compare")]
struct Options {
    /// Measure for half a minute only; the figures are rougher
    #[arg(long)]
    quick: bool,
    /// Measure this part only; may be given several times
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// How long values are replaced while memory is measured: 6 times so long in all
    #[arg(long, value_name = "SECONDS")]
    memory_seconds: Option<f64>,
    /// Also write the figures to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write a page with plots into DIR, which is created if need be
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// A task for a process of its own
    #[arg(long, hide = true, value_name = "JSON")]
    child: Option<String>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Read-side sections
    Sections,
    /// `synchronize` by one caller
    Synchronize,
    /// `synchronize` by many callers
    Sharing,
    /// Many more readers than CPUs
    Crowd,
    /// Barriers that domains share, and their memory
    Domains,
    /// Replacing a value and retiring the old one
    Updates,
    /// The time from retiring to the drop
    Reclaim,
    /// Memory over time while values are replaced
    Memory,
}

/// The value that every section reads.
const VALUE: u64 = 42;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rcu-compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // What cannot be written is told now rather than after the measurement.
    if let Some(directory) = &options.report {
        fs::create_dir_all(directory).map_err(|error| cannot("create", directory, &error))?;
    }
    if let Some(file) = &options.json {
        let opened = OpenOptions::new().append(true).create(true).open(file);
        opened.map_err(|error| cannot("write", file, &error))?;
    }

    if let Some(task) = &options.child {
        return Ok(print(&tasks::perform(task)?)?);
    }
    let report = measure(options)?;
    print(&report.text())?;
    if let Some(file) = &options.json {
        let mut json = serde_json::to_string_pretty(&report)?;
        json.push('\n');
        fs::write(file, json).map_err(|error| cannot("write", file, &error))?;
    }
    if let Some(directory) = &options.report {
        plot::write(&report, directory)?;
        print(&format!(
            "\nreport: {}\n",
            directory.join("index.html").display()
        ))?;
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Report, Box<dyn Error>> {
    let mut effort = if options.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    if let Some(seconds) = options.memory_seconds {
        effort.memory_seconds = seconds;
    }
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let program = env::current_exe()?;
    let mut report = Report::new(Machine::probe(), effort);
    if !memb::AVAILABLE {
        report.skipped.push(report::SKIPPED.to_owned());
    }
    if !membarrier::available() {
        report
            .skipped
            .push("membarrier (the system has none)".to_owned());
    }

    // First, while this process has not made the machine's memory its own.
    if wanted(Part::Memory) {
        report.memory = memory::measure(&program, &effort)?;
    }
    if wanted(Part::Domains) {
        report.domain_memory = Some(domains::memory(&program, &effort)?);
    }

    // Among many more threads than CPUs, grace periods take long enough to be reported.
    urcu::stall::set_timeout(Duration::MAX);
    let data = Arc::new(Data::new(VALUE));
    let _registration = memb::register();
    let libraries = grace::libraries();
    if wanted(Part::Sections) {
        let sections = sections::all();
        let series = results::sections::measure(&sections, &data, VALUE, &effort);
        report.add_sections(&sections, &series);
    }
    if wanted(Part::Synchronize) {
        report.add_grace(&grace::measure(&grace::measured(), &data, &effort));
    }
    if wanted(Part::Sharing) {
        report.sharing = sharing::measure(&libraries, &effort);
        report.targets.extend(sharing::targets(&report.sharing));
    }
    if wanted(Part::Crowd) {
        report.crowd = crowd::measure(&libraries, &data, &effort);
        report.targets.extend(crowd::targets(&report.crowd));
    }
    if wanted(Part::Domains) {
        report.barriers = domains::barriers(&effort);
        let memory = report.domain_memory.as_ref();
        let targets = domains::targets(&report.barriers, memory);
        report.targets.extend(targets);
    }
    if wanted(Part::Updates) {
        report.updates = updates::measure(&updates::all(), &effort);
        report.targets.extend(updates::targets(&report.updates));
    }
    if wanted(Part::Reclaim) {
        report.reclaim = reclaim::measure(&effort);
    }
    report.targets.extend(memory::targets(&report.memory));
    Ok(report)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}
