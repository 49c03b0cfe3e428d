//! All executions of all models go well, and the README says what they are. One test, because
//! loom's models share the processor badly with each other, and their numbers of executions are
//! worth a look (`--nocapture`).

use std::env;
use std::fs;

use urcu_loom_tests::mutations::{Cover, FILES, KEPT, MUTANTS, UNSEEN, unheld};
use urcu_loom_tests::table::{readme, row, stated, unseen};
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

/// A file of the repository.
fn file(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn what_no_model_notices_is_covered_and_in_the_readme() {
    let covers = KEPT.iter().map(|kept| kept.cover);
    for cover in covers.chain(UNSEEN.iter().map(|unseen| unseen.cover)) {
        match cover {
            Cover::Litmus(forbidden, mutant) => {
                for (name, expected) in [(forbidden, "Never"), (mutant, "Sometimes")] {
                    let test = file(&format!("loom-tests/litmus/{name}.litmus"));
                    let expected = format!("Expected: {expected} ");
                    assert!(test.contains(&expected), "{name}: not {expected}");
                }
            }
            Cover::Test(path, name) => {
                let test = format!("#[test]\nfn {name}() {{");
                assert!(file(path).contains(&test), "{path}: no test {name}");
            }
            Cover::Harmless => {}
        }
    }
    let list = format!("\n\n{}\n", unseen());
    assert!(readme().contains(&list), "README.md: models --unseen");
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
