//! Follows a process that runs a scenario: its messages, its output and its end. The process may crash,
//! hang, say nothing, write nonsense or leave other processes behind. Each of these is an error of its
//! scenario, reported with all that is known.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use urcu_host::patience::Patience;

use crate::counts::Counts;
use crate::faults::Faults;
use crate::outcome::{Message, Outcome};

/// The signals by which the user ends the program.
pub(crate) const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

const BY_USER: &str = "interrupted";

/// The time between two looks at a process.
const LOOK: Duration = Duration::from_millis(50);

/// The limits of a process's time.
#[derive(Debug)]
pub(crate) struct Limits {
    /// For all of the process's work.
    pub(crate) all: Duration,
    /// For its end, after its result.
    pub(crate) end: Duration,
}

/// The output of a process, as much of it as is worth reading.
#[derive(Clone, Debug, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    const MOST: usize = 16 << 10;

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = Self::MOST - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(rest)]);
    }

    fn note(&self, place: &str, notes: &mut Vec<String>) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        if !text.trim().is_empty() {
            notes.push(format!("on {place}: {}", text.trim_end()));
        }
    }
}

/// The messages and the output of a process.
struct Heard {
    messages: Receiver<Message>,
    /// Lines on standard output that are no messages.
    nonsense: Printed,
    errors: Printed,
    readers: [thread::JoinHandle<()>; 2],
}

impl Heard {
    /// # Panics
    /// If the process has no pipes, or no thread can be started.
    fn of(child: &mut Child) -> Self {
        let output = child.stdout.take().expect("a pipe");
        let mut error_output = child.stderr.take().expect("a pipe");
        let (sender, messages) = mpsc::channel();
        let (nonsense, errors) = (Printed::default(), Printed::default());
        let (other, text) = (nonsense.clone(), errors.clone());
        let reader = thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output
                .read_until(b'\n', &mut line)
                .is_ok_and(|bytes| bytes != 0)
            {
                match serde_json::from_slice(&line) {
                    // Nobody listens any more: read on, so that the process does not hang.
                    Ok(message) => {
                        let _ = sender.send(message);
                    }
                    Err(_) => other.add(&line),
                }
                line.clear();
            }
        });
        let error_reader = thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(bytes @ 1..) = error_output.read(&mut some) {
                text.add(&some[..bytes]);
            }
        });
        Heard {
            messages,
            nonsense,
            errors,
            readers: [reader, error_reader],
        }
    }

    /// Waits until both pipes are closed. Returns false if they stay open: a process that was left behind
    /// may hold them.
    fn all(&self) -> bool {
        let mut patience = Patience::new(Duration::from_secs(5), LOOK);
        while !self.readers.iter().all(thread::JoinHandle::is_finished) {
            if patience.is_over() {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// Waits until the process ends, and kills it when it takes too long or the user interrupts.
/// `interrupted` says whether the user did; `progress` gets the counts so far.
pub(crate) fn follow(
    mut child: Child,
    scenario: &str,
    limits: &Limits,
    interrupted: fn() -> bool,
    progress: &mut dyn FnMut(&Counts),
) -> Outcome {
    let start = Instant::now();
    let heard = Heard::of(&mut child);
    let mut patience = Patience::new(limits.all, LOOK * 2);
    let mut last = Counts::default();
    let mut peak = 0;
    let mut told = Faults::default();
    let mut done = None;
    let mut killed = None;
    while killed.is_none() {
        match heard.messages.recv_timeout(LOOK) {
            Ok(Message::Tick(counts)) => {
                peak = peak.max(counts.memory);
                progress(&counts);
                last = counts;
            }
            Ok(Message::Fault(what)) => {
                told.add(what);
            }
            Ok(Message::Done(outcome)) => {
                done = Some(outcome);
                // A process that it forked may still hold the pipe: do not wait until it closes.
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if interrupted() {
            killed = Some(BY_USER);
        } else if patience.is_over() {
            killed = Some("its process hangs");
        }
    }
    let (status, stuck) = end(&mut child, killed.is_some(), limits.end);
    let all = heard.all();
    // The messages that were on their way when the process was killed.
    for message in heard.messages.try_iter() {
        match message {
            Message::Tick(counts) => last = counts,
            Message::Fault(what) => {
                told.add(what);
            }
            Message::Done(outcome) => {
                done.get_or_insert(outcome);
            }
        }
    }
    let silent = done.is_none();
    let mut outcome = done.unwrap_or_else(|| Outcome {
        scenario: scenario.to_owned(),
        seconds: start.elapsed().as_secs_f64(),
        counts: last,
        faults: told,
        ..Outcome::default()
    });
    outcome.counts.memory = outcome.counts.memory.max(peak);
    // The terminal interrupts the process, too, which may have ended before it was killed.
    let by_terminal = interrupted() && status.signal().is_some_and(|one| SIGNALS.contains(&one));
    if killed == Some(BY_USER) || by_terminal {
        // An interrupt is no fault of the library.
        outcome.notes.push(BY_USER.to_owned());
    } else if let Some(why) = killed {
        outcome.faults.add(why);
    } else if stuck {
        let when = if silent { "output" } else { "result" };
        let what = format!("its process did not end after its {when}, and was killed");
        outcome.faults.add(what);
    } else if !(status.success() || (status.code() == Some(1) && outcome.errors() != 0)) {
        outcome.faults.add(failure(status));
    } else if silent {
        outcome.faults.add("its process ended without a result");
    }
    if !all {
        outcome.notes.push("a process was left behind".to_owned());
    }
    heard.nonsense.note("standard output", &mut outcome.notes);
    heard.errors.note("standard error", &mut outcome.notes);
    outcome
}

fn failure(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("its process failed: {status}");
    };
    let name = match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL: out of memory?)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGSYS => " (SIGSYS)",
        libc::SIGTRAP => " (SIGTRAP)",
        _ => "",
    };
    format!("its process died of signal {signal}{name}")
}

/// Waits for the end of a process, or kills it. Returns its status, and true if it had to be killed
/// although `kill` was false.
fn end(child: &mut Child, kill: bool, limit: Duration) -> (ExitStatus, bool) {
    let mut patience = Patience::new(limit, LOOK);
    let mut stuck = false;
    loop {
        if kill || stuck {
            let _ = child.kill();
        }
        match child.try_wait() {
            Ok(Some(status)) => return (status, stuck),
            _ => thread::sleep(Duration::from_millis(1)),
        }
        stuck |= !kill && patience.is_over();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Returns the outcome of a shell script that runs in the place of a scenario.
    fn followed(script: &str, interrupted: fn() -> bool) -> Outcome {
        let child = Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let limits = Limits {
            all: Duration::from_millis(if script.contains("sleep") {
                300
            } else {
                60_000
            }),
            end: Duration::from_millis(if script.contains("sleep") {
                300
            } else {
                60_000
            }),
        };
        follow(child, "one", &limits, interrupted, &mut |_| ())
    }

    /// Returns the only fault of a script, and all of its notes.
    fn fault(script: &str) -> (String, String) {
        let outcome = followed(script, || false);
        assert_eq!(outcome.scenario, "one");
        assert_eq!(outcome.errors(), 1, "{outcome:?}");
        (outcome.faults.first()[0].clone(), outcome.notes.join("\n"))
    }

    /// Returns a shell command that sends this message.
    fn says(message: &Message) -> String {
        format!("echo '{}';", serde_json::to_string(message).unwrap())
    }

    fn done(faults: &[&str]) -> String {
        let mut outcome = Outcome {
            scenario: "one".into(),
            ..Outcome::default()
        };
        for fault in faults {
            outcome.faults.add(fault);
        }
        says(&Message::Done(outcome))
    }

    #[test]
    fn a_good_result_is_good() {
        let outcome = followed(&done(&[]), || false);
        assert!(outcome.faults.is_empty() && outcome.notes.is_empty());
    }

    #[test]
    fn a_process_that_dies_is_an_error_with_all_that_it_printed() {
        let script = "echo some words; printf '\\377\\n'; echo more >&2; kill -SEGV $$";
        let (fault, notes) = fault(script);
        assert_eq!(fault, "its process died of signal 11 (SIGSEGV)");
        assert!(notes.contains("on standard output: some words\n\u{fffd}"));
        assert!(notes.contains("on standard error: more"), "{notes}");
    }

    #[test]
    fn a_status_that_does_not_fit_the_result_is_an_error() {
        for (script, status) in [(done(&[]) + "exit 1", 1), ("exit 1".to_owned(), 1)] {
            let (fault, _) = fault(&script);
            assert_eq!(fault, format!("its process failed: exit status: {status}"));
        }
        let outcome = followed(&(done(&["a fault"]) + "exit 101"), || false);
        assert_eq!(outcome.errors(), 2);
        let outcome = followed(&(done(&["a fault"]) + "exit 1"), || false);
        assert_eq!(outcome.faults.first(), ["a fault"]);
    }

    #[test]
    fn a_process_that_says_nothing_is_an_error() {
        assert_eq!(fault("exit 0").0, "its process ended without a result");
        let closed = "exec >&- 2>&-; exit 0";
        assert_eq!(fault(closed).0, "its process ended without a result");
    }

    #[test]
    fn a_process_that_hangs_is_killed_before_and_after_its_result() {
        let (fault_before, notes) = fault("echo waiting >&2; exec sleep 1000");
        assert_eq!(fault_before, "its process hangs");
        assert!(notes.contains("waiting"));
        let (fault_after, _) = fault(&(done(&[]) + "exec sleep 1000"));
        assert!(fault_after.contains("did not end after its result"));
        let (fault_closed, _) = fault("exec >&- 2>&-; exec sleep 1000");
        assert!(fault_closed.contains("did not end after its output"));
    }

    #[test]
    fn what_was_told_before_the_process_died_or_was_interrupted_is_not_lost() {
        let told = says(&Message::Fault("told at once".into()));
        let outcome = followed(&(told.clone() + "kill -KILL $$"), || false);
        assert_eq!(outcome.errors(), 2);
        assert_eq!(outcome.faults.first()[0], "told at once");
        let outcome = followed(&(told + "kill -INT $$"), || {
            // It may have ended by now: its messages are heard in either case.
            thread::sleep(Duration::from_millis(300));
            true
        });
        assert_eq!(outcome.faults.first(), ["told at once"]);
        assert_eq!(outcome.notes, [BY_USER]);
    }

    #[test]
    fn an_interrupted_process_is_no_error() {
        let outcome = followed("exec sleep 1000", || true);
        assert!(outcome.faults.is_empty());
        assert_eq!(outcome.notes, [BY_USER]);
    }

    #[test]
    fn endless_output_is_cut_and_does_not_fill_memory() {
        let noise = "head -c 300000 /dev/zero | tr '\\0' x >&2;";
        let outcome = followed(&(noise.to_owned() + &done(&[])), || false);
        assert!(outcome.faults.is_empty());
        assert!(outcome.notes[0].len() < Printed::MOST + 100);
    }
}
