//! Programs, one for each thing that is promised.

use std::fs;

use urcu::ReaderMode;

use crate::compiler::{
    Build, C11, CRATE, CXX17, GNU11, GNUXX17, has_compiler, has_cxx, has_liburcu, libraries,
    passes, scratch, succeeds,
};

#[test]
fn each_call_keeps_its_promise_in_c() {
    if has_compiler() {
        passes(&C11.shared("calls.c", "calls", &[]), &[]);
        let calls = Build {
            arguments: &["-DURCU_PERCPU_NO_INLINE"],
            ..C11
        };
        passes(&calls.shared("calls.c", "calls-out-of-line", &[]), &[]);
    }
}

#[test]
fn each_call_keeps_its_promise_in_cxx() {
    if has_compiler() && has_cxx() {
        passes(&CXX17.shared("calls.c", "calls-cxx", &[]), &[]);
    }
}

#[test]
fn sources_of_cxx_share_functions_that_begin_sections() {
    if !has_compiler() || !has_cxx() {
        return;
    }
    let object = scratch("programs").join(format!("units-{}.o", std::process::id()));
    let mut command = CXX17.command();
    command.args(["-c", "-DOTHER_UNIT", "-o"]).arg(&object);
    succeeds(command.arg(format!("{CRATE}/tests/c/units.cc")));
    let others = [object.to_str().expect("a name in UTF-8")];
    passes(&CXX17.shared("units.cc", "units", &others), &[]);
    let _ = fs::remove_file(&object);
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
fn liburcus_lists_need_no_library_of_liburcu() {
    if has_compiler() && has_liburcu() {
        passes(&GNU11.shared("list.c", "list", &[]), &[]);
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

#[test]
fn what_cannot_go_on_ends_the_process_and_unwinds_nothing() {
    if has_compiler() {
        passes(&GNU11.shared("ends.c", "ends", &[]), &[]);
    }
    if has_compiler() && has_cxx() {
        passes(&GNUXX17.shared("ends.c", "ends-cxx", &[]), &[]);
    }
}

#[test]
fn workers_call_in_order_and_survive_forks_and_their_end() {
    if has_compiler() {
        passes(&GNU11.shared("workers.c", "workers", &[]), &[]);
    }
}

#[test]
fn no_reader_sees_what_was_freed() {
    if !has_compiler() {
        return;
    }
    let inlined = if expects_sequences() { "1" } else { "any" };
    passes(&GNU11.shared("stress.c", "stress", &[]), &[inlined]);
    let calls = Build {
        arguments: &["-DURCU_PERCPU_NO_INLINE"],
        ..GNU11
    };
    passes(
        &calls.shared("stress.c", "stress-out-of-line", &[]),
        &["any"],
    );
}

/// Returns whether programs here use their own sequences.
fn expects_sequences() -> bool {
    drop(urcu::read_lock());
    cfg!(target_arch = "x86_64")
        && !cfg!(any(rseq_ops_portable, rseq_ops_delay_injection))
        && matches!(urcu::reader_mode(), ReaderMode::LibcRegistered { .. })
}

#[test]
fn a_thread_can_be_cancelled_whatever_it_calls() {
    if has_compiler() {
        passes(&GNU11.shared("cancelled.c", "cancelled", &[]), &[]);
    }
}

#[test]
fn forty_plugins_and_two_copies_of_the_library_live_in_a_process_that_has_threads() {
    if !has_compiler() {
        return;
    }
    let folder = scratch(&format!("plugins-{}", std::process::id()));
    let plugin = Build {
        arguments: &["-shared", "-fPIC"],
        ..GNU11
    };
    let plugin = plugin.shared("plugin.c", "plugin", &[]);
    let mut arguments = Vec::new();
    for number in 0..40 {
        let copy = folder.join(format!("plugin-{number}.so"));
        fs::copy(&plugin, &copy).unwrap();
        arguments.push(copy.to_str().unwrap().to_owned());
    }
    for number in 0..2 {
        let copy = folder.join(format!("copy-{number}.so"));
        fs::copy(libraries().join("liburcu-percpu.so.0"), &copy).unwrap();
        arguments.push(copy.to_str().unwrap().to_owned());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    passes(&GNU11.program("host.c", "host", &["-ldl"]), &arguments);
    fs::remove_dir_all(&folder).unwrap();
}
