//! Runs models: all, or those whose names contain an argument.

use std::time::Instant;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for model in urcu_loom_tests::MODELS {
        if wanted.is_empty() || wanted.iter().any(|part| model.name.contains(part.as_str())) {
            let start = Instant::now();
            let executions = model.check();
            println!(
                "{:50} {:2} preemptions {executions:9} executions {:7.2} s",
                model.name,
                model.preemptions,
                start.elapsed().as_secs_f64()
            );
        }
    }
}
