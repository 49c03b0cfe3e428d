//! The sources are built in layers: a file imports only from the floors below its own.
//!
//! Put each new file on a floor here: the lowest one that is above everything that the file imports.

#[macro_use]
extern crate test_deadline;

use std::path::Path;

use urcu_host::imports::Imports;

/// The floors from the top. A room is a module with everything below it.
type Floors = &'static [&'static [&'static str]];

const BENCHES: Floors = &[
    &["lib"],
    &["publish"],
    &["page"],
    &["plots", "report", "scale", "tasks"],
    &["losses"],
    &["results"],
    &["grace", "run"],
    &["record", "structures", "subjects", "target", "window"],
    &[
        "bars",
        "cells",
        "child",
        "curves",
        "floor",
        "measure",
        "memb",
        "membarrier",
        "subject",
        "table",
    ],
];

const HOST: Floors = &[
    &["lib"],
    &["signals", "transient"],
    &[
        "affinity", "imports", "machine", "patience", "poison", "schedule", "seccomp", "stamped",
        "threads",
    ],
];

const CI: Floors = &[
    &["oldest"],
    &[
        "gallery",
        "guests",
        "litmus",
        "packages",
        "papaya",
        "sanitizers",
    ],
    &["debian", "items", "licences"],
    &["run"],
];

const TORTURE: Floors = &[
    &["lib"],
    // The program.
    &["session"],
    &["rebuild"],
    &["options", "supervisor"],
    // The process of a scenario.
    &["perform"],
    &["scenarios"],
    &["scenario"],
    // The loads, and the monitor that watches them.
    &["monitor", "readers", "report", "updaters"],
    &["delays"],
    &["run"],
    // The reports.
    &["follow"],
    &["outcome", "progress", "settings"],
    &[
        "breaks",
        "console",
        "counts",
        "environment",
        "faults",
        "random",
        "versions",
    ],
];

const FUZZ: Floors = &[
    &["lib"],
    &["collections", "hand"],
    &["work"],
    &["world", "woken"],
    &["cells", "links", "percpu", "place"],
    &["helpers", "ledger", "panics"],
    &["check", "input"],
];

const RSEQ_OPS: Floors = &[
    &["lib"],
    &["features"],
    &["cpu", "percpu"],
    &["ops", "registration"],
    // The sequences, a folder for each processor.
    &["arch"],
    &["handle", "membarrier"],
    &[
        "abi",
        "auxiliary",
        "delay",
        "lookup",
        "outcome",
        "possible_cpus",
        "record",
    ],
];

/// `urcu/src`. (`docs` and `testing`, which the library's own tests use, import nothing.)
const URCU: Floors = &[
    &["lib"],
    &["cell", "raw"],
    &["global", "polling"],
    &["domain"],
    &["driver"],
    &["callbacks"],
    &["stall", "stats"],
    &["settings"],
    &["gp"],
    &["sys"],
    &["sync"],
    &["docs", "testing"],
];

/// `src` is a folder of this repository.
fn keeps_to(src: &str, floors: Floors) {
    keep_to(src, &imports(src), floors);
}

fn imports(src: &str) -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Imports::of(&root.join(src)).unwrap()
}

fn keep_to(src: &str, imports: &Imports, floors: Floors) {
    let faults = imports.faults(floors);
    assert!(faults.is_empty(), "{src}:\n{}", faults.join("\n"));
    // The floors are not vacuous: no import between rooms could be reversed.
    for (from, to) in imports.arrows() {
        let room = |file: &str| file.split("::").next().map(str::to_owned);
        if room(from) != room(to) {
            let turned = imports.turned(from, to);
            assert!(!turned.faults(floors).is_empty(), "{src}: {from} -> {to}");
        }
    }
    assert!(imports.arrows().count() > 0);
}

#[test]
fn the_benchmarks_keep_to_their_floors() {
    keeps_to("benches/src", BENCHES);
}

#[test]
fn what_tests_share_keeps_to_its_floors() {
    keeps_to("benches/host/src", HOST);
}

#[test]
fn the_torture_keeps_to_its_floors() {
    keeps_to("benches/torture/src", TORTURE);
}

#[test]
fn rseq_ops_keeps_to_its_floors() {
    keeps_to("rseq-ops/src", RSEQ_OPS);
}

#[test]
fn the_checks_keep_to_their_floors() {
    keeps_to("benches/ci/src", CI);
}

#[test]
fn the_fuzz_target_keeps_to_its_floors() {
    keeps_to("urcu/fuzz/src", FUZZ);
}

#[test]
fn urcu_keeps_to_its_floors() {
    // A link owns nodes, and a node has a link.
    keep_to("urcu/src", &imports("urcu/src").merged("cell::link"), URCU);
}
