//! The table of models in the README, which `models --table` prints and a test compares.

use std::fs;

use crate::models::{Checked, Model};
use crate::mutations::MUTANTS;

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
