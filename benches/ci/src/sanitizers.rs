//! The tests of rseq-ops, urcu and the collections under AddressSanitizer (with LeakSanitizer), ThreadSanitizer and
//! MemorySanitizer.
//!
//! This needs a toolchain with the sanitizers' runtimes, such as rustup's. `RUSTC_BOOTSTRAP` lets a stable
//! toolchain use the options. ThreadSanitizer and MemorySanitizer also need a standard library that was built
//! with them: otherwise they miss waits for locks and memory that the library initialises. Its source is what
//! `.ci/std-source` finds. What cannot be had is skipped, and the output says so.
//!
//! # What they see
//! AddressSanitizer does not see the loads and stores of restartable sequences, which are inline assembly. It
//! sees what a sequence copied when Rust code uses the copy, such as a callback when it runs.
//!
//! LeakSanitizer does not look for pointers in mappings. Only the test `leaks` is for it: other tests leak on
//! purpose (values whose `replace` panics, memory that a forked child has from its parent, forgotten guards
//! and jobs).
//!
//! ThreadSanitizer and MemorySanitizer do not understand sequences at all. A build for them detects this, and
//! uses no sequences (`rseq-ops/build.rs`).

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::{Status, find, host, name, repository, rustc, std_source, succeeds, target};

/// The tests that measure memory or stacks, load what does not have the sanitizer, run valgrind, or run all tests
/// again.
const NOT_HERE: [&str; 10] = [
    "environments::",
    "callbacks::budget::two_threads_that_replace",
    "callbacks::budget::with_a_stalled_reader",
    "retire::with_a_section_that_stays_open_memory_stays_bounded",
    "stats::domains_share_pages",
    "first_use::the_first_section_of_a_process_needs",
    "a_barrier_at_the_end_leaves_nothing_behind",
    "under_valgrind",
    "plugins::",
    "the_stacks_size_is_chosen",
];

/// The tests that refuse memory, which AddressSanitizer cannot do without, and one that knows how the compiler lays
/// out frames.
const RSEQ_OPS_NOT_HERE: [&str; 6] = [
    "--skip",
    "a_mapping_that_failed",
    "--skip",
    "last_error::",
    "--skip",
    "a_range_ends_right_behind_the_commit",
];

/// ThreadSanitizer cannot follow a child that is forked from a process with many threads.
const FORKS: [&str; 3] = ["fork", "a_child", "wipes_it_in_children_later"];

const URCU_SUITE: [&str; 5] = ["-p", "urcu-percpu", "--lib", "--test", "suite"];
const COLLECTIONS: [&str; 5] = ["-p", "urcu-collections", "--lib", "--test", "suite"];

/// The tests of the collections that compare with a program's own memory, or ask for all of it.
const COLLECTIONS_NOT_HERE: [&str; 2] = ["--skip", "an_absurd_capacity"];
const PORTABLE: &str = " --cfg rseq_ops_portable";

#[derive(Debug)]
struct Sanitizers {
    host: String,
    /// The folder of the toolchain's runtimes.
    libraries: PathBuf,
    target: PathBuf,
    /// Only steps whose names contain one of these words run; all if there are none.
    words: Vec<String>,
    ran: usize,
    failed: Vec<String>,
}

impl Sanitizers {
    fn new(words: Vec<String>) -> Result<Self, Box<dyn std::error::Error>> {
        let host = host().ok_or("rustc does not tell its host")?;
        let sysroot = rustc(&["--print", "sysroot"]).ok_or("rustc does not tell its sysroot")?;
        Ok(Sanitizers {
            libraries: PathBuf::from(sysroot).join(format!("lib/rustlib/{host}/lib")),
            target: target("sanitizers")?,
            host,
            words,
            ran: 0,
            failed: Vec::new(),
        })
    }

    /// Returns whether the toolchain comes with the runtime: `asan`, `tsan`, `msan`.
    fn has(&self, runtime: &str) -> bool {
        let end = format!("_rt.{runtime}.a");
        let is_runtime = |path: &std::path::Path| {
            name(path).starts_with("librustc-") && name(path).ends_with(&end)
        };
        find(&self.libraries, &is_runtime).is_some()
    }

    fn step(&mut self, name: &str, works: impl FnOnce(&Self) -> bool) {
        if !self.words.is_empty() && !self.words.iter().any(|word| name.contains(word)) {
            return;
        }
        self.ran += 1;
        println!("\n== {name}");
        if !works(self) {
            self.failed.push(name.to_owned());
        }
    }

    /// Returns a cargo command with these options for the compiler.
    fn cargo(&self, command: &str, options: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(repository()).env("RUSTFLAGS", options);
        cargo.args([command, "--quiet", "--target", &self.host]);
        cargo.env("CARGO_TARGET_DIR", &self.target);
        cargo.env("RUSTC_BOOTSTRAP", "1");
        // The sanitizers make everything slower, so stress tests run for a short time.
        cargo.env("URCU_TEST_SECONDS", "0.1");
        cargo.env("URCU_TEST_DEADLINE", "300");
        // Tests panic on purpose, and reading an instrumented library's symbols would take minutes.
        cargo.env("RUST_BACKTRACE", "0");
        cargo
    }

    /// Returns a `cargo test` with a sanitizer and further options for the compiler.
    fn test(&self, sanitizer: &str, options: &str) -> Command {
        let all = format!("-Zsanitizer={sanitizer} -Cforce-frame-pointers=yes{options}");
        self.cargo("test", &all)
    }

    fn address(&self, options: &str, tests: &[&str], filter: &[&str]) -> bool {
        let mut cargo = self.test("address", options);
        cargo.env("ASAN_OPTIONS", "detect_leaks=0");
        succeeds(with_filter(cargo.args(tests), filter))
    }

    /// Runs the test `leaks`. A process with a leak ends with exit code 1.
    fn leaks(&self, options: &str) -> bool {
        let mut cargo = self.test("address", options);
        cargo.env("URCU_TEST_LEAK_SANITIZER", "1");
        succeeds(cargo.args(["-p", "urcu-percpu", "--test", "leaks"]))
    }

    /// Runs the published tests of crossbeam-skiplist on the face of crossbeam-epoch. This looks for leaks too:
    /// the checker finds everything that waits for a grace period.
    fn skiplist(&self) -> bool {
        let mut suites = Command::new(repository().join(".ci/crossbeam.d/suites"));
        suites.arg(self.target.join("crossbeam"));
        suites.args(["crossbeam-skiplist", "--", "--target", &self.host]);
        let options = "-Zsanitizer=address -Cforce-frame-pointers=yes";
        suites.env("RUSTFLAGS", options).env("RUSTC_BOOTSTRAP", "1");
        succeeds(&mut suites)
    }

    /// Builds with the standard library from this folder. Without `-Zbuild-std`, because tests run cargo too.
    fn with_library(
        &self,
        library: &str,
        sanitizer: &str,
        tests: &[&str],
        filter: &[&str],
    ) -> bool {
        let mut cargo = self.test(sanitizer, "");
        cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
        let parts = "std,panic_abort,panic_unwind,test,proc_macro";
        cargo.env("CARGO_UNSTABLE_BUILD_STD", parts);
        cargo.env("TSAN_OPTIONS", "exitcode=66");
        cargo.env("MSAN_OPTIONS", "exitcode=66");
        succeeds(with_filter(cargo.args(tests), filter))
    }

    /// Checks what a program that is built with a sanitizer says of its sequences. The ordinary standard library
    /// is enough for that: nobody reads the sanitizer's reports.
    fn says(&self, sanitizer: &str, sequences: bool) -> bool {
        let options = format!(
            "-Zsanitizer={sanitizer} -Zsanitizer-recover=memory -Cunsafe-allow-abi-mismatch=sanitizer"
        );
        let mut cargo = self.cargo("run", &options);
        cargo.args(["-p", "rseq-ops", "--example", "where_am_i"]);
        let Ok(output) = cargo.stderr(Stdio::null()).output() else {
            return false;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let lines = said.lines();
        for line in lines.filter(|line| line.contains("sequences in this build")) {
            println!("{line}");
        }
        said.contains(&format!("sequences in this build: {sequences}"))
            && (sequences || said.contains("owner: Nobody"))
    }

    /// Runs everything under AddressSanitizer, or the short form.
    fn addresses(&mut self, short: bool) {
        self.step("leaks", |all| all.leaks(""));
        self.step(
            "crossbeam-skiplist on the face of crossbeam-epoch, addresses and leaks",
            Self::skiplist,
        );
        self.step("collections, addresses", |all| {
            all.address("", &COLLECTIONS, &COLLECTIONS_NOT_HERE)
        });
        self.step("random programs on the collections, addresses", |all| {
            let tests = ["--manifest-path", "urcu/fuzz/Cargo.toml", "--locked"];
            all.address("", &tests, &["collections_answer"])
        });
        let suite = ["-p", "urcu-percpu", "--test", "suite"];
        if short {
            return self.step("callbacks and cells, addresses", |all| {
                all.address("", &suite, &filtered(&["callbacks", "cells"], &[]))
            });
        }
        for (what, options) in [("", ""), (", portable", PORTABLE)] {
            if !options.is_empty() {
                self.step("leaks, portable", |all| all.leaks(options));
            }
            self.step(&format!("rseq-ops{what}, addresses"), |all| {
                let tests = ["-p", "rseq-ops", "--lib", "--tests"];
                all.address(options, &tests, &RSEQ_OPS_NOT_HERE)
            });
            self.step(&format!("urcu{what}, addresses"), |all| {
                all.address(options, &URCU_SUITE, &filtered(&[], &[]))
            });
        }
    }

    /// Runs the suites under ThreadSanitizer and MemorySanitizer.
    fn with_libraries(&mut self, library: &str) {
        for (runtime, sanitizer) in [("tsan", "thread"), ("msan", "memory")] {
            if !self.has(runtime) {
                println!("== skipped: this toolchain has no runtime for -Zsanitizer={sanitizer}");
                continue;
            }
            self.step(&format!("rseq-ops, {sanitizer}"), |all| {
                all.with_library(library, sanitizer, &["-p", "rseq-ops", "--lib"], &[])
            });
            // These sanitizers cannot work under filters and limits.
            self.step(
                &format!("rseq-ops, per-CPU structures, {sanitizer}"),
                |all| {
                    let tests = ["-p", "rseq-ops", "--test", "suite"];
                    let filter = ["percpu::", "--skip", "percpu::refusals"];
                    all.with_library(library, sanitizer, &tests, &filter)
                },
            );
            self.step(&format!("collections, {sanitizer}"), |all| {
                let filter = FORKS.iter().flat_map(|test| ["--skip", test]);
                let filter: Vec<&str> = filter.chain(COLLECTIONS_NOT_HERE).collect();
                all.with_library(library, sanitizer, &COLLECTIONS, &filter)
            });
            self.step(&format!("urcu, {sanitizer}"), |all| {
                let filter = filtered(&[], &FORKS);
                all.with_library(library, sanitizer, &URCU_SUITE, &filter)
            });
        }
    }
}

fn with_filter<'c>(cargo: &'c mut Command, filter: &[&str]) -> &'c mut Command {
    if filter.is_empty() {
        return cargo;
    }
    cargo.arg("--").args(filter)
}

/// Returns arguments for the suite of urcu: the tests to run, without those of `NOT_HERE` and `unwanted`.
fn filtered<'a>(wanted: &[&'a str], unwanted: &[&'a str]) -> Vec<&'a str> {
    let skipped = NOT_HERE.iter().chain(unwanted);
    let skipped = skipped.flat_map(|test| ["--skip", test]);
    wanted.iter().copied().chain(skipped).collect()
}

/// Runs all sanitizers, or the short form; with words, only the steps whose names contain one of them.
pub(crate) fn main(arguments: &[String]) -> Status {
    let (short, words): (Vec<_>, Vec<_>) =
        (arguments.iter().cloned()).partition(|word| word == "--short");
    let short = !short.is_empty();
    let mut all = Sanitizers::new(words)?;
    if cfg!(target_arch = "x86_64") {
        for (runtime, sanitizer, sequences) in [
            ("asan", "address", true),
            ("tsan", "thread", false),
            ("msan", "memory", false),
        ] {
            if all.has(runtime) {
                all.step(&format!("{sanitizer}: sequences {sequences}"), |all| {
                    all.says(sanitizer, sequences)
                });
            }
        }
    }
    if all.has("asan") {
        all.addresses(short);
    } else {
        println!("== skipped: this toolchain has no AddressSanitizer");
    }
    if short {
        println!(
            "== skipped: the short form leaves out the suites under ThreadSanitizer and MemorySanitizer"
        );
    } else if let Some(library) = std_source() {
        all.with_libraries(&library);
    } else {
        println!(
            "== skipped: ThreadSanitizer and MemorySanitizer: the source of the standard library could not be fetched"
        );
    }
    if all.ran == 0 {
        println!("no step's name contains any of: {}", all.words.join(" "));
        return Ok(2);
    }
    if !all.failed.is_empty() {
        println!("\nfailed: {}", all.failed.join(", "));
    }
    Ok((!all.failed.is_empty()).into())
}

#[cfg(test)]
mod tests {
    use super::{NOT_HERE, filtered};

    #[test]
    fn what_runs_comes_first_and_everything_else_is_skipped() {
        let arguments = filtered(&["callbacks"], &["fork"]);
        assert_eq!(&arguments[..3], ["callbacks", "--skip", NOT_HERE[0]]);
        assert_eq!(arguments[arguments.len() - 2..], ["--skip", "fork"]);
        assert_eq!(arguments.len(), 1 + 2 * (NOT_HERE.len() + 1));
    }
}
