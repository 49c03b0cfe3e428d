//! A test that hangs is ended and named, in every test program.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::support::{child, run, skip};

#[test]
fn a_test_that_hangs_is_ended_and_named() {
    let mut command = child("deadlines::child_that_hangs");
    command.env("URCU_TEST_DEADLINE", "0.2");
    command.env("URCU_TEST_SECONDS", "0.01");
    let limit = Duration::from_secs(60);
    let (code, output) = run(&mut command, limit);
    let named = "deadlines::child_that_hangs: not over after 300ms";
    assert!(
        code.is_none() && output.contains(named),
        "{code:?} {output}"
    );
}

#[test]
#[ignore = "a child process of a_test_that_hangs_is_ended_and_named"]
fn child_that_hangs() {
    loop {
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// The lines that make `#[test]` the one with a deadline.
const TAKEN: &str = "#[macro_use]\nextern crate test_deadline;\n";

/// The `.rs` files in a folder and below it.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns whether a file, or one below a folder, has a test.
fn has_tests(path: &Path) -> bool {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        sources(path, &mut files);
    }
    let texts = files.iter().map(fs::read_to_string);
    texts.flatten().any(|text| text.contains("#[test"))
}

#[test]
fn every_test_program_takes_it() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = [
        "rseq-ops",
        "urcu",
        "urcu/capi",
        "urcu/collections",
        "urcu/compat/crossbeam-epoch",
        "urcu/fuzz",
        "urcu/reload",
        "benches",
        "benches/ci",
        "benches/torture",
        "loom-tests",
    ];
    let packages = packages.map(|package| repository.join(package));
    if !packages[0].exists() {
        return skip("the sources are elsewhere");
    }
    let mut programs = 0;
    for package in packages {
        let tests = fs::read_dir(package.join("tests")).into_iter().flatten();
        let tests = tests.map(|entry| entry.expect("an entry").path());
        // A file and its folder, or a file and itself.
        let tests = tests.map(|test| (test.join("main.rs"), test));
        let tests =
            tests.map(|(main, test)| (if main.exists() { main } else { test.clone() }, test));
        let own = (package.join("src/lib.rs"), package.join("src"));
        for (root, all) in tests.chain([own]) {
            if root.is_file() && has_tests(&all) {
                let text = fs::read_to_string(&root).expect("a source");
                assert!(
                    text.contains(TAKEN),
                    "{}: tests without deadlines",
                    root.display()
                );
                programs += 1;
            }
        }
    }
    assert!(programs > 15, "only {programs} test programs found");
}
