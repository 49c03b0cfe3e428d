//! The sources that mutants change, and whose orderings are audited.

use std::fs;
use std::path::Path;

use super::{BANKS, LOCK, STACK};

/// Files whose atomics order nothing that other code relies on: clocks, tables for messages, the start of threads,
/// and the hooks that break the library for tests.
const NOT_AUDITED: &[&str] = &["stall/", "sys/threads/", "testing.rs"];

/// A source: its path from `urcu/src`, and its text.
pub type Source = (&'static str, String);

/// Returns all sources of `urcu/src` and of `urcu/collections/src`, and those of `rseq-ops` that are compiled
/// here.
///
/// # Panics
/// If a source cannot be read.
#[must_use]
pub fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root(), "", &mut found);
    let collections = "../collections/src/";
    collect(&root().join(collections), collections, &mut found);
    found.sort();
    let here = found.into_iter().map(|name| &*name.leak());
    let there = [BANKS, LOCK, STACK];
    here.chain(there).map(source).collect()
}

/// Returns those whose orderings are audited, with `more`.
#[must_use]
pub fn audited(more: &[&'static str]) -> Vec<Source> {
    let mut sources = sources();
    sources.retain(|(name, _)| {
        let is_test = name.ends_with("/tests.rs");
        !is_test && !NOT_AUDITED.iter().any(|not| name.starts_with(not))
    });
    sources.extend(more.iter().copied().map(source));
    sources
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../urcu/src")
}

fn source(name: &'static str) -> Source {
    let path = root().join(name);
    let text = fs::read_to_string(&path);
    (
        name,
        text.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
}

/// Collects the names of all sources below a folder.
fn collect(folder: &Path, name: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{name}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), found);
        } else if name.ends_with(".rs") {
            found.push(name);
        }
    }
}
