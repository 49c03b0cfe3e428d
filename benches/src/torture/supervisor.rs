//! The parent: starts a process for each scenario, follows what it tells, and notices if it crashes
//! or hangs.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::engine::{Run, Settings};
use super::environment::Environment;
use super::report::{Counts, Message, Outcome};
use super::{Scenario, scenarios, system};

/// The option by which a process gets its task.
pub const OPTION: &str = "--child";

/// What a process does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    scenario: String,
    settings: Settings,
}

/// Does a task, in a process of its own. True if there was no error.
///
/// # Errors
/// If it is none.
pub fn perform(task: &str) -> Result<bool, String> {
    let task: Task = serde_json::from_str(task).map_err(|error| error.to_string())?;
    let scenario =
        scenarios::named(&task.scenario).ok_or_else(|| format!("no scenario {}", task.scenario))?;
    let outcome = match scenario.environment.verify() {
        Ok(()) => Run::perform(scenario, task.settings),
        Err(difference) => {
            let mut outcome = Outcome {
                scenario: scenario.name.to_owned(),
                ..Outcome::default()
            };
            outcome.fail(difference);
            outcome
        }
    };
    let good = outcome.errors == 0;
    Message::Done(outcome).send();
    Ok(good)
}

/// By which the user ends the program.
const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

const BY_USER: &str = "interrupted";

/// Set when the user wants an end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_: libc::c_int) {
    INTERRUPTED.store(true, SeqCst);
}

/// Interrupts end the program after what a scenario changed was put back.
pub fn catch_interrupts() {
    for signal in SIGNALS {
        system::install(signal, interrupt);
    }
}

/// Whether the user wants an end.
pub fn interrupted() -> bool {
    INTERRUPTED.load(SeqCst)
}

/// Runs a scenario in a process of its own. `progress` gets what was counted so far.
///
/// # Panics
/// Never: a task is numbers and text.
pub fn run(
    scenario: &'static Scenario,
    settings: &Settings,
    mut progress: impl FnMut(&Counts),
) -> Outcome {
    if let Err(missing) = scenario.needs.iter().try_for_each(|need| need.check()) {
        return Outcome::skipped(scenario.name, missing);
    }
    let task = Task {
        scenario: scenario.name.to_owned(),
        settings: settings.clone(),
    };
    // Not its path: another build may have taken its place meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0_torture()
        .arg(OPTION)
        .arg(serde_json::to_string(&task).expect("numbers and text"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Err(reason) = scenario.environment.arrange(&mut command) {
        return Outcome::skipped(scenario.name, reason);
    }
    let put_back = (scenario.remember)();
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let what = format!("cannot start its process: {error}");
            let mut outcome = Outcome::skipped(scenario.name, what.clone());
            // A filter may be impossible here; all else is an error.
            if scenario.environment == Environment::Usual {
                outcome.skipped = None;
                outcome.fail(what);
            }
            return outcome;
        }
    };
    let outcome = follow(child, scenario, settings, &mut progress);
    put_back();
    outcome
}

/// Names the process after the program.
trait Named {
    fn arg0_torture(&mut self) -> &mut Self;
}

impl Named for Command {
    fn arg0_torture(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, "rcu-torture")
    }
}

fn follow(
    mut child: Child,
    scenario: &Scenario,
    settings: &Settings,
    progress: &mut impl FnMut(&Counts),
) -> Outcome {
    let start = Instant::now();
    // Its own monitor gives up long before.
    let limit = Duration::from_secs_f64(settings.seconds) + settings.patience() * 3;
    let output = child.stdout.take().expect("a pipe");
    let mut errors = child.stderr.take().expect("a pipe");
    let (sender, messages) = mpsc::channel();
    let reader = thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Ok(message) = serde_json::from_str(&line)
                && sender.send(message).is_err()
            {
                break;
            }
        }
    });
    let error_reader = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut last = Counts::default();
    let mut peak = 0;
    let mut done = None;
    let mut killed = None;
    loop {
        match messages.recv_timeout(Duration::from_millis(50)) {
            Ok(Message::Tick(counts)) => {
                peak = peak.max(counts.memory);
                progress(&counts);
                last = counts;
            }
            Ok(Message::Done(outcome)) => {
                done = Some(outcome);
                // What it forked may have its pipe still: do not wait for that to close.
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if interrupted() {
            killed = Some(BY_USER);
        } else if start.elapsed() > limit {
            killed = Some("its process hangs");
        }
        if killed.is_some() {
            break;
        }
    }
    let status = end(&mut child, killed.is_some());
    // They end with the pipes; a process that was left behind may keep those.
    let end = Instant::now() + Duration::from_secs(5);
    while !(reader.is_finished() && error_reader.is_finished()) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let text = if error_reader.is_finished() {
        error_reader.join().unwrap_or_default()
    } else {
        "a process was left behind".to_owned()
    };
    let silent = done.is_none();
    let mut outcome = done.unwrap_or_else(|| Outcome {
        scenario: scenario.name.to_owned(),
        seconds: start.elapsed().as_secs_f64(),
        counts: last,
        ..Outcome::default()
    });
    outcome.counts.memory = outcome.counts.memory.max(peak);
    // The terminal interrupts the process, too, which may have ended before it was killed.
    let by_terminal = interrupted() && status.signal().is_some_and(|one| SIGNALS.contains(&one));
    if killed == Some(BY_USER) || by_terminal {
        // No fault of the library's.
        outcome.notes.push(BY_USER.to_owned());
    } else if let Some(why) = killed {
        outcome.fail(why.to_owned());
    } else if !(status.success() || (status.code() == Some(1) && outcome.errors != 0)) {
        let how = match status.signal() {
            Some(signal) => format!("its process died of signal {signal}"),
            None => format!("its process failed: {status}"),
        };
        outcome.fail(how);
    } else if silent {
        outcome.fail("its process ended without a result".to_owned());
    }
    if !text.is_empty() {
        outcome
            .notes
            .push(format!("on standard error: {}", text.trim_end()));
    }
    outcome
}

/// The status of a process that has said its last, or is to be killed.
fn end(child: &mut Child, mut kill: bool) -> ExitStatus {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        if kill {
            let _ = child.kill();
        }
        match child.try_wait() {
            Ok(Some(status)) => return status,
            _ if Instant::now() > limit => kill = true,
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}
