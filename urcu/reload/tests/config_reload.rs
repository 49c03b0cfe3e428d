//! The example `config_reload` ends with its closing line and a status that fits, whatever happens to
//! it. It is built first, if it has not been.

#![cfg(target_os = "linux")]

#[macro_use]
extern crate test_deadline;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process};

/// The program, as this test is built: for debugging or not.
fn program() -> Command {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--package",
            "urcu-reload",
            "--example",
            "config_reload",
        ]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        if cfg!(not(debug_assertions)) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo").success());
        let mut path = std::env::current_exe().expect("a path");
        // Beside the directory in which this test is.
        path.pop();
        path.pop();
        path.join("examples/config_reload")
    });
    Command::new(path)
}

/// A field of the closing line, which is the last.
fn closing(text: &str, name: &str) -> u64 {
    let last = text.trim_end().lines().last().expect("a line");
    let fields = last.strip_prefix("config_reload: ").expect(text);
    let mut fields = fields.split(' ');
    let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    found.expect(text).parse().expect(text)
}

#[test(300)]
fn an_interrupt_ends_it_in_order() {
    let scratch = std::env::temp_dir().join(format!("example-{}", std::process::id()));
    fs::create_dir(&scratch).unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let mut command = program();
        command
            .args(["--seconds", "600", "--readers", "1"])
            .env("TMPDIR", &scratch);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let mut output = BufReader::new(program.stdout.take().unwrap());
        let mut text = String::new();
        // From here on it handles interrupts.
        output.read_line(&mut text).unwrap();
        // It is not waited for yet: its number is nobody else's.
        let id = Pid::from_child(&program);
        kill_process(id, signal).unwrap();
        output.read_to_string(&mut text).unwrap();
        let end = program.wait_with_output().unwrap();
        assert_eq!(end.status.code(), Some(2), "{text}");
        assert!(String::from_utf8_lossy(&end.stderr).contains("interrupted"));
        assert_eq!((closing(&text, "stale"), closing(&text, "errors")), (0, 0));
    }
    assert_eq!(
        fs::read_dir(&scratch).unwrap().count(),
        0,
        "it leaves nothing"
    );
    fs::remove_dir(scratch).unwrap();
}

#[test(300)]
fn every_way_has_its_turn_and_what_is_broken_is_said_to_be_so_on_purpose() {
    let mut command = program();
    command.args(["--seconds", "3", "--readers", "1"]);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{told}");
    for name in [
        "Rcu, store",
        "Rcu, replace",
        "arc_swap::ArcSwap",
        "RwLock<Arc<_>>",
    ] {
        assert_eq!(
            text.lines().filter(|line| line.starts_with(name)).count(),
            2,
            "{text}"
        );
    }
    assert!(
        closing(&text, "reads") > 0 && closing(&text, "reloads") > 0,
        "{text}"
    );
    assert_eq!(
        (closing(&text, "stale"), closing(&text, "errors")),
        (0, 0),
        "{text}"
    );
    // Those that were read before the next was written.
    assert!(text.contains("broken on purpose"), "{text}");
    for line in told.lines() {
        assert!(line.starts_with("on purpose ("), "{told}");
    }
}

#[test(300)]
fn a_full_disk_is_an_error_and_hides_no_closing_line() {
    let full = || File::create("/dev/full").unwrap();
    let mut command = program();
    command
        .args(["--seconds", "1", "--readers", "1"])
        .stdout(full());
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("standard output: "), "{report}");
    assert!(
        closing(&report, "errors") > 0 && closing(&report, "reads") > 0,
        "{report}"
    );
    // With nowhere to tell it either.
    let mut command = program();
    command
        .args(["--seconds", "1", "--readers", "1"])
        .stdout(full())
        .stderr(full());
    assert_eq!(command.status().unwrap().code(), Some(1));
}
