//! The torture program: what it can do in a second or two, and that it can fail.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

fn torture(options: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
    // Not to be built again, though cargo started this test.
    command.args(options).arg("--no-delays");
    let output = command.output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

/// The value of `name=` in the last line.
fn closing(text: &str, name: &str) -> u64 {
    let last = text.lines().last().expect("a line");
    let mut fields = last.strip_prefix("rcu-torture: ").expect(last).split(' ');
    let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    found.expect(last).parse().expect(last)
}

#[test]
fn quick_scenarios_find_nothing_wrong() {
    for scenario in [
        "steady",
        "guards",
        "per-cpu",
        "callback-flood",
        "no-membarrier",
    ] {
        let (output, text) = torture(&["--seconds", "0.7", "--scenario", scenario]);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let begins = format!("rcu-torture: scenario={scenario} reads=");
        assert!(text.lines().last().unwrap().starts_with(&begins), "{text}");
        assert_eq!(closing(&text, "errors"), 0, "{text}");
        if !text.contains("skipped: ") {
            assert!(closing(&text, "reads") > 0, "{text}");
            assert!(closing(&text, "grace_periods") > 0, "{text}");
        }
    }
}

#[test]
fn what_is_wrong_on_purpose_is_noticed_and_reported() {
    for control in [
        "early-reclaim",
        "callback-lost",
        "forgotten-guard",
        "split-addition",
    ] {
        let (output, text) = torture(&["--seconds", "30", "--seed", "4242", "--break", control]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(closing(&text, "errors") > 0, "{text}");
        assert!(text.contains("error report"), "{text}");
        assert!(text.contains("--seed 4242"), "{text}");
    }
}

#[test]
fn a_control_with_nothing_wrong_finds_nothing() {
    for control in ["reads-on", "callback-lost"] {
        let options = ["--seconds", "0.5", "--break", control];
        let (output, text) = torture(&[&options[..], &["--placebo"]].concat());
        assert_eq!(output.status.code(), Some(0), "{text}");
    }
    // Of another scenario's control nobody notices anything, and that is told.
    let (_, text) = torture(&[
        "--seconds",
        "0.3",
        "--break",
        "early-await",
        "--scenario",
        "steady",
    ]);
    assert!(text.contains("early-await was not noticed"), "{text}");
}

#[test]
fn an_interrupt_ends_the_program_and_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
    command.args(["--seconds", "600", "--scenario", "steady", "--no-delays"]);
    let mut program = command.stdout(Stdio::piped()).spawn().expect("the program");
    let mut output = BufReader::new(program.stdout.take().expect("a pipe"));
    let mut text = String::new();
    // From here on it handles interrupts.
    output.read_line(&mut text).expect("a line");
    // SAFETY: sends a signal to a process that is not waited for yet.
    unsafe { libc::kill(program.id() as libc::pid_t, libc::SIGINT) };
    output.read_to_string(&mut text).expect("text");
    assert_eq!(program.wait().expect("a status").code(), Some(2), "{text}");
    assert!(text.contains("interrupted"), "{text}");
    assert_eq!(closing(&text, "errors"), 0, "{text}");
}

#[test]
fn who_reads_no_further_makes_no_noise() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
    command
        .arg("--list")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = command.spawn().expect("the program");
    drop(program.stdout.take());
    let output = program.wait_with_output().expect("its output");
    let noise = String::from_utf8_lossy(&output.stderr);
    assert!(noise.is_empty(), "{noise}");
}

#[test]
fn results_are_written_as_json_with_what_was_skipped() {
    let file = std::env::temp_dir().join(format!("rcu-torture-{}.json", std::process::id()));
    let path = file.to_str().expect("a path");
    let (output, text) = torture(&[
        "--seconds",
        "0.3",
        "--json",
        path,
        "--scenario",
        "steady",
        "--scenario",
        "delay-injection",
    ]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let json = std::fs::read_to_string(&file).expect("a file");
    let _ = std::fs::remove_file(&file);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["total"]["reads"], closing(&text, "reads"));
    let scenarios = report["scenarios"].as_array().expect("a list");
    assert_eq!(scenarios[0]["skipped"], serde_json::Value::Null);
    if !cfg!(feature = "delay-injection") {
        let reason = scenarios[1]["skipped"].as_str().expect("a reason");
        assert!(reason.contains("delay-injection") && text.contains(reason));
    }
}

#[test]
fn the_list_names_scenarios_and_controls_and_others_are_refused() {
    let (output, text) = torture(&["--list"]);
    assert!(output.status.success());
    assert!(text.contains("stalled-reader") && text.contains("plain-membarrier"));
    for options in [["--scenario", "none"], ["--break", "none"]] {
        let (output, _) = torture(&options);
        assert_eq!(output.status.code(), Some(2));
    }
}
