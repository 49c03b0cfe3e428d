//! The lists in the README: of models, and of changes that no model notices. `models --update` writes them, and the
//! tests compare them.

use std::fs;

use crate::models::{Checked, MODELS, Model};
use crate::mutations::{Cover, KEPT, KEPT_COLLECTIONS, KEPT_OPS, MUTANTS, UNSEEN};

/// Returns a model's row: its obligation, its bounds, its executions up to its bound and one deeper, and the mutants
/// that it must catch.
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

/// The file of the lists.
pub const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Returns the README's text.
///
/// # Panics
/// If it is not there.
pub fn readme() -> String {
    fs::read_to_string(README).expect("README.md")
}

/// The line above the rows.
const ABOVE: &str = "|---|---|---|---|---|---|---|\n";

/// Nothing is known: no execution was explored.
const UNKNOWN: Checked = Checked {
    executions: 0,
    all: false,
};

/// Returns the README with new lists. The numbers of executions are the `found` ones, at the models' bounds or one
/// deeper. Other numbers stay; but if the number at the bound has changed, the old number one deeper is dropped,
/// because it belongs to an older program.
///
/// # Panics
/// If the README has no such lists.
pub fn updated(readme: &str, found: &[(&str, Checked)], deeper: bool) -> String {
    let rows: String = MODELS
        .iter()
        .map(|model| {
            let (_, mut here, mut below) = stated(readme, model).unwrap_or(("", UNKNOWN, UNKNOWN));
            let found = found.iter().find(|(name, _)| *name == model.name);
            match found {
                Some((_, checked)) if deeper => below = *checked,
                Some((_, checked)) if *checked != here => (here, below) = (*checked, UNKNOWN),
                _ => {}
            }
            row(model, here, below) + "\n"
        })
        .collect();
    let readme = replaced(readme, ABOVE, "\n\n", rows.trim_end());
    replaced(
        &readme,
        "\n\n* `",
        "\n\n##",
        unseen().trim_end().trim_start_matches("* `"),
    )
}

/// Returns `text` with `new` between the first `from` and the next `to`.
fn replaced(text: &str, from: &str, to: &str, new: &str) -> String {
    let (before, rest) = text.split_once(from).expect("the beginning of a list");
    let (_, after) = rest.split_once(to).expect("the end of a list");
    [before, from, new, to, after].concat()
}

/// Returns the README's row of a model, and its executions up to its bound and one deeper.
pub fn stated<'r>(readme: &'r str, model: &Model) -> Option<(&'r str, Checked, Checked)> {
    let name = format!("| `{}` |", model.name);
    let row = readme.lines().find(|line| line.contains(&name))?;
    let mut cells = row.split('|').skip(5);
    let mut next = || cells.next()?.trim().parse().ok();
    Some((row, next()?, next()?))
}

/// Returns what no model notices, one on each line: first orderings, in angle quotes, then other changes.
pub fn unseen() -> String {
    let kept = KEPT
        .iter()
        .chain(KEPT_OPS)
        .chain(KEPT_COLLECTIONS)
        .map(|kept| {
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
