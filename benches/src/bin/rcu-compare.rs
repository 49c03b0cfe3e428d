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
use indicatif::{ProgressBar, ProgressStyle};
use urcu_benches::grace::{self, Data};
use urcu_benches::measure::Effort;
use urcu_benches::report::{self, Report};
use urcu_benches::results::{
    constants, crowd, domains, hash_map, idle, memory, mixed, ordered_map, queues, read_side,
    reclaim, reload, scaling, sharing, updates,
};
use urcu_benches::run::Run;
use urcu_benches::{memb, membarrier, page, subjects, tasks};
use urcu_host::machine::Machine;

/// Compares read-side sections, grace periods and updates of urcu-percpu with its peers.
#[derive(Debug, Parser)]
#[command(name = "rcu-compare")]
struct Options {
    /// Measure for about two minutes only, with rougher figures
    #[arg(long)]
    quick: bool,
    /// Run only this benchmark; may be given several times
    #[arg(long, value_enum, value_name = "BENCH")]
    only: Vec<Bench>,
    /// Seconds for which each of the ten memory measurements replaces values
    #[arg(long, value_name = "SECONDS")]
    memory_seconds: Option<f64>,
    /// Also write the figures to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write a page with plots into DIR, which is created if it does not exist
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Also compare with the figures that an earlier run wrote to FILE
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Measure nothing; show the run that was written to FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "only", "memory_seconds", "json"])]
    from: Option<PathBuf>,
    /// The task of a child process
    #[arg(long, hide = true, value_name = "JSON")]
    child: Option<String>,
}

/// The groups of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Bench {
    /// A read-side section, by one thread
    ReadSide,
    /// Reads mixed with updates, in sections of some length
    Mixed,
    /// `synchronize`: by one caller, by many callers, and among many readers
    GracePeriod,
    /// Replacing a value and retiring the old one: time, latency, memory
    Retire,
    /// Replacing a large value again and again while it is read
    Reload,
    /// Barriers that domains share, and the memory that domains take
    Domains,
    /// Hash maps: lookups, changes, growth, memory
    HashMap,
    /// Ordered maps: lookups, ranges, changes, memory
    OrderedMap,
    /// Queues, by one thread and between threads
    Queues,
    /// The constants of the model of scale
    Scale,
    /// A read-side section by 1 to 256 threads. Runs last, because some libraries keep a record of
    /// each thread that ever read, and their writers scan all of them from then on
    ReadScaling,
}

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
    // Errors in writing are reported now rather than after the measurement.
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
    let before = match &options.compare {
        Some(file) => earlier(file)?.results,
        None => Vec::new(),
    };
    let mut run = match &options.from {
        Some(file) => earlier(file)?,
        None => measure(options)?.run(),
    };
    run.compare(&before);
    print(&run.text())?;
    if let Some(file) = &options.json {
        let mut json = run.json()?;
        json.push('\n');
        fs::write(file, json).map_err(|error| cannot("write", file, &error))?;
    }
    if let Some(directory) = &options.report {
        page::write(&run, directory)?;
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
    let benches: Vec<Bench> = match &*options.only {
        [] => Bench::value_variants().to_vec(),
        only => only.to_vec(),
    };
    let wanted = |bench| benches.contains(&bench);
    let program = env::current_exe()?;
    let mut report = Report::new(Machine::probe(), effort);
    if !memb::AVAILABLE {
        report.skipped.push(report::SKIPPED.to_owned());
    }
    if !membarrier::available() {
        report
            .skipped
            .push("membarrier (this system does not have it)".to_owned());
    }
    let mut progress = Progress::new(benches.len() + 1);

    // Memory first, while this process has not yet taken much of the machine's.
    progress.next("memory");
    if wanted(Bench::Retire) {
        report.memory = memory::measure(&program, &effort)?;
        report.targets.extend(memory::targets(&report.memory));
    }
    if wanted(Bench::Domains) {
        report.domain_memory = Some(domains::memory(&program, &effort)?);
    }

    // Among many more threads than CPUs, grace periods take long enough to be reported.
    urcu::stall::set_timeout(Duration::MAX);
    let kinds = subjects::all();
    for bench in benches {
        let name = bench.to_possible_value();
        progress.next(name.as_ref().map_or("", |name| name.get_name()));
        match bench {
            Bench::ReadSide => {
                // Registered, as a reader thread of a C program would be.
                let _registration = memb::register();
                let mut kinds = kinds.clone();
                kinds.extend(subjects::elsewhere::kinds());
                report.add_read_side(read_side::measure(&kinds, &effort));
            }
            Bench::ReadScaling => report.scaling = scaling::measure(&kinds, &effort),
            Bench::Mixed => report.mixed = mixed::measure(&kinds, &effort),
            Bench::GracePeriod => grace_periods(&mut report, &effort),
            Bench::Retire => {
                report.updates = updates::measure(&updates::all(), &effort);
                report.targets.extend(updates::targets(&report.updates));
                report.reclaim = reclaim::measure(&effort);
            }
            Bench::Reload => report.reload = reload::measure(&effort),
            Bench::HashMap => report.structures.extend(hash_map::measure(&effort)),
            Bench::OrderedMap => report.structures.extend(ordered_map::measure(&effort)),
            Bench::Queues => report.structures.extend(queues::measure(&effort)),
            Bench::Scale => report.constants = constants::measure(&effort),
            Bench::Domains => {
                report.barriers = domains::barriers(&effort);
                let memory = report.domain_memory.as_ref();
                let targets = domains::targets(&report.barriers, memory);
                report.targets.extend(targets);
            }
        }
    }
    Ok(report)
}

fn grace_periods(report: &mut Report, effort: &Effort) {
    let data = Arc::new(Data::new(42));
    let _registration = memb::register();
    let libraries = grace::libraries();
    report.add_grace(&grace::measure(&grace::measured(), &data, effort));
    let (idle, shortage) = idle::measure(&grace::measured(), &data, effort);
    report.idle = idle;
    report.skipped.extend(shortage);
    report.sharing = sharing::measure(&libraries, effort);
    report.targets.extend(sharing::targets(&report.sharing));
    report.crowd = crowd::measure(&libraries, &data, effort);
    report.targets.extend(crowd::targets(&report.crowd));
}

/// Reads an earlier run.
fn earlier(file: &Path) -> Result<Run, String> {
    let text = fs::read_to_string(file).map_err(|error| cannot("read", file, &error))?;
    Run::read(&text)
        .map_err(|error| format!("{} is not a run of rcu-compare: {error}", file.display()))
}

/// A progress line on a terminal: what is measured, and about how long it will take.
#[derive(Debug)]
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let style = "[{elapsed_precise}] {bar:30} {pos}/{len} {msg}, about {eta} left";
        bar.set_style(ProgressStyle::with_template(style).expect("a template that is known"));
        Self { bar }
    }

    /// Shows what is measured next. Nothing is drawn until the next call, so drawing disturbs no measurement.
    fn next(&mut self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.inc(1);
        self.bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// Prints to standard output. A closed pipe is not an error.
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
