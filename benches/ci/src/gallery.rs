//! The gallery of examples. Each example runs for a moment and must end with the expected line, and the page
//! `urcu/src/docs/gallery.rs` must name every example of a published package.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::run::{Status, output, repository, say};

/// An example: its package, its name, its arguments, and the words that its last line must have in this order.
type Example = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const EXAMPLES: [Example; 11] = [
    (
        "urcu-reload",
        "minimal_reload",
        &["urcu/reload/examples/minimal_reload.toml", "1"],
        &["version 1 in force, 0 reloads, 0 refused"],
    ),
    (
        "urcu-reload",
        "config_reload",
        &["--seconds", "2"],
        &["config_reload: reads=", " reloads=", " stale=0 errors=0"],
    ),
    ("urcu-reload", "feature_flags", &[], &["ns a question, on "]),
    (
        "urcu-percpu",
        "own_structure",
        &[],
        &["own_structure: messages=", " changes=", " errors=0"],
    ),
    (
        "urcu-percpu",
        "reader_mode",
        &[],
        &["of a million sections, "],
    ),
    (
        "urcu-percpu",
        "tokio_executor",
        &[],
        &["1000 sessions were dropped on the runtime"],
    ),
    (
        "urcu-collections",
        "dns_cache",
        &[],
        &["dns_cache: lookups=", " errors=0"],
    ),
    (
        "urcu-collections",
        "routing_table",
        &[],
        &["routing_table: packets=", " errors=0"],
    ),
    (
        "urcu-collections",
        "session_store",
        &[],
        &["session_store: requests=", " errors=0"],
    ),
    (
        "rseq-ops",
        "memory_pool",
        &[],
        &["given back to the global allocator: ", " buffers"],
    ),
    (
        "rseq-ops",
        "trace_timeline",
        &[],
        &[" records in ", " polls, "],
    ),
];

const PAGE: &str = "urcu/src/docs/gallery.rs";

/// Returns whether the line has the words, one after the other.
fn has(line: &str, words: &[&str]) -> bool {
    let after = |rest: &str, word: &&str| Some(rest.split_once(*word)?.1.to_owned());
    let found = words
        .iter()
        .try_fold(line.to_owned(), |rest, word| after(&rest, word));
    found.is_some()
}

/// Runs an example, with the profile that `cargo test` uses. Returns whether it ended as expected.
fn runs(example: &Example) -> bool {
    let (package, name, arguments, words) = example;
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(repository())
        .args(["run", "--quiet", "-p", package, "--example", name]);
    let said = output(cargo.arg("--").args(*arguments));
    let last = said.as_deref().and_then(|said| said.lines().last());
    let is_well = last.is_some_and(|line| has(line, words));
    match last {
        Some(line) => println!("{line}"),
        None => println!("{name} failed"),
    }
    if !is_well {
        println!("{name}: the last line does not have these words in order: {words:?}");
    }
    is_well
}

/// Returns the names of all examples of the published packages.
fn all() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut metadata = Command::new("cargo");
    metadata
        .current_dir(repository())
        .args(["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&output(&mut metadata).ok_or("cargo metadata")?)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let published = packages
        .iter()
        .filter(|package| package["publish"].is_null());
    let targets = published.flat_map(|package| list(&package["targets"]));
    let examples = targets.filter(|target| target["kind"][0] == "example");
    let names = examples.filter_map(|target| target["name"].as_str().map(str::to_owned));
    Ok(names.collect())
}

/// Runs all examples.
pub(crate) fn main() -> Status {
    let page = fs::read_to_string(repository().join(PAGE))?;
    let mut faults = 0;
    for name in all()? {
        if !page.contains(&format!("`{name}`")) {
            println!("{PAGE} does not name {name}");
            faults += 1;
        }
    }
    for example in &EXAMPLES {
        say(example.1);
        faults += u32::from(!runs(example));
    }
    Ok((faults != 0).into())
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn words_are_looked_for_in_their_order() {
        assert!(has(
            "x: reads=5 reloads=3 errors=0",
            &["x: reads=", " errors=0"]
        ));
        assert!(!has(
            "x: reads=5 reloads=3 errors=1",
            &["x: reads=", " errors=0"]
        ));
        assert!(!has("errors=0 x: reads=5", &["x: reads=", "errors=0"]));
    }
}
