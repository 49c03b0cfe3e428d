//! Runs models: all, or those whose names contain an argument. With `--table`, prints their rows for
//! the README.

use std::time::Instant;

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let table = wanted.first().is_some_and(|first| first == "--table");
    if table {
        wanted.remove(0);
    }
    for model in urcu_loom_tests::MODELS {
        if wanted.is_empty() || wanted.iter().any(|part| model.name.contains(part.as_str())) {
            let start = Instant::now();
            let executions = model.check();
            if table {
                println!("{}", urcu_loom_tests::row(model, executions));
                continue;
            }
            println!(
                "{:50} {:2} preemptions {executions:9} executions {:7.2} s",
                model.name,
                model.preemptions,
                start.elapsed().as_secs_f64()
            );
        }
    }
}
