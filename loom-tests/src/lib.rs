//! Loom models of the sources that `urcu-percpu` ships.
//!
//! `readers.rs`, `rounds.rs`, `grace_period.rs`, `callbacks/sealing.rs` and the stack of `rseq-ops`
//! are compiled unchanged, against an emulated kernel ([`machine`]) in the place of the real one. [`MODELS`] lists what runs on it; the program
//! `mutants` shows that the models would notice if something were missing.

// The shipped sources have functions that no model needs.
#![allow(dead_code)]

#[path = "../../urcu/src/grace_period.rs"]
mod grace_period;
pub mod machine;
mod models;
pub mod mutations;
mod percpu;
#[path = "../../urcu/src/readers.rs"]
mod readers;
#[path = "../../urcu/src/rounds.rs"]
mod rounds;
#[path = "../../urcu/src/callbacks/sealing.rs"]
mod sealing;

pub use models::{MODELS, Model};

static MUTATED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Breaks the sources, where they are compiled to be broken: mutant `number` from now on.
pub fn mutate(number: usize) {
    MUTATED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Which mutant the sources are.
pub(crate) fn mutated() -> usize {
    MUTATED.load(std::sync::atomic::Ordering::Relaxed)
}

/// A model's row in the table of the README: what it holds, its bounds, the mutants it must catch.
pub fn row(model: &Model, executions: usize) -> String {
    let mutants: Vec<String> = mutations::MUTANTS
        .iter()
        .filter(|mutant| mutant.model == model.name)
        .map(|mutant| format!("{}: {}", mutant.letter, mutant.name))
        .collect();
    format!(
        "| {} | `{}` | {} | {} | {executions} | {} |",
        model.obligation,
        model.name,
        model.size,
        model.preemptions,
        mutants.join("; ")
    )
}
