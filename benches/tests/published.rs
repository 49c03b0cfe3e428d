//! What is published is what the kept runs say.

#![cfg(feature = "compare")]

#[macro_use]
extern crate test_deadline;

use std::fs;
use std::path::Path;

use urcu_benches::publish::{files, kept};

#[test]
fn published_figures_are_those_of_the_runs() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(repository.join("README.md")).unwrap();
    let made = files(&readme, &kept(&repository).unwrap()).unwrap();
    for (path, text) in &made {
        let there = fs::read_to_string(repository.join(path)).unwrap_or_default();
        assert!(
            there == *text,
            "{} is not what the runs in benches/runs say: cargo run -p urcu-benches --bin rcu-publish",
            path.display()
        );
    }
    // Nor is there a plot of a run that is kept no longer.
    let plots = fs::read_dir(repository.join("benches/plots"))
        .unwrap()
        .flatten();
    for plot in plots {
        let path = Path::new("benches/plots").join(plot.file_name());
        assert!(made.contains_key(&path), "{} is of no run", path.display());
    }
    let lines = readme.lines().count();
    assert!(lines <= 120, "the README has {lines} lines");
}
