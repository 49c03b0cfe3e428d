//! All executions of all models go well, and the README says what they are. The models are run by
//! as many processes as there are processors: in one process they would share it badly. Their numbers
//! of executions are worth a look (`--nocapture`).

use std::env;
use std::fs;
use std::process::Command;
use std::thread;

use urcu_loom_tests::mutations::{AUDITED, Cover, FILES, KEPT, KEPT_OPS, MUTANTS, UNSEEN, unheld};
use urcu_loom_tests::table::{readme, row, stated, unseen};
use urcu_loom_tests::{MODELS, deeper};

/// Which share of the models a process runs: a number, and of how many.
const SHARE: [&str; 2] = ["URCU_LOOM_SHARE", "URCU_LOOM_SHARES"];

#[test]
fn every_execution_of_every_model_goes_well() {
    let shares = thread::available_parallelism().map_or(1, usize::from);
    let processes: Vec<_> = (0..shares)
        .map(|share| {
            Command::new(env::current_exe().expect("the path of this program"))
                .args(["--ignored", "--exact", "share_of_the_models", "--nocapture"])
                .env(SHARE[0], share.to_string())
                .env(SHARE[1], shares.to_string())
                .spawn()
                .expect("a process for models")
        })
        .collect();
    let failed = processes
        .into_iter()
        .map(|mut process| process.wait().expect("its end"))
        .filter(|status| !status.success());
    assert_eq!(failed.count(), 0, "processes that found something");
}

#[test]
#[ignore = "a part of the above"]
fn share_of_the_models() {
    let number = |name, all| env::var(name).map_or(all, |text| text.parse().expect("a number"));
    let (share, shares) = (number(SHARE[0], 0), number(SHARE[1], 1));
    let readme = readme();
    for model in MODELS.iter().skip(share).step_by(shares) {
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
    let covers = KEPT.iter().chain(KEPT_OPS).map(|kept| kept.cover);
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
        .chain(AUDITED)
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
