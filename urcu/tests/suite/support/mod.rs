//! What the tests share: lengths, processors, child processes.

mod allocator;
pub(crate) mod fork;

use std::env;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rseq_ops::Owner;

/// Returns how long a stress test runs.
pub(crate) fn length(default_milliseconds: u64) -> Duration {
    env::var("URCU_TEST_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .map_or(
            Duration::from_millis(default_milliseconds),
            Duration::from_secs_f64,
        )
}

/// `URCU_TEST_DEADLINE`, seconds, by its usual value (`test-deadline`): slow machines need more.
pub(crate) fn slowness() -> f64 {
    const USUAL: f64 = 40.0;
    let seconds = env::var("URCU_TEST_DEADLINE").ok();
    let seconds: Option<f64> = seconds.and_then(|seconds| seconds.parse().ok());
    seconds.map_or(1.0, |seconds| seconds / USUAL)
}

/// Returns whether readers use sequences in this process.
pub(crate) fn sequences() -> bool {
    rseq_ops::process().owner != Owner::Nobody && rseq_ops::membarrier::register().is_ok()
}

/// Returns whether the kernel has that thread wait for something. A thread that has ended does not.
pub(crate) fn sleeps(thread: libc::pid_t) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    stat.is_ok_and(|stat| {
        let (_, state) = stat.rsplit_once(") ").expect("a state after the name");
        state.starts_with('S')
    })
}

/// Says why a test does nothing.
pub(crate) fn skip(reason: &str) {
    println!("skipped: {reason}");
}

/// Runs `body` in `threads` threads, again and again until `time` is over.
pub(crate) fn storm(time: Duration, threads: usize, body: impl Fn(usize) + Sync) {
    let end = Instant::now() + time;
    thread::scope(|scope| {
        for number in 0..threads {
            let body = &body;
            scope.spawn(move || {
                while Instant::now() < end {
                    body(number);
                }
            });
        }
    });
}

/// Sets the flag when dropped, also by a panic.
pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A flag that a thread sets when `synchronize` of the domain has returned.
pub(crate) fn assert_waits(domain: &urcu::Domain, release: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            domain.synchronize();
            over.store(true, Ordering::SeqCst);
        });
        thread::sleep(Duration::from_millis(30));
        let early = over.load(Ordering::SeqCst);
        release();
        assert!(!early, "a grace period ended before a section of its time");
    });
}

/// Thread CPU time.
pub(crate) fn cpu_time() -> Duration {
    // SAFETY: the time is valid for the write.
    unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// This binary again, for one test that is ignored otherwise.
pub(crate) fn child(test: &str) -> Command {
    let test = test.strip_prefix("suite::").unwrap_or(test);
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command.args(["--exact", test, "--include-ignored", "--nocapture"]);
    command
}

/// Runs a child process to its end, or kills it after `limit` (longer on slow machines). Its exit
/// code (`None` for a signal) and its output.
pub(crate) fn run(command: &mut Command, limit: Duration) -> (Option<i32>, String) {
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child process");
    let mut output = process.stdout.take().expect("a pipe");
    let mut errors = process.stderr.take().expect("a pipe");
    let limit = limit.mul_f64(slowness());
    let end = Instant::now() + limit;
    let mut killed = String::new();
    let read = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = output.read_to_end(&mut text);
        text
    });
    let read_errors = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        text
    });
    let code = loop {
        match process.try_wait().expect("the child's status") {
            Some(status) => break status.code(),
            None if Instant::now() > end => {
                process.kill().expect("the child to die");
                process.wait().expect("the child's status");
                killed = format!("killed after {limit:?}\n");
                break None;
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    let mut text = read.join().expect("the child's output");
    text.extend(read_errors.join().expect("the child's errors"));
    text.extend(killed.into_bytes());
    (code, String::from_utf8_lossy(&text).into_owned())
}

/// Runs one ignored test of this binary as a process of its own, which must succeed.
#[track_caller]
pub(crate) fn assert_child_passes(test: &str) {
    let (code, output) = run(&mut child(test), Duration::from_secs(60));
    assert_eq!(code, Some(0), "{test} in a child process:\n{output}");
    assert!(output.contains("1 passed"), "{test} did not run:\n{output}");
}

/// Makes tests, each of which runs another one of its module as a process of its own: one that is
/// ignored otherwise.
macro_rules! in_a_process_of_its_own {
    ($($test:ident: $child:ident,)*) => { $(
        #[test]
        fn $test() {
            let child = concat!(module_path!(), "::", stringify!($child));
            $crate::support::assert_child_passes(child);
        }
    )* };
}
pub(crate) use in_a_process_of_its_own;

/// The same with an environment variable.
#[cfg(rseq_ops_delay_injection)]
#[track_caller]
pub(crate) fn assert_passes_with(test: &str, variable: &str, value: &str) {
    let mut command = child(test);
    let (code, output) = run(command.env(variable, value), Duration::from_secs(60));
    assert_eq!(code, Some(0), "{test} with {variable}={value}:\n{output}");
}
