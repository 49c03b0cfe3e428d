//! Checks that are too long for a shell script: `.ci/guests`, `.ci/sanitizers`, `.ci/litmus`, `.ci/packages`
//! and `.ci/crossbeam` start them.

#[cfg(test)]
#[macro_use]
extern crate test_deadline;

mod debian;
mod gallery;
mod guests;
mod items;
mod licences;
mod litmus;
mod packages;
mod run;
mod sanitizers;

use std::process::ExitCode;

const USAGE: &str = "\
usage: .ci/guests [--short] [WORD...]   tests and torture in virtual machines
       .ci/sanitizers [--short]         the suites under sanitizers
       .ci/litmus                       the litmus tests, with herd7
       .ci/packages [--update]          what is published: files, metadata, features, licences, items
       gallery                          the examples, each for a moment
       items ORIGINAL FACE [EXTRA...]   the public items of two crates, by rustdoc's JSON (.ci/crossbeam)";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let check = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let status = match (&check[..], &arguments[..]) {
        ("guests", arguments) => guests::main(arguments),
        ("sanitizers", []) => sanitizers::main(false),
        ("sanitizers", [short]) if short == "--short" => sanitizers::main(true),
        ("litmus", []) => litmus::main(),
        ("gallery", []) => gallery::main(),
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
