//! Runs models: all, or those whose names contain an argument. With `--table`, prints their rows for
//! the README: with new numbers of what was run, and the others as they are there. With `--unseen`,
//! prints what no model notices.

use std::time::Instant;

use urcu_loom_tests::table::{readme, row, stated, unseen};
use urcu_loom_tests::{Checked, MODELS, deeper};

/// Of a model that is not in the README.
const UNKNOWN: Checked = Checked {
    executions: 0,
    all: false,
};

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.first().is_some_and(|first| first == "--unseen") {
        print!("{}", unseen());
        return;
    }
    let table = wanted.first().is_some_and(|first| first == "--table");
    if table {
        wanted.remove(0);
    }
    let readme = readme();
    for model in MODELS {
        if wanted.is_empty() || wanted.iter().any(|part| model.name.contains(part.as_str())) {
            let start = Instant::now();
            let executions = model.check();
            if table {
                let (_, here, below) = stated(&readme, model).unwrap_or(("", UNKNOWN, UNKNOWN));
                println!(
                    "{}",
                    match deeper() {
                        0 => row(model, executions, below),
                        _ => row(model, here, executions),
                    }
                );
                continue;
            }
            println!(
                "{:50} {:2} preemptions {executions:>10} executions {:7.2} s",
                model.name,
                model.bound(),
                start.elapsed().as_secs_f64()
            );
        }
    }
}
