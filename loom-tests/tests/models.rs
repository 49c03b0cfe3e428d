//! All executions of all models must pass, and the README must list the models and their numbers. Each model runs in
//! a process of its own, as many at once as there are processors.

#[macro_use]
extern crate test_deadline;

use std::env;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use urcu_loom_tests::mutations::{
    AUDITED, Cover, KEPT, KEPT_COLLECTIONS, KEPT_OPS, MUTANTS, UNSEEN, audited, unheld,
};
use urcu_loom_tests::table::{readme, stated, updated};
use urcu_loom_tests::{MODELS, Model, deeper};

/// The model that a child process checks.
const MODEL: &str = "URCU_LOOM_MODEL";

// One bound deeper this may take an hour; each model has its own deadline.
#[test(7200)]
fn every_execution_of_every_model_goes_well() {
    let readme = readme();
    let mut left: Vec<_> = MODELS.iter().collect();
    // The longest model starts first (it is popped from the end), so that it does not run alone at the end.
    left.sort_by_key(|model| {
        stated(&readme, model).map_or(usize::MAX, |(_, here, _)| here.executions)
    });
    let left = Mutex::new(left);
    let failed = Mutex::new(Vec::new());
    let work = || {
        let next = || left.lock().expect("no panic").pop();
        while let Some(model) = next() {
            if !in_a_process_of_its_own(model) {
                failed.lock().expect("no panic").push(model.name);
            }
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.is_empty(), "these models failed: {failed:?}");
}

fn in_a_process_of_its_own(model: &Model) -> bool {
    let output = Command::new(env::current_exe().expect("the path of this program"))
        .args(["--ignored", "--exact", "one_model", "--nocapture"])
        .env(MODEL, model.name)
        .output()
        .expect("a process for a model");
    let said = String::from_utf8_lossy(&output.stdout);
    for line in said.lines().filter(|line| line.contains(" executions")) {
        println!("{line}");
    }
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        println!("{}: {}\n{said}{errors}", model.name, output.status);
    }
    output.status.success()
}

#[test(900)]
#[ignore = "runs in a process of the test above"]
fn one_model() {
    let name = env::var(MODEL).expect("a model's name");
    let model = MODELS.iter().find(|model| model.name == name);
    let model = model.expect("a model");
    let readme = readme();
    let Some((_, here, below)) = stated(&readme, model) else {
        panic!("README.md does not list {name}; run models --update {name}");
    };
    // Numbers are compared only if the bounds are the stated ones.
    let elsewhere = cfg!(debug_assertions) || env::var_os("LOOM_MAX_PREEMPTIONS").is_some();
    let stated = match deeper() {
        0 if !elsewhere => Some(here),
        1 if !elsewhere => Some(below),
        _ => None,
    };
    let most = stated.filter(|stated| stated.all);
    let checked = model.check_at_most(most.map_or(usize::MAX, |stated| stated.executions));
    println!("{name}: {checked} executions");
    if let Some(stated) = stated {
        assert!(
            checked.agrees_with(stated),
            "{name}: {checked} executions, but README.md says {stated}; run models --update {name}"
        );
    }
}

#[test]
fn the_readme_has_the_lists_of_models_and_of_what_they_do_not_notice() {
    let readme = readme();
    assert!(
        updated(&readme, &[], false) == readme,
        "README.md is not up to date; run models --update none"
    );
}

#[test]
fn every_mutant_has_a_model_that_must_catch_it() {
    for mutant in MUTANTS.iter() {
        assert!(
            MODELS.iter().any(|model| model.name == mutant.model),
            "the mutant {} names no model: {}",
            mutant.name,
            mutant.model
        );
    }
}

/// Returns the text of a file of the repository.
fn file(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn what_no_model_notices_is_covered() {
    let kept = KEPT.iter().chain(KEPT_OPS).chain(KEPT_COLLECTIONS);
    let covers = kept.map(|kept| kept.cover);
    for cover in covers.chain(UNSEEN.iter().map(|unseen| unseen.cover)) {
        match cover {
            Cover::Litmus(forbidden, mutant) => {
                for (name, expected) in [(forbidden, "Never"), (mutant, "Sometimes")] {
                    let test = file(&format!("loom-tests/litmus/{name}.litmus"));
                    let expected = format!("Expected: {expected} ");
                    assert!(
                        test.contains(&expected),
                        "the litmus test {name} does not say {expected}"
                    );
                }
            }
            Cover::Test(path, name) => {
                let test = format!("#[test]\nfn {name}() {{");
                assert!(file(path).contains(&test), "{path} has no test {name}");
            }
            Cover::Harmless => {}
        }
    }
}

#[test]
fn every_ordering_has_a_mutant_or_a_reason() {
    let unheld = unheld(&audited(AUDITED));
    assert!(
        unheld.is_empty(),
        "orderings without a mutant and without a reason in `mutations::KEPT`: {unheld:#?}"
    );
}
