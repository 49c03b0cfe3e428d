//! Papaya's published tests, and the examples of its documentation, on `urcu-collections`.
//!
//! The sources are those that cargo has fetched for the comparison. They are copied to a package below `target`,
//! in which our package has the name `papaya`: so the import is what changes. [`CHANGES`] and [`OMITTED`] have all
//! other changes, and what is left out, with the reasons.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::items;
use crate::run::{Status, find, name, output, repository, say, succeeds, target};

/// A file of tests, texts in it with what replaces them, and why.
type Change = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const CHANGES: [Change; 5] = [
    (
        "common.rs",
        &[
            ("use seize::Collector;", ""),
            ("let collector = || Collector::new().batch_size(128);", ""),
            (".collector(collector())", ""),
        ],
        "a map has a domain, and no collector of the package `seize`",
    ),
    (
        "stress.rs",
        &[("K: Sync + Send", "K: 'static + Sync + Send")],
        "changes require 'static: what is removed may be dropped after the map",
    ),
    (
        "common.rs",
        &[("num_cpus::get_physical().next_power_of_two()", "4")],
        "the same number of threads everywhere",
    ),
    (
        "stress.rs",
        &[
            ("else { 32 }", "else { 2 }"),
            ("else { 48 }", "else { 2 }"),
            ("else { 64 }", "else { 2 }"),
        ],
        "two rounds instead of up to 64",
    ),
    (
        "cuckoo.rs",
        &[("TEST_LEN: u64 = 10_000", "TEST_LEN: u64 = 500")],
        "half a second instead of ten",
    ),
];

/// A source file, a text of the only example in it that is left out, and why.
const OMITTED: [(&str, &str, &str); 3] = [
    (
        "lib",
        "use papaya::Guard;",
        "there is one type of guard, and no trait; a result borrows the map, too",
    ),
    (
        "map",
        "use seize::Collector;",
        "a map has a domain, and no collector",
    ),
    (
        "set",
        "use seize::Collector;",
        "a set has a domain, and no collector",
    ),
];

/// Names that we do not have.
const WITHOUT: [&str; 5] = [
    "HashMapBuilder::collector",
    "HashMapBuilder::shared_collector",
    "HashSetBuilder::collector",
    "HashSetBuilder::shared_collector",
    // A trait, and so generic guards.
    "Guard",
];

/// Returns the folder of papaya's sources.
fn sources() -> Option<PathBuf> {
    let mut metadata = Command::new("cargo");
    metadata.args(["metadata", "--format-version", "1", "--locked"]);
    let metadata = output(metadata.current_dir(repository()))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).ok()?;
    let packages = metadata["packages"].as_array()?;
    let papaya = packages
        .iter()
        .find(|package| package["name"] == "papaya")?;
    Some(
        Path::new(papaya["manifest_path"].as_str()?)
            .parent()?
            .into(),
    )
}

fn manifest() -> String {
    let ours = repository().join("urcu/collections");
    format!(
        "[package]\nname = \"papaya-tests\"\nedition = \"2021\"\n[workspace]\n[dependencies]\n\
         papaya = {{ package = \"urcu-collections\", path = {ours:?} }}\n\
         num_cpus = \"1\"\nrand = \"0.8\"\n\
         tokio = {{ version = \"1\", default-features = false, features = [\"fs\", \"rt\"] }}\n\
         [profile.test]\ninherits = \"release\"\ndebug-assertions = true\n"
    )
}

/// Copies the tests, with all changes.
fn copy_tests(from: &Path, to: &Path) -> Result<usize, Box<dyn std::error::Error>> {
    fs::create_dir_all(to)?;
    let mut tests = 0;
    for file in fs::read_dir(from)? {
        let file = file?.path();
        let mut text = fs::read_to_string(&file)?;
        tests += text.matches("#[test]").count();
        for (_, texts, why) in CHANGES.iter().filter(|change| change.0 == name(&file)) {
            for (before, after) in *texts {
                if !text.contains(before) {
                    return Err(format!("{}: there is no `{before}`", name(&file)).into());
                }
                text = text.replace(before, after);
            }
            println!("changed in {}: {why}", name(&file));
        }
        fs::write(to.join(name(&file)), text)?;
    }
    Ok(tests)
}

/// Returns the documentation in a source file as Markdown, with the example that contains `omitted` ignored.
/// An example ends with its comment, if nothing ends it before.
fn documentation(source: &str, omitted: &str) -> String {
    let mut text = String::new();
    let mut example: Option<String> = None;
    for line in source.lines() {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or(line.strip_prefix("//!"));
        let doc = doc.map(|doc| doc.strip_prefix(' ').unwrap_or(doc));
        let is_fence = doc.is_some_and(|doc| doc.starts_with("```"));
        match (example.take(), doc) {
            (None, Some(doc)) if is_fence => example = Some(format!("{doc}\n")),
            (None, doc) => text += &format!("{}\n", doc.unwrap_or_default()),
            (Some(code), Some(doc)) if !is_fence => example = Some(format!("{code}{doc}\n")),
            (Some(code), _) if code.contains(omitted) => {
                text += &format!("{}```\n\n", code.replacen("```", "```ignore,", 1));
            }
            (Some(code), _) => text += &format!("{code}```\n\n"),
        }
    }
    text
}

/// Writes the documentation of papaya as that of a library.
fn copy_examples(from: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(to)?;
    let mut library = String::new();
    for (file, omitted, why) in OMITTED {
        let source = fs::read_to_string(from.join(file).with_extension("rs"))?;
        let text = documentation(&source, omitted);
        if text.matches("```ignore").count() != 1 {
            return Err(format!("{file}.rs: not one example has `{omitted}`").into());
        }
        println!("omitted of the examples in {file}.rs, with `{omitted}`: {why}");
        fs::write(to.join(file).with_extension("md"), text)?;
        library += &format!("#[doc = include_str!(\"{file}.md\")]\npub mod of_{file} {{}}\n");
    }
    fs::write(to.join("lib.rs"), library)?;
    Ok(())
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).env_remove("CARGO_TARGET_DIR");
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    // `papaya_asan` is papaya's word for smaller tables.
    let flags = format!("{flags} --cfg papaya_asan --cap-lints allow");
    cargo.env("RUSTFLAGS", flags);
    // A test makes half a million changes under one guard, which would have to wait with the default budget.
    cargo.env("URCU_BUDGET", "10000000:1000000000");
    cargo
}

/// Runs all tests. Returns how many passed.
fn passed(work: &Path, tunables: &str) -> Option<usize> {
    let mut tests = cargo(work);
    tests.args(["test", "--quiet", "--tests", "--", "--include-ignored"]);
    tests
        .env("GLIBC_TUNABLES", tunables)
        .stderr(Stdio::inherit());
    let text = tests.output().ok()?;
    let (is_well, text) = (text.status.success(), String::from_utf8_lossy(&text.stdout));
    let lines = text.lines();
    let counts = lines.filter_map(|line| line.strip_prefix("test result: ok. "));
    let passed = counts
        .map(|line| line.split(' ').next()?.parse::<usize>().ok())
        .sum();
    if !is_well {
        println!("{text}");
    }
    passed
}

/// Compares the names of papaya's items with ours.
fn names(sources: &Path, work: &Path) -> Status {
    let copy = work.join("original");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(sources)
        .arg(&copy)
        .status()?;
    if !copied.success() {
        return Err("the sources of papaya could not be copied".into());
    }
    // A workspace of its own, though it is below another.
    let mut manifest = fs::read_to_string(copy.join("Cargo.toml"))?;
    manifest += "\n[workspace]\n";
    fs::write(copy.join("Cargo.toml"), manifest)?;
    let mut doc = cargo(&copy);
    doc.args([
        "doc",
        "--quiet",
        "--no-deps",
        "--features",
        "serde",
        "--target-dir",
    ]);
    doc.arg(work.join("items")).env("RUSTC_BOOTSTRAP", "1");
    doc.env(
        "RUSTDOCFLAGS",
        "-Zunstable-options --output-format json --cap-lints allow",
    );
    let is_well = succeeds(&mut doc);
    fs::remove_dir_all(&copy)?;
    let json = find(&work.join("items"), &|path| name(path) == "papaya.json");
    let json = json
        .filter(|_| is_well)
        .ok_or("papaya's items could not be read")?;
    let ours = repository().join("benches/ci/items/urcu-collections.txt");
    items::names(
        &items::of(&json.to_string_lossy())?,
        &fs::read_to_string(ours)?,
        &WITHOUT,
    )
}

/// Returns the status of a check that cannot be made here.
fn skipped(why: &str) -> Status {
    println!("skipped: papaya's tests: {why}");
    Ok(0)
}

pub(crate) fn main() -> Status {
    let Some(sources) = sources() else {
        return skipped("its sources cannot be fetched");
    };
    let work = target("papaya")?;
    for folder in ["src", "tests", "original"] {
        let _ = fs::remove_dir_all(work.join(folder));
    }
    fs::write(work.join("Cargo.toml"), manifest())?;
    fs::copy(repository().join("Cargo.lock"), work.join("Cargo.lock"))?;
    fs::create_dir_all(work.join("src"))?;
    fs::write(work.join("src/lib.rs"), "")?;
    if !succeeds(cargo(&work).args(["fetch", "--quiet"])) {
        return skipped("the packages that they need cannot be fetched");
    }
    let tests = copy_tests(&sources.join("tests"), &work.join("tests"))?;
    copy_examples(&sources.join("src"), &work.join("src"))?;
    let mut faults = 0;
    for (tunables, with) in [
        ("", ""),
        ("glibc.pthread.rseq=0", ", without libc's registration"),
    ] {
        say(format!("papaya's tests{with}"));
        let passed = passed(&work, tunables).unwrap_or(0);
        println!("{passed} of papaya's {tests} tests passed{with}");
        faults += u8::from(passed != tests || tests == 0);
    }
    say("papaya's examples");
    faults += u8::from(!succeeds(cargo(&work).args(["test", "--quiet", "--doc"])));
    say("papaya's names");
    Ok(faults + names(&sources, &work)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_end_with_their_comment_and_one_is_ignored() {
        let source =
            "/// A.\n/// ```\n/// one();\nfn a() {}\n//! ```rust\n//! two();\n//! ```\n//! B.\n";
        let text = documentation(source, "two");
        assert_eq!(
            text,
            "A.\n```\none();\n```\n\n```ignore,rust\ntwo();\n```\n\nB.\n"
        );
    }
}
