//! The sequences and the registration, on the real kernel.
//!
//! The tests of self-registration run this binary again with `GLIBC_TUNABLES`.

#[macro_use]
extern crate test_deadline;

mod copies;
mod counts;
#[cfg(sequences)]
mod kinds;
mod own_registration;
#[cfg(sequences)]
mod owners;
#[cfg(sequences)]
mod single_step;

use std::ffi::OsStr;

use rseq_ops::ops::Outcome;

/// An operation until it has an effect: tests may be patient, but not for ever.
fn until_committed(mut attempt: impl FnMut() -> Outcome) {
    for _ in 0..1_000_000 {
        match attempt() {
            Outcome::Committed => return,
            Outcome::Aborted => {}
            Outcome::Mismatch => panic!("a mismatch where nothing can differ"),
        }
    }
    panic!("a million aborts in a row");
}

/// Moves the calling thread to one of two CPUs, if there are two.
fn migrate(turn: usize) {
    // SAFETY: a zeroed set is valid; the kernel is told its size. It may refuse.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(turn % 2, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// This binary again, for one ignored test, with a registration of our own.
fn assert_child_passes(test: &str) {
    assert_child_passes_with(test, &[]);
}

/// The same, with more in its environment.
fn assert_child_passes_with(test: &str, environment: &[(&str, &OsStr)]) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test}: {}\n{text}{errors}",
        output.status
    );
}
