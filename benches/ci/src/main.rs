//! Checks that are too long for a shell script. `.ci/guests`, `.ci/sanitizers`, `.ci/litmus`, `.ci/packages`,
//! `.ci/papaya` and `.ci/crossbeam` run this program.

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod debian;
mod gallery;
mod guests;
mod items;
mod licences;
mod litmus;
mod oldest;
mod packages;
mod papaya;
mod run;
mod sanitizers;

use std::process::ExitCode;

const USAGE: &str = "\
usage: urcu-ci CHECK [ARGUMENT...]
       guests [--short] [WORD...]       runs tests and torture in virtual machines (.ci/guests)
       sanitizers [--short] [WORD...]   runs the suites under sanitizers (.ci/sanitizers)
       litmus                           runs the litmus tests with herd7 (.ci/litmus)
       packages [--update]              checks files, metadata, features, licences and items (.ci/packages)
       oldest                           compiles what is published with the oldest Rust promised
       papaya                           runs papaya's tests on urcu-collections (.ci/papaya)
       gallery                          runs each example for a moment
       items ORIGINAL FACE [EXTRA...]   compares the public items of two crates (.ci/crossbeam)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let check = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let status = match (&check[..], &arguments[..]) {
        ("guests", arguments) => guests::main(arguments),
        ("sanitizers", arguments) => sanitizers::main(arguments),
        ("litmus", []) => litmus::main(),
        ("oldest", []) => oldest::main(),
        ("gallery", []) => gallery::main(),
        ("papaya", []) => papaya::main(),
        ("packages", []) => packages::main(false),
        ("packages", [update]) if update == "--update" => packages::main(true),
        ("items", [original, face, extras @ ..]) => items::compare(original, face, extras),
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
