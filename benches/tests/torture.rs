//! The torture program: what it can do in a second or two, and that it can fail.

#![cfg(target_os = "linux")]

#[macro_use]
extern crate test_deadline;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};

fn torture(options: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
    // Not to be built again, though cargo started this test.
    command.args(options).arg("--no-delays");
    let output = command.output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

fn errors_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns a place for a file.
fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("rcu-torture-{name}-{}.json", std::process::id()))
}

/// Returns the value of `name=` in the last line.
fn closing(text: &str, name: &str) -> u64 {
    let last = text.lines().last().expect("a line");
    let mut fields = last.strip_prefix("rcu-torture: ").expect(last).split(' ');
    let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    found.expect(last).parse().expect(last)
}

#[test(300)]
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

/// Each with a part of what has to be told, wherever that is found out: by a reader, a callback, a
/// handler, an audit, a monitor, a parent of a forked child, the parent of all.
const CONTROLS: [(&str, &str); 10] = [
    ("early-reclaim", "version"),
    ("callback-lost", "callbacks run"),
    ("callback-panics", "on purpose"),
    ("forgotten-guard", "versions are left"),
    ("split-addition", "additions have left"),
    ("handler-reads-on", "in signal handlers, "),
    ("child-hangs", "a process of generation 1 "),
    ("process-dies", "died of signal 9"),
    ("process-dies", "the last words on standard output"),
    ("process-dies", "the last words on standard error"),
];

#[test(300)]
fn what_is_wrong_on_purpose_is_noticed_and_told_everywhere() {
    let file = scratch("controls");
    let path = file.to_str().expect("a path");
    let options = ["--seconds", "30", "--seed", "4242", "--json", path];
    for (control, what) in CONTROLS {
        let (output, text) = torture(&[&options[..], &["--break", control]].concat());
        let report = errors_of(&output);
        assert_eq!(output.status.code(), Some(1), "{text}{report}");
        assert!(closing(&text, "errors") > 0, "{text}");
        assert!(text.contains(what), "{control}: {text}");
        for part in ["error report", "--seed 4242", control, what] {
            assert!(report.contains(part), "{control}: {report}");
        }
        let json = std::fs::read_to_string(&file).expect("a file");
        assert!(json.contains(what), "{control}: {json}");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["errors"], closing(&text, "errors"));
        assert!(
            !json["scenarios"][0]["faults"][0]
                .as_str()
                .expect("a text")
                .is_empty()
        );
    }
    let _ = std::fs::remove_file(&file);
}

/// With standard output, and perhaps standard error, on a disk that is full.
fn on_a_full_disk(options: &[&str], both: bool) -> (ExitStatus, String) {
    let full = || File::create("/dev/full").expect("a device");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
    command.args(options).arg("--no-delays").stdout(full());
    if both {
        let status = command.stderr(full()).status();
        return (status.expect("a status"), String::new());
    }
    let output = command.stderr(Stdio::piped()).output().expect("a status");
    (output.status, errors_of(&output))
}

#[test(300)]
fn a_full_disk_hides_neither_errors_nor_the_status() {
    let wrong = ["--seconds", "30", "--break", "process-dies"];
    let (status, report) = on_a_full_disk(&wrong, false);
    assert_eq!(status.code(), Some(1), "{report}");
    for part in [
        "died of signal 9",
        "rcu-torture: scenario=steady reads=",
        "errors=1",
        "standard output: ",
    ] {
        assert!(report.contains(part), "{report}");
    }
    let (status, _) = on_a_full_disk(&wrong, true);
    assert_eq!(status.code(), Some(1));

    let good = ["--seconds", "0.3", "--scenario", "steady"];
    let (status, report) = on_a_full_disk(&good, false);
    assert_eq!(status.code(), Some(2), "{report}");
    assert!(report.contains("errors=0"), "{report}");
    let (status, _) = on_a_full_disk(&good, true);
    assert_eq!(status.code(), Some(2));

    for (options, status) in [(&wrong, 1), (&good, 2)] {
        let (output, text) = torture(&[&options[..], &["--json", "/dev/full"]].concat());
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert!(errors_of(&output).contains("cannot write /dev/full"));
        closing(&text, "reads");
    }
}

#[test(300)]
fn who_stops_reading_ends_the_program_which_is_no_success() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
    command.args(["--seconds", "0.3", "--no-delays"]);
    for _ in 0..1000 {
        command.args(["--scenario", "steady"]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().expect("the program");
    drop(program.stdout.take());
    let output = program.wait_with_output().expect("its output");
    let report = errors_of(&output);
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert!(report.contains("errors=0"), "{report}");
}

#[test(300)]
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

#[test(300)]
fn an_interrupt_ends_the_program_and_is_no_error() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rcu-torture"));
        command.args(["--seconds", "600", "--scenario", "steady", "--no-delays"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().expect("the program");
        let mut output = BufReader::new(program.stdout.take().expect("a pipe"));
        let mut text = String::new();
        // From here on it handles interrupts.
        output.read_line(&mut text).expect("a line");
        // SAFETY: sends a signal to a process that is not waited for yet.
        unsafe { libc::kill(program.id() as libc::pid_t, signal) };
        output.read_to_string(&mut text).expect("text");
        let end = program.wait_with_output().expect("a status");
        assert_eq!(end.status.code(), Some(2), "{text}");
        assert!(errors_of(&end).contains("interrupted"));
        assert_eq!(closing(&text, "errors"), 0, "{text}");
    }
}

#[test(300)]
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

#[test(300)]
fn results_are_written_as_json_with_what_was_skipped() {
    let file = scratch("skipped");
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
    if !cfg!(rseq_ops_delay_injection) {
        let reason = scenarios[1]["skipped"].as_str().expect("a reason");
        assert!(reason.contains("rseq_ops_delay_injection") && text.contains(reason));
    }
}

#[test(300)]
fn the_list_names_scenarios_and_controls_and_others_are_refused() {
    let (output, text) = torture(&["--list"]);
    assert!(output.status.success());
    assert!(text.contains("stalled-reader") && text.contains("plain-membarrier"));
    for options in [["--scenario", "none"], ["--break", "none"]] {
        let (output, _) = torture(&options);
        assert_eq!(output.status.code(), Some(2));
    }
}
