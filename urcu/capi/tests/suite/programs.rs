//! Programs, one for each thing that is promised.

use crate::compiler::{C11, CXX17, GNU11, has_compiler, has_cxx, has_liburcu, passes};

#[test]
fn each_call_keeps_its_promise_in_c() {
    if has_compiler() {
        passes(&C11.shared("calls.c", "calls", &[]), &[]);
    }
}

#[test]
fn each_call_keeps_its_promise_in_cxx() {
    if has_compiler() && has_cxx() {
        passes(&CXX17.shared("calls.c", "calls-cxx", &[]), &[]);
    }
}

#[test]
fn a_c_program_links_with_the_static_library() {
    if has_compiler() {
        let archive = format!(
            "{}/liburcu-percpu.a",
            crate::compiler::libraries().display()
        );
        let libraries = [archive.as_str(), "-lgcc_s", "-lm", "-ldl"];
        passes(&C11.program("calls.c", "calls-static", &libraries), &[]);
    }
}

#[test]
fn both_flavours_live_in_one_program() {
    if has_compiler() && has_liburcu() {
        passes(&GNU11.shared("both.c", "both", &["-lurcu-memb"]), &[]);
    }
}

#[test]
fn liburcus_hash_table_runs_on_this_flavour() {
    if has_compiler() && has_liburcu() {
        passes(&GNU11.shared("lfht.c", "lfht", &["-lurcu-cds"]), &[]);
    }
}

#[test]
fn sections_and_callbacks_survive_forks() {
    if has_compiler() {
        passes(&GNU11.shared("forks.c", "forks", &[]), &[]);
    }
}
