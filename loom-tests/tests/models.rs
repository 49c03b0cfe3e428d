//! All executions of all models go well, and the README says what they are. One test, because
//! loom's models share the processor badly with each other, and their numbers of executions are
//! worth a look (`--nocapture`).

use urcu_loom_tests::mutations::{FILES, MUTANTS, unheld};
use urcu_loom_tests::{MODELS, row};

/// The README's row of a model without the number of executions, and that number.
fn in_readme(name: &str) -> Option<(String, usize)> {
    let readme = include_str!("../README.md");
    let line = readme
        .lines()
        .find(|line| line.contains(&format!("| `{name}` |")))?;
    let mut cells: Vec<&str> = line.split('|').collect();
    let executions = cells.get(5)?.trim().parse().ok()?;
    cells[5] = " 0 ";
    Some((cells.join("|"), executions))
}

#[test]
fn every_execution_of_every_model_goes_well() {
    for model in MODELS {
        let executions = model.check();
        println!("{}: {executions} executions", model.name);
        let Some((row_in_readme, stated)) = in_readme(model.name) else {
            panic!("{} is not in README.md: models --table", model.name);
        };
        assert_eq!(row_in_readme, row(model, 0), "README.md: models --table");
        // Only where the bounds are the stated ones. A few more or fewer are no news.
        let other = ["LOOM_MAX_PREEMPTIONS", "URCU_LOOM_DEEPER"];
        let other = other.iter().any(|name| std::env::var_os(name).is_some());
        if !cfg!(debug_assertions) && !other {
            assert!(
                executions <= 2 * stated && stated <= 2 * executions,
                "{}: {executions} executions, in README.md {stated}: models --table",
                model.name
            );
        }
    }
}

#[test]
fn every_mutant_has_a_model_that_must_catch_it() {
    for mutant in MUTANTS {
        assert!(
            MODELS.iter().any(|model| model.name == mutant.model),
            "{}: no model {}",
            mutant.name,
            mutant.model
        );
    }
}

#[test]
fn every_ordering_has_a_mutant_or_a_reason() {
    let sources: Vec<(&'static str, String)> = FILES
        .iter()
        .map(|file| {
            let path = format!("{}/../urcu/src/{file}", env!("CARGO_MANIFEST_DIR"));
            (*file, std::fs::read_to_string(path).expect("a source"))
        })
        .collect();
    let unheld = unheld(&sources);
    assert!(
        unheld.is_empty(),
        "neither weakened by a mutant nor in `mutations::KEPT`: {unheld:#?}"
    );
}
