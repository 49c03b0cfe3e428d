//! What the header says, and what the library exports.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::compiler::{
    Build, C11, CRATE, CXX17, has_compiler, is_there, libraries, skip, succeeds,
};

/// The names of this flavour in a text, of things that have an address.
fn declared(header: &str) -> BTreeSet<String> {
    // Macros and templates follow.
    let header = header
        .split("* Pointers. urcu_percpu_dereference")
        .next()
        .unwrap();
    let lines = header
        .lines()
        .filter(|line| !line.starts_with(['#', ' ', '\t']));
    let text: String = lines.collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (start, _) in text.match_indices("urcu_percpu_") {
        let rest = &text[start..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap();
        if rest[end..].starts_with('(') || &rest[..end] == "urcu_percpu_flavor" {
            found.insert(rest[..end].to_owned());
        }
    }
    found
}

#[test]
fn the_shared_library_exports_what_the_header_declares_and_nothing_else() {
    if !is_there("nm") {
        return skip("there is no nm");
    }
    let header = fs::read_to_string(format!("{CRATE}/include/urcu-percpu.h")).unwrap();
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only"])
        .arg(libraries().join("liburcu-percpu.so"));
    let output = succeeds(&mut nm);
    let exported = String::from_utf8(output.stdout).unwrap();
    let exported = exported
        .lines()
        .filter_map(|line| line.split(' ').next_back());
    let exported: BTreeSet<String> = exported.map(str::to_owned).collect();
    assert!(exported.len() > 40, "{exported:?}");
    // Read by the header's sequences.
    let mut declared = declared(&header);
    declared.insert("urcu_percpu_inline_offer_".to_owned());
    assert_eq!(declared, exported);
}

/// The names of this flavour in the headings of the reference.
fn described() -> Vec<String> {
    let text = fs::read_to_string(format!("{CRATE}/docs/reference.md")).unwrap();
    let headings = text.lines().filter(|line| line.starts_with("### "));
    let parts = headings.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let types = [
        "urcu_percpu_domain",
        "urcu_percpu_section",
        "urcu_percpu_stats",
        "urcu_percpu_inline_",
    ];
    parts
        .filter(|part| part.starts_with("urcu_percpu_") && !types.contains(part))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_reference_has_one_entry_for_each_name_and_each_macro() {
    let header = fs::read_to_string(format!("{CRATE}/include/urcu-percpu.h")).unwrap();
    let mut names = declared(&header);
    names.insert("urcu_percpu_inline_offer_".to_owned());
    for name in [
        "dereference",
        "assign_pointer",
        "set_pointer",
        "xchg_pointer",
        "cmpxchg_pointer",
    ] {
        names.insert(format!("urcu_percpu_{name}"));
    }
    let mut described = described();
    described.sort();
    assert_eq!(described, names.into_iter().collect::<Vec<_>>());
}

#[test]
fn each_short_name_that_is_mapped_is_taken_away_again_and_stands_for_a_symbol() {
    let read = |name| fs::read_to_string(format!("{CRATE}/include/{name}")).unwrap();
    let (map, clear) = (read("urcu-percpu/map.h"), read("urcu-percpu/clear.h"));
    let declared = declared(&read("urcu-percpu.h"));
    let mapped: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .map(|line| {
            // But one, which says that names are mapped.
            let (short, long) = line.split_once(' ').unwrap_or((line, ""));
            assert!(declared.contains(long) || short == "URCU_API_MAP", "{line}");
            short
        })
        .collect();
    let cleared = clear
        .lines()
        .filter_map(|line| line.strip_prefix("#undef "));
    assert_eq!(mapped, cleared.collect());
}

/// Compiles and assembles a text that includes the header; whether that went well.
fn compiles(build: &Build<'_>, text: &str) -> bool {
    let mut command = build.command();
    command.args(build.arguments);
    command.args(["-c", "-o", "/dev/null", "-x", build.language, "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap().status.success()
}

const COMPILERS: [(&str, Build<'_>); 2] = [("gcc", C11), ("clang", C11)];
const CXX_COMPILERS: [(&str, Build<'_>); 2] = [("g++", CXX17), ("clang++", CXX17)];

/// AArch64's sequences too, where they can be assembled.
const CROSS: [(&str, Build<'_>); 4] = [
    ("aarch64-linux-gnu-gcc", C11),
    ("aarch64-linux-gnu-g++", CXX17),
    ("clang", for_aarch64(C11)),
    ("clang++", for_aarch64(CXX17)),
];

const fn for_aarch64(build: Build<'static>) -> Build<'static> {
    Build {
        arguments: &["--target=aarch64-linux-gnu"],
        ..build
    }
}

/// The compilers that are there.
fn builds() -> Vec<Build<'static>> {
    let all = COMPILERS.into_iter().chain(CXX_COMPILERS);
    // Clang for AArch64 needs the headers that come with that compiler.
    let all = all
        .chain(CROSS)
        .filter(|(_, build)| build.arguments.is_empty() || is_there("aarch64-linux-gnu-gcc"));
    all.filter_map(|(compiler, build)| {
        if !is_there(compiler) {
            skip(&format!("there is no {compiler}"));
            return None;
        }
        Some(Build { compiler, ..build })
    })
    .collect()
}

#[test]
fn the_header_compiles_alone_and_pointers_are_checked() {
    if !has_compiler() {
        return;
    }
    for build in builds() {
        let with = |code: &str| {
            format!(
                "#include <urcu-percpu.h>\nint *p; double *d;\nvoid f(void);\nvoid f(void) {{ {code}; }}\n"
            )
        };
        for good in [
            "",
            "rcu_read_lock(); rcu_read_lock(); rcu_read_unlock(); rcu_read_unlock()",
            "rcu_assign_pointer(p, NULL)",
            "int *q = rcu_dereference(p); (void)q",
            "int *q = rcu_xchg_pointer(&p, NULL); (void)q",
            "int *q = rcu_cmpxchg_pointer(&p, NULL, p); (void)q",
        ] {
            assert!(compiles(&build, &with(good)), "{}: {good}", build.compiler);
        }
        for bad in [
            "rcu_assign_pointer(p, d)",
            "rcu_set_pointer(&p, d)",
            "double *q = rcu_dereference(p); (void)q",
            "(void)rcu_xchg_pointer(&p, d)",
            "double *q = rcu_xchg_pointer(&p, NULL); (void)q",
            "(void)rcu_cmpxchg_pointer(&p, d, p)",
            "(void)rcu_cmpxchg_pointer(&p, p, d)",
        ] {
            assert!(!compiles(&build, &with(bad)), "{}: {bad}", build.compiler);
        }
    }
}
