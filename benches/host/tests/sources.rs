//! Rules for every source file: its length, its comments and the words it uses.

#[macro_use]
extern crate test_deadline;

use std::fs;
use std::path::{Path, PathBuf};

/// The greatest number of lines of a file: about 500, and a little more for a hash map.
const LINES: usize = 530;

/// Words for which the field has better ones, and the words to use instead.
const WORDS: [(&str, &str); 8] = [
    ("incarnation", "fork generation"),
    ("is_of_now", "is_current_generation"),
    ("ripe", "ready"),
    ("_slowly", "_slow"),
    ("PERIOD_BIT", "PHASE_BIT"),
    ("NotReserved", "ReserveError"),
    ("Handle::inert", "Handle::unregistered"),
    ("old period", "old phase"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Calls `check` with the path and the text of each source file of the repository, except this one.
fn for_each_source(mut check: impl FnMut(&Path, &str)) {
    let mut folders: Vec<_> = ["benches", "loom-tests", "rseq-ops", "urcu"]
        .map(|folder| root().join(folder))
        .into();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with(file!())
            {
                check(&path, &fs::read_to_string(&path).unwrap());
                files += 1;
            }
        }
    }
    assert!(files > 300, "only {files} files were found");
}

/// Collects the lines for which `wrong` returns what is wrong with them.
fn wrong_lines(wrong: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for_each_source(|path, text| {
        for (number, line) in text.lines().enumerate() {
            if let Some(wrong) = wrong(line) {
                found.push(format!("{}:{}: {wrong}", path.display(), number + 1));
            }
        }
    });
    found
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut long = Vec::new();
    for_each_source(|path, text| {
        let lines = text.lines().count();
        if lines > LINES {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    });
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_safety_comment_gives_its_own_reason() {
    const POINTERS: [&str; 5] = [
        "the caller's.",
        "as above",
        "as there",
        "as in `",
        "by the caller.",
    ];
    let found = wrong_lines(|line| {
        let reason = line.split_once("// SAFETY: ")?.1;
        let points = POINTERS.iter().any(|pointer| reason.starts_with(pointer));
        points.then(|| format!("points elsewhere: {reason}"))
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A summary begins with a verb, or names what the item is.
#[test]
fn no_public_summary_begins_with_a_question() {
    let mut found = Vec::new();
    for_each_source(|path, text| {
        let mut summary = None;
        for line in text.lines().map(str::trim_start) {
            if let Some(doc) = line.strip_prefix("///") {
                summary = summary.or(Some(doc.trim_start()));
            } else if !line.starts_with("#[") {
                let summary = summary.take().filter(|_| line.starts_with("pub "));
                if let Some(question) = summary.filter(|summary| is_question(summary)) {
                    found.push(format!("{}: {question}", path.display()));
                }
            }
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn is_question(summary: &str) -> bool {
    const WORDS: [&str; 5] = ["What", "How", "Whether", "Who", "Where"];
    let first = summary.split(' ').next();
    first.is_some_and(|first| WORDS.contains(&first))
}

#[test]
fn words_are_the_fields() {
    let found = wrong_lines(|line| {
        let is_word = |at: usize, word: &str| {
            let ends = [
                line[..at].chars().next_back(),
                line[at + word.len()..].chars().next(),
            ];
            ends.iter()
                .all(|end| end.is_none_or(|end| !end.is_alphanumeric()))
        };
        let (word, better) = WORDS.iter().find(|(word, _)| {
            line.match_indices(word)
                .any(|(at, _)| word.starts_with('_') || is_word(at, word))
        })?;
        Some(format!("`{word}`; say `{better}`"))
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_readme_is_short() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = text.lines().count();
    assert!(lines <= 120, "{lines} lines");
}
