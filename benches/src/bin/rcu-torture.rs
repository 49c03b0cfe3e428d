//! Tortures the library: see `--help`, and the module `torture` of this package.

#[cfg(target_os = "linux")]
mod program {
    use std::env;
    use std::error::Error;
    use std::fs;
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;
    use std::process::{Command, ExitCode, Stdio};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use clap::Parser;
    use urcu_benches::torture::breaks::{self, Break};
    use urcu_benches::torture::console::{Console, tell};
    use urcu_benches::torture::perform::Task;
    use urcu_benches::torture::progress::Bar;
    use urcu_benches::torture::report::{Report, error_report};
    use urcu_benches::torture::scenario::{Need, Scenario};
    use urcu_benches::torture::settings::Settings;
    use urcu_benches::torture::{delays, scenarios, supervisor};
    use urcu_host::affinity;
    use urcu_host::machine::Machine;
    use urcu_host::poison::Poisoning;

    #[global_allocator]
    static ALLOCATOR: Poisoning = Poisoning;

    /// Injects every fault that urcu-percpu claims to survive, and verifies what readers see.
    ///
    /// Each scenario runs in a process of its own, one after the other, for the time that --seconds
    /// says. As root it also takes CPUs off line, makes a cpuset and uses real-time priorities; all of
    /// that is put back. (Other cpusets of cgroup v1 lose a CPU for good that was off line: that is
    /// the kernel's way.) Each error is reported on standard error, with the seed and all that its
    /// process printed, when its scenario ends. Exits with status 1 if there was an error, 2 if it
    /// could not run, was interrupted, or could not write its results.
    #[derive(Debug, Parser)]
    #[command(name = "rcu-torture")]
    struct Options {
        /// How long each scenario runs
        #[arg(long, default_value_t = 3.0, value_name = "N")]
        seconds: f64,
        /// Run this scenario only; may be given several times. Default: all, one after the other
        #[arg(long, value_name = "NAME")]
        scenario: Vec<String>,
        /// List the scenarios and the controls
        #[arg(long)]
        list: bool,
        /// Of all random decisions; without it, another one each time, which is printed
        #[arg(long)]
        seed: Option<u64>,
        /// Also write the results to FILE, as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// A control: something is wrong on purpose, and must be noticed. Stops at the first error
        #[arg(long = "break", value_name = "NAME")]
        broken: Option<String>,
        /// With --break: everything as there, but nothing is wrong. Must find no error
        #[arg(long, requires = "broken")]
        placebo: bool,
        /// Reader threads, where a scenario does not need so many [default: the CPUs]
        #[arg(long, value_name = "N")]
        threads: Option<usize>,
        /// How long nothing may end before that is an error [default: 20, or 5 with --break]
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
        patience: Option<u64>,
        /// Use no delays inside the sequences, and do not build what they need
        #[arg(long)]
        no_delays: bool,
        /// A task for a process of its own
        #[arg(long, hide = true, value_name = "JSON")]
        child: Option<String>,
    }

    pub(super) fn main() -> ExitCode {
        match run(&Options::parse()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                tell(format_args!("rcu-torture: {error}"));
                ExitCode::from(2)
            }
        }
    }

    /// True if there was no error.
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
            return Err("--seconds takes a number above 0".into());
        }
        let control = match &options.broken {
            Some(name) => Some(breaks::named(name).ok_or(format!(
                "no control is called {name}: see rcu-torture --list"
            ))?),
            None => None,
        };
        let chosen = choose(options, control)?;
        supervisor::catch_interrupts();
        if !options.no_delays && !delays::BUILT {
            build_with_delays(&mut console);
        }
        if let Some(control) = control
            && control.delays
            && !delays::BUILT
        {
            return Err(format!(
                "the control {} is built with the feature delay-injection alone",
                control.name
            )
            .into());
        }
        if let Some(file) = &options.json {
            // What cannot be written is told now rather than after the torture.
            let opened = fs::OpenOptions::new().append(true).create(true).open(file);
            opened.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        let clock = SystemTime::now().duration_since(UNIX_EPOCH);
        let settings = Settings {
            seconds: options.seconds,
            seed: options
                .seed
                .unwrap_or(clock.map_or(1, |time| time.as_nanos() as u64 % 1_000_000_000)),
            threads: options.threads.unwrap_or(affinity::cpus().len()).max(1),
            broken: control.map(|control| control.is),
            placebo: options.placebo,
            delays: delays::BUILT && !options.no_delays,
            patience: options.patience.unwrap_or(match control {
                Some(_) => 5,
                None => 20,
            }),
        };
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
            // First of all, and whatever becomes of the rest.
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
                console.line(beside(&format!("{} was not noticed", control.name)));
            }
            outcomes.push(outcome);
        }
        Report::new(settings, outcomes)
    }

    /// Writes the results. True if there was no error.
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
            // Whatever else went wrong: the status is that of an error.
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

    fn choose(
        options: &Options,
        control: Option<&breaks::Control>,
    ) -> Result<Vec<&'static Scenario>, String> {
        let named = |name: &str| {
            scenarios::named(name)
                .ok_or_else(|| format!("no scenario is called {name}: see rcu-torture --list"))
        };
        match control {
            _ if !options.scenario.is_empty() => {
                options.scenario.iter().map(|name| named(name)).collect()
            }
            Some(control) => Ok(vec![named(control.scenario)?]),
            None => Ok(scenarios::ALL.iter().collect()),
        }
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
        console.line("controls (--break), which must fail:");
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

    /// If cargo has started this, has it build and start the same with delays, and does not return
    /// unless that is impossible, or not wanted any more.
    fn build_with_delays(console: &mut Console) {
        let Some(cargo) = env::var_os("CARGO") else {
            console.line("built without delays inside the sequences: what needs them is skipped");
            return;
        };
        console.line("building again with --features delay-injection (--no-delays: do not)");
        let cargo_with = |what: &str| {
            let mut command = Command::new(&cargo);
            command.args([
                what,
                "--quiet",
                "-p",
                "urcu-benches",
                "--bin",
                "rcu-torture",
            ]);
            command.args(["--features", "delay-injection"]);
            if let Some(folder) = env::var_os("CARGO_MANIFEST_DIR") {
                command
                    .arg("--manifest-path")
                    .arg(PathBuf::from(folder).join("Cargo.toml"));
            }
            if cfg!(not(debug_assertions)) {
                command.arg("--release");
            }
            command
        };
        let built = cargo_with("build").stdout(Stdio::null()).status();
        if supervisor::interrupted() {
            return;
        }
        if built.is_ok_and(|status| status.success()) {
            let error = cargo_with("run")
                .arg("--")
                .args(env::args_os().skip(1))
                .exec();
            tell(format_args!("rcu-torture: {error}"));
        }
        console.line("that was not possible: what needs delays is skipped");
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("all scenarios are of Linux");
    println!("rcu-torture: scenario=all reads=0 grace_periods=0 errors=0");
}
