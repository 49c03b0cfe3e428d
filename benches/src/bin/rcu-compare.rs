//! Measures the library and its peers side by side in one process.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use urcu_benches::machine::Machine;
use urcu_benches::measure::{self, Effort};
use urcu_benches::report::Report;
use urcu_benches::sections::{self, Data};
use urcu_benches::{grace, memb, plot};

/// Compares read-side sections and grace periods of urcu-percpu with its peers.
#[derive(Debug, Parser)]
#[command(name = "rcu-compare")]
struct Options {
    /// Measure for a second or two only; the figures are rougher
    #[arg(long)]
    quick: bool,
    /// Also write the figures to FILE, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write a page with plots into DIR, which is created if need be
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
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

    let effort = if options.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let data = Arc::new(Data::new(VALUE));
    let _registration = memb::register();
    let sections = sections::all();
    let series = measure::sections(&sections, &data, VALUE, &effort);
    let grace = grace::measure(&grace::libraries(), &data, &effort);
    let report = Report::new(Machine::probe(), effort, &sections, &series, &grace);

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
