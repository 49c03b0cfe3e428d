//! Shows that the models have teeth: breaks one thing at a time, in the shipped sources or in the
//! emulated kernel's promises, and demands that some model fails.
//!
//! Mutated sources are compiled in a workspace of their own under the target directory. Each
//! mutation replaces a text that must occur exactly once, so that none outlives the code it breaks.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use urcu_loom_tests::MODELS;
use urcu_loom_tests::machine::{Fault, break_promise};

/// A model that runs longer than this has not noticed.
const PATIENCE: Duration = Duration::from_secs(100);

const NO_MODEL_FAILED: &str = "no model failed";

/// What a mutation does to a source file: this text becomes that.
struct Edit {
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

const READERS: &str = "readers.rs";
const GRACE_PERIOD: &str = "grace_period.rs";

const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to }
}

/// Mutations of the shipped sources.
const MUTATIONS: &[(&str, &[Edit])] = &[
    (
        "A relaxed",
        &[edit(
            READERS,
            ".store(old ^ machine::PERIOD_BIT, Ordering::Release)",
            ".store(old ^ machine::PERIOD_BIT, Ordering::Relaxed)",
        )],
    ),
    (
        "B relaxed in the atomic begin",
        &[edit(
            READERS,
            "if self.period.load(Ordering::Acquire) == word",
            "if self.period.load(Ordering::Relaxed) == word",
        )],
    ),
    (
        "C dropped",
        &[edit(GRACE_PERIOD, "machine::restart_sequences();", "")],
    ),
    (
        "C before the flip",
        &[
            edit(GRACE_PERIOD, "machine::restart_sequences();", ""),
            edit(
                GRACE_PERIOD,
                "let old = self.readers.flip();",
                "machine::restart_sequences();\n        let old = self.readers.flip();",
            ),
        ],
    ),
    (
        "D relaxed in the atomic end",
        &[edit(
            READERS,
            "machine::shared(word, machine::stripe()).fetch_sub(1, Ordering::Release)",
            "machine::shared(word, machine::stripe()).fetch_sub(1, Ordering::Relaxed)",
        )],
    ),
    (
        "E relaxed for sequences",
        &[edit(
            READERS,
            "machine::net(old, slot).load(Ordering::Acquire)",
            "machine::net(old, slot).load(Ordering::Relaxed)",
        )],
    ),
    (
        "E relaxed for atomics",
        &[edit(
            READERS,
            "machine::shared(old, slot).load(Ordering::Acquire)",
            "machine::shared(old, slot).load(Ordering::Relaxed)",
        )],
    ),
    (
        "atomics not summed",
        &[edit(
            READERS,
            "+ machine::shared(old, slot).load(Ordering::Acquire)",
            "",
        )],
    ),
    (
        "F dropped",
        &[edit(
            READERS,
            "// F: pairs with G.\n        fence(Ordering::SeqCst);",
            "",
        )],
    ),
    (
        "G dropped",
        &[edit(
            READERS,
            "sees the subtraction.\n        fence(Ordering::SeqCst);",
            "sees the subtraction.",
        )],
    ),
    (
        "H dropped",
        &[edit(
            READERS,
            "on AArch64.\n            fence(Ordering::SeqCst);",
            "on AArch64.",
        )],
    ),
    (
        "no second look after H",
        &[edit(
            READERS,
            "if self.period.load(Ordering::Acquire) == word",
            "if true",
        )],
    ),
    (
        "an addition taken back does not wake",
        &[edit(
            READERS,
            "counter.fetch_sub(1, Ordering::Release);\n            self.wake();",
            "counter.fetch_sub(1, Ordering::Release);",
        )],
    ),
    (
        "a late end by a sequence does not wake",
        &[edit(
            READERS,
            "(Outcome::Committed, false) => return self.wake()",
            "(Outcome::Committed, false) => return",
        )],
    ),
    (
        "a late end by atomics does not wake",
        &[edit(
            READERS,
            "fetch_sub(1, Ordering::Release);\n        self.wake();",
            "fetch_sub(1, Ordering::Release);",
        )],
    ),
    (
        "no sum before sleeping",
        &[edit(
            READERS,
            "if self.any_open(old) {\n            machine::futex_wait",
            "if true {\n            machine::futex_wait",
        )],
    ),
    (
        "the waker leaves the waiter's mark",
        &[edit(
            READERS,
            "self.waiter.store(0, Ordering::Relaxed);\n            machine::futex_wake",
            "machine::futex_wake",
        )],
    ),
    (
        "woken before the mark is taken away",
        &[edit(
            READERS,
            "self.waiter.store(0, Ordering::Relaxed);\n            machine::futex_wake(&self.waiter);",
            "machine::futex_wake(&self.waiter);\n            self.waiter.store(0, Ordering::Relaxed);",
        )],
    ),
    (
        "settled before drained",
        &[edit(
            GRACE_PERIOD,
            "self.drain(old);\n        self.readers.settle(old);",
            "self.readers.settle(old);\n        self.drain(old);",
        )],
    ),
    (
        "settling loses the sum",
        &[edit(READERS, "left += value;", "")],
    ),
    ("not drained", &[edit(GRACE_PERIOD, "self.drain(old);", "")]),
    (
        "drained before C",
        &[
            edit(GRACE_PERIOD, "self.drain(old);", ""),
            edit(
                GRACE_PERIOD,
                "machine::restart_sequences();",
                "self.drain(old); machine::restart_sequences();",
            ),
        ],
    ),
    (
        "grace periods overlap",
        &[edit(
            GRACE_PERIOD,
            ".unwrap_or_else(|poisoned| poisoned.into_inner());",
            ".unwrap_or_else(|poisoned| poisoned.into_inner());\n        \
             drop(undrained);\n        let mut undrained = Box::new(None);",
        )],
    ),
    (
        "a grace period cut short is forgotten",
        &[edit(GRACE_PERIOD, "*undrained = Some(old);", "")],
    ),
];

/// Mutations that no model can notice, and why that is right.
const HARMLESS: &[(&str, &str)] = &[
    (
        "the addition taken back with a relaxed subtraction",
        "no access of a section lies before it",
    ),
    (
        "not settled",
        "the sum of the counters is right either way; it is for speed",
    ),
    (
        "H as a SeqCst read-modify-write",
        "loom takes SeqCst accesses for AcqRel, so it would reject right code on x86-64 too",
    ),
];

/// The models, one by one, until one fails: what a mutant's process does. By hand, `mutantN run
/// MODEL` and `mutants FAULT run MODEL` run one.
fn run_models(only: Option<&str>) {
    for model in MODELS {
        if only.is_some_and(|only| only != model.name) {
            continue;
        }
        println!("{}", model.name);
        model.check();
    }
    println!();
}

enum Verdict {
    Caught(String),
    Survived(&'static str),
}

/// Runs the models in a process of their own. It says which it begins, and an empty line at last.
fn judge(mut command: Command) -> Verdict {
    let mut child = command
        .arg("run")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process for the models");
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a status") {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().expect("our own process");
            child.wait().expect("a status");
            return Verdict::Survived("out of time");
        }
        thread::sleep(Duration::from_millis(5));
    };
    if status.success() {
        return Verdict::Survived(NO_MODEL_FAILED);
    }
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().expect("piped"), &mut said)
        .expect("text");
    match said.lines().last() {
        Some(model) if !model.is_empty() => Verdict::Caught(model.to_owned()),
        _ => Verdict::Survived("the models did not start"),
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// Writes one mutant's package.
fn write_package(root: &Path, name: &str, edits: &[Edit]) {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join(name).join("loom-tests");
    for file in [
        "lib.rs",
        "lock.rs",
        "machine.rs",
        "models.rs",
        "bin/mutants.rs",
    ] {
        copy(
            &ours.join("src").join(file),
            &package.join("src").join(file),
        );
    }
    for file in [READERS, GRACE_PERIOD] {
        let mut text = fs::read_to_string(ours.join("../urcu/src").join(file)).expect("a source");
        for edit in edits.iter().filter(|edit| edit.file == file) {
            let occurrences = text.matches(edit.from).count();
            assert_eq!(occurrences, 1, "in {file}, occurrences of {:?}", edit.from);
            text = text.replace(edit.from, edit.to);
        }
        let to = root.join(name).join("urcu/src").join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
        fs::write(to, text).expect("a mutated source");
    }
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautobins = false\n\
         [lib]\nname = \"urcu_loom_tests\"\n\
         [[bin]]\nname = \"{name}\"\npath = \"src/bin/mutants.rs\"\n\
         [dependencies]\nloom = \"0.7\"\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
}

/// Compiles all mutated sources; the folder of their programs.
fn build(root: &Path) -> PathBuf {
    let names: Vec<String> = (0..MUTATIONS.len()).map(|n| format!("mutant{n}")).collect();
    for (name, (_, edits)) in names.iter().zip(MUTATIONS) {
        write_package(root, name, edits);
    }
    let members: Vec<String> = names
        .iter()
        .map(|n| format!("\"{n}/loom-tests\""))
        .collect();
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\
         [profile.release]\nopt-level = 2\ndebug = false\n",
        members.join(", ")
    );
    fs::write(root.join("Cargo.toml"), manifest).expect("a manifest");
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"),
        &root.join("Cargo.lock"),
    );
    let target = root.join("target");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--offline", "--quiet"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "--cap-lints=allow")
        .status()
        .expect("cargo");
    assert!(built.success(), "the mutants do not compile");
    target.join("release")
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    if let Some(first) = arguments.next() {
        if first != "run" {
            arguments.next();
            let fault = Fault::ALL.iter().find(|(name, _)| *name == first);
            break_promise(fault.expect("the name of a fault").1);
        }
        run_models(arguments.next().as_deref());
        return ExitCode::SUCCESS;
    }

    let program = env::current_exe().expect("this program");
    // What fails unbroken would catch everything.
    match judge(Command::new(&program)) {
        Verdict::Survived(NO_MODEL_FAILED) => {}
        Verdict::Survived(why) => {
            println!("without any mutation: {why}");
            return ExitCode::FAILURE;
        }
        Verdict::Caught(model) => {
            println!("without any mutation, {model} fails");
            return ExitCode::FAILURE;
        }
    }
    let root = program.with_file_name("loom-mutants");
    let programs = build(&root);

    let mut mutants: Vec<(String, Command)> = Vec::new();
    for (name, _) in Fault::ALL {
        let mut command = Command::new(&program);
        command.arg(name);
        mutants.push((format!("kernel: {name}"), command));
    }
    for (n, (name, _)) in MUTATIONS.iter().enumerate() {
        let command = Command::new(programs.join(format!("mutant{n}")));
        mutants.push((format!("source: {name}"), command));
    }

    let all = mutants.len();
    let survived = AtomicUsize::new(0);
    let queue = std::sync::Mutex::new(mutants.into_iter());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no panic").next();
                    let Some((name, command)) = next else { break };
                    let start = Instant::now();
                    let verdict = judge(command);
                    let seconds = start.elapsed().as_secs_f64();
                    match verdict {
                        Verdict::Caught(model) => {
                            println!("caught   {name:50} {model} ({seconds:.2} s)");
                        }
                        Verdict::Survived(how) => {
                            survived.fetch_add(1, Ordering::Relaxed);
                            println!("SURVIVED {name:50} {how} ({seconds:.2} s)");
                        }
                    }
                }
            });
        }
    });
    for (name, why) in HARMLESS {
        println!("harmless {name}: {why}");
    }
    let survived = survived.into_inner();
    println!("mutants: {} caught, {survived} survived", all - survived);
    ExitCode::from(u8::from(survived != 0))
}
