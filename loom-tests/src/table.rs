//! The lists in the README: of models, which `models --table` prints, and of what they do not notice,
//! which `models --unseen` prints. A test compares.

use std::fs;

use crate::models::{Checked, Model};
use crate::mutations::{Cover, KEPT, KEPT_OPS, MUTANTS, UNSEEN};

/// A model's row: what it holds, its bounds, its executions up to its bound and one deeper, and the
/// mutants it must catch.
pub fn row(model: &Model, executions: Checked, deeper: Checked) -> String {
    let mutants: Vec<String> = MUTANTS
        .iter()
        .filter(|mutant| mutant.model == model.name)
        .map(|mutant| format!("{}: {}", mutant.letter, mutant.name))
        .collect();
    format!(
        "| {} | `{}` | {} | {} | {executions} | {deeper} | {} |",
        model.obligation,
        model.name,
        model.size,
        model.preemptions,
        mutants.join("; ")
    )
}

/// What the README says.
///
/// # Panics
/// If it is not there.
pub fn readme() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    fs::read_to_string(path).expect("README.md")
}

/// What the README says of a model: the row, and its executions up to its bound and one deeper.
pub fn stated<'r>(readme: &'r str, model: &Model) -> Option<(&'r str, Checked, Checked)> {
    let name = format!("| `{}` |", model.name);
    let row = readme.lines().find(|line| line.contains(&name))?;
    let mut cells = row.split('|').skip(5);
    let mut next = || cells.next()?.trim().parse().ok();
    Some((row, next()?, next()?))
}

/// What no model notices, a line each: first orderings, which stand in angle quotes, then changes.
pub fn unseen() -> String {
    let kept = KEPT.iter().chain(KEPT_OPS).map(|kept| {
        let text: Vec<&str> = kept.text.split_whitespace().collect();
        let text = text.join(" ").replace('`', "");
        let what = format!("`{}`: `{text}`", kept.file);
        (what, kept.why, kept.cover)
    });
    let unseen = UNSEEN
        .iter()
        .map(|unseen| (unseen.change.to_owned(), unseen.why, unseen.cover));
    kept.chain(unseen)
        .map(|(what, why, cover)| match cover {
            Cover::Litmus(forbidden, mutant) => {
                format!("* {what} - {why}. Litmus tests `{forbidden}`, `{mutant}`\n")
            }
            Cover::Test(file, name) => format!("* {what} - {why}. `{name}` in `{file}`\n"),
            Cover::Harmless => format!("* {what} - {why}. Harmless\n"),
        })
        .collect()
}
