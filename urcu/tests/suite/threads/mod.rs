//! The library's own threads: whoever drives is not inside a user's code, and that runs as it would on
//! a thread of the program's.

mod awaiting;
mod masks;
mod settings;
mod starting;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread;

use urcu::{Domain, Executor, Job, Runner};

/// Runs each job on a thread of its own.
struct Spawning;

impl Executor for Spawning {
    fn execute(&self, mut job: Job) {
        thread::spawn(move || {
            while let Some(pause) = job.run() {
                thread::sleep(pause);
            }
        });
    }
}

/// Runs all jobs on one thread, one after the other, which is not there for others while a callback
/// blocks.
struct OneThread(Mutex<Option<mpsc::Sender<Job>>>);

impl Executor for OneThread {
    fn execute(&self, job: Job) {
        let mut sender = self.0.lock().unwrap();
        let sender = sender.get_or_insert_with(|| {
            let (sender, jobs) = mpsc::channel::<Job>();
            thread::spawn(move || {
                for mut job in jobs {
                    while let Some(pause) = job.run() {
                        thread::sleep(pause);
                    }
                }
            });
            sender
        });
        sender.send(job).unwrap();
    }
}

static SPAWNING: Spawning = Spawning;
static ONE_THREAD: OneThread = OneThread(Mutex::new(None));

/// A domain of each runner under which callbacks run without anybody's doing.
fn domains() -> [&'static Domain; 4] {
    let runners = [
        Runner::Shared,
        Runner::OwnThread,
        Runner::Executor(&SPAWNING),
        Runner::Executor(&ONE_THREAD),
    ];
    runners.map(|runner| &*Box::leak(Box::new(Domain::new().run_by(runner))))
}

/// The same, and one whose callers do everything.
fn all_domains() -> Vec<&'static Domain> {
    let caller = Box::leak(Box::new(Domain::new().run_by(Runner::Caller)));
    domains().into_iter().chain([&*caller]).collect()
}

/// A waker that says so.
struct Says(Mutex<mpsc::Sender<()>>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        self.0.lock().unwrap().send(()).unwrap();
    }
}

#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Returns the signals that threads of that name block.
fn blocked_by(name: &str) -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter(|status| status.starts_with(&format!("Name:\t{name}\n")))
        .map(|status| {
            let line = status.lines().find(|line| line.starts_with("SigBlk:"));
            let mask = line.expect("a mask").split_whitespace().nth(1).unwrap();
            u64::from_str_radix(mask, 16).unwrap()
        })
        .collect()
}
