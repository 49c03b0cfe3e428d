//! Rules for every Markdown page: what it links to is there, and it shows what it says.

#[macro_use]
extern crate test_deadline;

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every Markdown page of the repository with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if entry.file_type().unwrap().is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(&path).unwrap();
                pages.push((path, text));
            }
        }
    }
    assert!(pages.len() > 10, "only {} pages were found", pages.len());
    pages
}

/// Returns the lines of a page outside blocks of code, with their numbers and without code between backticks.
fn prose(text: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let outside = line.split('`').step_by(2).collect::<Vec<_>>();
            lines.push((number, outside.join("")));
        }
    }
    lines
}

/// Returns whether a line has what a browser takes for a tag, such as `Mutex<VecDeque>`.
fn has_tag(line: &str) -> bool {
    line.match_indices('<').any(|(at, _)| {
        let is_escaped = line[..at].ends_with('\\');
        !is_escaped && line[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
    })
}

/// Returns the targets of a line's links that are files.
fn files_linked(line: &str) -> impl Iterator<Item = &str> {
    let targets = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let files = targets.filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty() && !file.contains("://"))
}

#[test]
fn no_name_is_taken_for_a_tag() {
    let mut found = Vec::new();
    for (path, text) in pages() {
        for (number, line) in prose(&text) {
            if has_tag(&line) {
                found.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_that_a_page_links_to_is_there() {
    let mut missing = Vec::new();
    let mut links = 0;
    for (path, text) in pages() {
        for (number, line) in prose(&text) {
            for file in files_linked(&line) {
                links += 1;
                if !path.parent().unwrap().join(file).exists() {
                    missing.push(format!("{}:{number}: {file}", path.display()));
                }
            }
        }
    }
    assert!(links > 50, "only {links} links were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn what_is_wrong_in_a_page_is_found() {
    assert!(has_tag("| Mutex<VecDeque> |") && has_tag("a</b"));
    assert!(!has_tag("| Mutex\\<VecDeque> | 1 < 2 |") && !has_tag("a <- b"));
    let text = "a `Vec<u8>`\n```\nVec<u8>\n```\nb";
    assert_eq!(prose(text), [(1, "a ".to_owned()), (5, "b".to_owned())]);
    let line = "[a](b.md), [c](https://d.e) and [f](g/h.rs#i)";
    assert!(files_linked(line).eq(["b.md", "g/h.rs"]));
}
