//! The example programs run, and their books balance.

#[macro_use]
extern crate test_deadline;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Returns where the examples are, as this test is built: for debugging or not.
fn directory() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "urcu-collections"]);
        for example in ["dns_cache", "routing_table", "session_store"] {
            cargo.args(["--example", example]);
        }
        if cfg!(not(debug_assertions)) {
            cargo.arg("--release");
        }
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().expect("cargo").success());
        let mut path = std::env::current_exe().expect("a path");
        // Beside the directory in which this test is.
        path.pop();
        path.pop();
        path.join("examples")
    })
}

/// Runs an example for a second, and returns the fields of its closing line; all but the last are counts that
/// must not be 0.
fn run(name: &str, arguments: &[&str]) {
    let mut program = Command::new(directory().join(name));
    let output = program
        .args(["--seconds", "1"])
        .args(arguments)
        .output()
        .expect("the example");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.trim_end().lines().last().expect(&text);
    let fields = last
        .strip_prefix(name)
        .and_then(|fields| fields.strip_prefix(": "))
        .expect(last);
    let fields: Vec<(&str, u64)> = fields
        .split(' ')
        .map(|field| {
            let (name, count) = field.split_once('=').expect(last);
            (name, count.parse().expect(last))
        })
        .collect();
    let (errors, counts) = fields.split_last().expect(last);
    assert_eq!(*errors, ("errors", 0), "{text}");
    assert!(
        counts.len() >= 3 && counts.iter().all(|(_, count)| *count > 0),
        "{text}"
    );
    assert!(output.status.success(), "{text}");
}

#[test(300)]
fn the_dns_cache_answers_freshly() {
    run("dns_cache", &[]);
}

#[test(300)]
fn the_routing_table_is_reloaded_in_one_step() {
    run("routing_table", &["--routes", "4000"]);
}

#[test(300)]
fn the_books_of_the_session_store_balance() {
    run("session_store", &[]);
}
