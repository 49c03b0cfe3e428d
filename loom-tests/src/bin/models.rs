//! Runs all models, or those whose names contain an argument. `--update` also writes the lists in README.md: the
//! numbers of executions of the models that ran, and everything else anew.

use std::fs;
use std::time::Instant;

use urcu_loom_tests::table::{README, readme, updated};
use urcu_loom_tests::{MODELS, deeper};

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let update = wanted.first().is_some_and(|first| first == "--update");
    if update {
        wanted.remove(0);
        let elsewhere = cfg!(debug_assertions)
            || deeper() > 1
            || std::env::var_os("LOOM_MAX_PREEMPTIONS").is_some();
        assert!(
            !elsewhere,
            "--update needs the bounds of README.md: a release build without variables that change them"
        );
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let mut found = Vec::new();
    for model in MODELS.iter().filter(|model| is_wanted(model.name)) {
        let start = Instant::now();
        let executions = model.check();
        println!(
            "{:50} {:2} preemptions {executions:>10} executions {:7.2} s",
            model.name,
            model.bound(),
            start.elapsed().as_secs_f64()
        );
        found.push((model.name, executions));
    }
    if update {
        let text = updated(&readme(), &found, deeper() == 1);
        fs::write(README, text).expect("README.md can be written");
    }
}
