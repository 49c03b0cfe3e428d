//! Checks that are too long for a shell script: `.ci/guests`, `.ci/sanitizers` and `.ci/litmus` start
//! them.

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod debian;
mod guests;
mod litmus;
mod run;
mod sanitizers;

use std::process::ExitCode;

const USAGE: &str = "\
usage: .ci/guests [--short] [WORD...]   tests and torture in virtual machines
       .ci/sanitizers [--short]         the suites under sanitizers
       .ci/litmus                       the litmus tests, with herd7";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let check = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let status = match (&check[..], &arguments[..]) {
        ("guests", arguments) => guests::main(arguments),
        ("sanitizers", []) => sanitizers::main(false),
        ("sanitizers", [short]) if short == "--short" => sanitizers::main(true),
        ("litmus", []) => litmus::main(),
        _ => {
            eprintln!("{USAGE}");
            Ok(2)
        }
    };
    match status {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("{check}: {error}");
            ExitCode::FAILURE
        }
    }
}
