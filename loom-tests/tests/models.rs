//! All executions of all models go well, and the README says what they are. One test, because
//! loom's models share the processor badly with each other, and their numbers of executions are
//! worth a look (`--nocapture`).

use std::env;

use urcu_loom_tests::mutations::{FILES, MUTANTS, unheld};
use urcu_loom_tests::table::{readme, row, stated};
use urcu_loom_tests::{MODELS, deeper};

#[test]
fn every_execution_of_every_model_goes_well() {
    let readme = readme();
    for model in MODELS {
        let checked = model.check();
        println!("{}: {checked} executions", model.name);
        let Some((in_readme, here, below)) = stated(&readme, model) else {
            panic!("{} is not in README.md: models --table", model.name);
        };
        assert_eq!(
            in_readme,
            row(model, here, below),
            "README.md: models --table"
        );
        // Only where the bounds are the stated ones.
        let stated = match deeper() {
            _ if cfg!(debug_assertions) || env::var_os("LOOM_MAX_PREEMPTIONS").is_some() => {
                continue;
            }
            0 => here,
            1 => below,
            _ => continue,
        };
        assert!(
            checked.agrees_with(stated),
            "{}: {checked} executions, in README.md {stated}: models --table",
            model.name
        );
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
