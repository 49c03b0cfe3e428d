//! This program again, as a process in which something is not as usual.
//!
//! Tests are named with their modules, as `module_path!` does it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The name of a test as the harness has it: without the program's.
fn test(name: &str) -> &str {
    name.strip_prefix("suite::").unwrap_or(name)
}

/// Which test's process this is, if it was started by one.
const INSIDE: &str = "RSEQ_OPS_TEST_INSIDE";

pub(crate) fn inside(name: &str) -> bool {
    std::env::var(INSIDE).is_ok_and(|value| value == test(name))
}

/// Runs the test `name` of this program in a new process, after `prepare`, which makes system calls
/// alone; does nothing where that is not allowed.
pub(crate) fn run_again(name: &str, prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static) {
    run_again_with(&[], name, prepare);
}

/// The same with more in its environment.
pub(crate) fn run_again_with(
    environment: &[(&str, &str)],
    name: &str,
    prepare: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) {
    let name = test(name);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, name)
        .envs(environment.iter().copied());
    // SAFETY: only system calls happen between fork and exec.
    unsafe { command.pre_exec(prepare) };
    match command.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let complained = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}{complained}");
            assert!(said.contains("1 passed"), "{said}{complained}");
        }
        Err(error) => println!("skipped: not allowed here: {error}"),
    }
}

/// Runs the ignored test `name` in a new process, in which libc registers no threads.
pub(crate) fn assert_child_passes(name: &str) {
    assert_child_passes_with(name, &[]);
}

/// The same with more in its environment.
pub(crate) fn assert_child_passes_with(name: &str, environment: &[(&str, &OsStr)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture"])
        .env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name}: {}\n{text}{errors}",
        output.status
    );
}
