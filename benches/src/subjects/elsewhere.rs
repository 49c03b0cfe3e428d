//! This library where the system refuses the fast way. Because each process decides its way once, these subjects run in
//! processes of their own, which time their reads themselves.

use std::env;
use std::fmt::Debug;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use urcu::ReaderMode;
#[cfg(target_os = "linux")]
use urcu_host::seccomp::Filter;

use crate::child::{self, OPTION, Task};
use crate::subject::{Kind, Subject};
use crate::subjects::ours::PACKAGE;

/// The thing that is refused in such a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// Membarrier, so that readers are counted with atomics: the portable fallback.
    Membarrier,
    /// The registration of threads by glibc, so that this library registers them.
    Registration,
}

/// Returns the kinds. Their processes run this program again, unless [`set_program`] has named another.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    vec![
        Kind::of::<Atomics>(
            "urcu guard, portable fallback",
            PACKAGE,
            "the guard in a process in which membarrier is refused: atomics with full fences",
        ),
        Kind::of::<OwnRegistration>(
            "urcu guard, own registration",
            PACKAGE,
            "the guard under `glibc.pthread.rseq=0`: this library registers each thread",
        ),
    ]
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program that knows the option of [`child`].
pub fn set_program(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The task of a process that serves one subject: it answers each line on its standard input by one line on its
/// standard output, until there are no more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Serve {
    refused: Refused,
    value: u64,
}

/// A request to such a process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Request {
    Store(u64),
    Sum(u64),
}

/// The nanoseconds that it took, and the sum of what was read.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Answer {
    ns: u64,
    sum: u64,
}

impl Task for Serve {
    const NAME: &'static str = "serve";
    type Outcome = ();

    fn perform(&self) -> Result<(), String> {
        let mode = urcu::reader_mode();
        let as_asked = match self.refused {
            Refused::Membarrier => matches!(mode, ReaderMode::Atomics(_)),
            Refused::Registration => matches!(mode, ReaderMode::SelfRegistered { .. }),
        };
        if !as_asked {
            return Err(format!(
                "the refusal of {:?} had no effect: readers use {mode}",
                self.refused
            ));
        }
        self.serve().map_err(|error| error.to_string())
    }
}

impl Serve {
    fn serve(self) -> io::Result<()> {
        let kind = super::ours::KINDS[0];
        let subject = kind.make(self.value);
        let mut output = io::stdout().lock();
        for line in io::stdin().lines() {
            let answer = match serde_json::from_str(&line?)? {
                Request::Store(value) => {
                    subject.store(value);
                    Answer::default()
                }
                Request::Sum(count) => {
                    let (time, sum) = subject.time(count);
                    let ns = time.as_nanos() as u64;
                    Answer { ns, sum }
                }
            };
            serde_json::to_writer(&mut output, &answer)?;
            output.write_all(b"\n")?;
            output.flush()?;
        }
        Ok(())
    }
}

/// The parent's end. The process lives as long as this.
#[derive(Debug)]
struct Remote {
    process: Child,
    /// `None` once the process must end.
    pipes: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Remote {
    fn start(refused: Refused, value: u64) -> Self {
        let program = PROGRAM.get().cloned();
        let program = program.or_else(|| env::current_exe().ok());
        let task = child::request(&Serve { refused, value }).expect("a task is text");
        let mut command = Command::new(program.expect("this program"));
        command.args([OPTION, &task]);
        match refused {
            // Set before the program starts: the C face decides as soon as the program is loaded.
            Refused::Membarrier => {
                #[cfg(target_os = "linux")]
                Filter::new(&[libc::SYS_membarrier], libc::ENOSYS).install_in(&mut command);
            }
            Refused::Registration => {
                command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("this program again");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        Self {
            process,
            pipes: Mutex::new(Some((input, output))),
        }
    }

    fn ask(&self, request: Request) -> Answer {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = pipes.as_mut().expect("taken when this is dropped");
        let mut exchange = || -> io::Result<Answer> {
            let text = serde_json::to_string(&request)?;
            input.write_all(format!("{text}\n").as_bytes())?;
            let mut line = String::new();
            output.read_line(&mut line)?;
            Ok(serde_json::from_str(&line)?)
        };
        exchange().unwrap_or_else(|error| panic!("the process of a subject: {error}"))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Closes its standard input, which ends it.
        *self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.process.wait();
    }
}

macro_rules! remote {
    ($name:ident, $refused:expr) => {
        struct $name(Remote);

        impl Subject for $name {
            fn new(value: u64) -> Self {
                Self(Remote::start($refused, value))
            }

            fn store(&self, value: u64) {
                self.0.ask(Request::Store(value));
            }

            fn held(&self, body: &mut dyn FnMut(u64)) {
                body(self.sum(1));
            }

            fn sum(&self, count: u64) -> u64 {
                self.0.ask(Request::Sum(count)).sum
            }

            fn time(&self, count: u64) -> (Duration, u64) {
                let answer = self.0.ask(Request::Sum(count));
                (Duration::from_nanos(answer.ns), answer.sum)
            }
        }
    };
}

remote!(Atomics, Refused::Membarrier);
remote!(OwnRegistration, Refused::Registration);
