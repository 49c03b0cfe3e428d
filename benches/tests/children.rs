//! The program runs itself for what needs a process of its own.

#![cfg(feature = "compare")]

#[macro_use]
extern crate test_deadline;

use std::path::Path;
use std::process::Command;

use urcu_benches::child::run;
use urcu_benches::results::{domains, memory};
use urcu_benches::subjects::elsewhere;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rcu-compare");

#[test(300)]
fn a_child_does_its_task_and_says_so() {
    let task = domains::Task { domains: 100 };
    let result = run(Path::new(PROGRAM), &task).unwrap();
    assert_eq!(result.domains, 100);

    let task = memory::Task {
        library: "seize".to_owned(),
        stalled: false,
        seconds: 0.1,
    };
    let result = run(Path::new(PROGRAM), &task).unwrap();
    assert_eq!(result.library, "seize");
    assert!(result.peak_mib > 0.0);
}

#[test(300)]
fn subjects_of_other_processes_read_what_was_stored_last() {
    elsewhere::set_program(PROGRAM.into());
    for kind in elsewhere::kinds() {
        let subject = kind.make(42);
        assert_eq!(subject.sum(1000), 42_000, "{}", kind.name);
        for value in 1..10 {
            subject.store(value);
            assert_eq!(subject.sum(3), 3 * value, "{}", kind.name);
        }
        let (time, sum) = subject.time(100_000);
        assert_eq!(sum, 900_000, "{}", kind.name);
        assert!(!time.is_zero(), "{}", kind.name);
    }
}

#[test(300)]
fn a_child_that_fails_is_reported() {
    let task = memory::Task {
        library: "none".to_owned(),
        stalled: false,
        seconds: 0.1,
    };
    let failed = run(Path::new(PROGRAM), &task);
    assert!(failed.unwrap_err().contains("exit status"));
}

#[test(300)]
fn parts_can_be_measured_alone() {
    let options = ["--quick", "--only", "retire", "--memory-seconds", "0.1"];
    let output = Command::new(PROGRAM).args(options).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("peak MiB") && text.contains("retire the old one"));
    assert!(!text.contains("read-side section"));
}
