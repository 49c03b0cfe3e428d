//! A signal at each instruction of a section.

use std::path::Path;
use std::process::Command;

use crate::compiler::{Build, GNU11, has_compiler, is_there, libraries, passes, skip, succeeds};

/// Returns where the instructions of a function lie, counted from its start, in hexadecimal.
fn instructions(object: &Path, function: &str) -> Vec<String> {
    let mut objdump = Command::new("objdump");
    objdump.args([
        "-d",
        "--no-show-raw-insn",
        &format!("--disassemble={function}"),
    ]);
    let output = succeeds(objdump.arg(object));
    let text = String::from_utf8_lossy(&output.stdout);
    let address = |line: &str| {
        let (address, _) = line.trim().split_once(':')?;
        u64::from_str_radix(address, 16).ok()
    };
    let lines = text
        .lines()
        .skip_while(|line| !line.contains(&format!("<{function}>:")));
    let found: Vec<u64> = lines.skip(1).filter_map(address).collect();
    assert!(found.len() > 15, "{function}: {text}");
    found
        .iter()
        .map(|at| format!("{:x}", at - found[0]))
        .collect()
}

fn can_step() -> bool {
    if !cfg!(target_arch = "x86_64") {
        skip("breakpoints are x86-64's here");
        return false;
    }
    if !is_there("objdump") {
        skip("there is no objdump");
        return false;
    }
    has_compiler()
}

fn steps(program: &Path, which: &str, instructions: &[String]) {
    let mut arguments = vec![which];
    arguments.extend(instructions.iter().map(String::as_str));
    passes(program, &arguments);
}

#[test(200)]
fn a_handler_at_each_instruction_of_an_inlined_section_does_no_harm() {
    if can_step() {
        let program = GNU11.shared("steps.c", "steps", &[]);
        steps(&program, "section", &instructions(&program, "one_section"));
    }
}

#[test(200)]
fn a_handler_at_each_instruction_of_the_functions_does_no_harm() {
    if !can_step() {
        return;
    }
    let calls = Build {
        arguments: &["-DURCU_PERCPU_NO_INLINE"],
        ..GNU11
    };
    for which in ["lock", "unlock"] {
        let program = calls.shared("steps.c", &format!("steps-{which}"), &[]);
        let library = libraries().join("liburcu-percpu.so");
        steps(
            &program,
            which,
            &instructions(&library, &format!("urcu_percpu_read_{which}")),
        );
    }
}
