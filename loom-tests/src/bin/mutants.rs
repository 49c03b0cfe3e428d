//! Shows that the models find faults: breaks one thing at a time, in the shipped sources or in the emulated
//! kernel's promises, and demands that the model for it fails.
//!
//! Mutated sources are compiled in a workspace of their own under the target directory. Mutants that do not overlap
//! share a program, which gets the number of the mutant to break.
//!
//! `mutants PART` tries the mutants whose names contain PART; `mutants --any [PART]` runs all models on each, and
//! prints the first that notices.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, panic, thread};

use urcu_loom_tests::MODELS;
use urcu_loom_tests::kernel::{break_promise, somebody_sleeps};
use urcu_loom_tests::mutations::{Change, Edit, MUTANTS, Source, sources};
use urcu_loom_tests::table;

/// A model that runs longer than this counts as one that has not noticed.
const PATIENCE: Duration = Duration::from_secs(180);

/// The parts of this package that are copied into a mutant's package.
const OURS: &[&str] = &[
    "global.rs",
    "lib.rs",
    "mutations.rs",
    "mutations",
    "stall",
    "table.rs",
    "kernel",
    "models",
    "collections",
    "percpu",
    "bin/mutants.rs",
];

/// Returns how a model fails, from the message of its panic.
fn how(message: &str) -> String {
    if message.contains("deadlock; threads") {
        let how = if somebody_sleeps() {
            "lost wake-up"
        } else {
            "deadlock"
        };
        return how.to_owned();
    }
    if message.contains("Causality violation") {
        return "data race".to_owned();
    }
    if message.contains("maximum number of branches") {
        return "livelock".to_owned();
    }
    let said: Vec<&str> = message.lines().collect();
    let said = said
        .first()
        .map_or("", |first| first.rsplit("failed: ").next().unwrap_or(first));
    format!("assertion: {said}")
}

/// Runs in a mutant's process: breaks one thing, runs the named models, and prints how they end.
fn run(number: usize, models: &[String]) {
    if let Some(mutant) = MUTANTS.get(number) {
        match mutant.change {
            Change::Kernel(fault) => break_promise(fault),
            Change::Source(_) => urcu_loom_tests::mutate(number),
        }
    }
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic");
        println!("{}", how(message));
    }));
    for model in MODELS {
        if models.is_empty() || models.iter().any(|name| name == model.name) {
            println!("{}", model.name);
            model.check();
        }
    }
    println!();
}

enum Verdict {
    Caught { model: String, how: String },
    Survived(&'static str),
}

const NO_MODEL_FAILED: &str = "no model failed";

/// Runs models in a process of their own. The process prints the name of each model that it begins, how one fails,
/// and an empty line if none does.
fn judge(program: &Path, number: usize, model: Option<&str>) -> Verdict {
    let mut child = Command::new(program)
        .arg("--run")
        .arg(number.to_string())
        .args(model)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process for the models");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    let (sender, lines) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut running = None;
    let patience = if model.is_some() {
        PATIENCE
    } else {
        PATIENCE * 10
    };
    let end = Instant::now() + patience;
    let verdict = loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if line.is_empty() => break Verdict::Survived(NO_MODEL_FAILED),
            Ok(line) if MODELS.iter().any(|model| model.name == line) => running = Some(line),
            Ok(how) => match running {
                Some(model) => break Verdict::Caught { model, how },
                None => break Verdict::Survived("the models did not start"),
            },
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                break Verdict::Survived("the model took too long");
            }
            Err(_) => break Verdict::Survived("the models printed nothing"),
        }
    };
    // The process is this function's own. What it prints after the first failure does not count.
    let _ = child.kill();
    child.wait().expect("a status");
    verdict
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
        return;
    }
    fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// A change of a source file: `text` replaces the bytes `from..to`.
struct Patch {
    file: &'static str,
    from: usize,
    to: usize,
    text: String,
}

/// Returns the place of the edit of mutant `number`.
fn patch(number: usize, edit: &Edit, sources: &[Source]) -> Patch {
    let (before, rest) = edit.text.split_once('«').expect("an angle quote");
    let (broken, after) = rest.split_once('»').expect("two angle quotes");
    let (_, source) = sources
        .iter()
        .find(|(file, _)| *file == edit.file)
        .expect("a source");
    let found: Vec<_> = source
        .match_indices(&format!("{before}{broken}{after}"))
        .collect();
    let [(at, _)] = found[..] else {
        panic!(
            "in {}, occurrences of {:?}: {}",
            edit.file,
            edit.text,
            found.len()
        );
    };
    let from = at + before.len();
    let choice = format!(
        "if crate::mutated() == {number} {{ {} }} else {{ {broken} }}",
        edit.to
    );
    let statement = broken.is_empty() || broken.ends_with(';');
    Patch {
        file: edit.file,
        from,
        to: from + broken.len(),
        text: if statement {
            choice
        } else {
            format!("({choice})")
        },
    }
}

/// Distributes the mutants over as few copies of the sources as possible without overlap. Returns the patches of each
/// copy, and the copy of each mutant.
fn layers(sources: &[Source]) -> (Vec<Vec<Patch>>, Vec<usize>) {
    let mut layers: Vec<Vec<Patch>> = vec![Vec::new()];
    let mut homes = Vec::new();
    for (number, mutant) in MUTANTS.iter().enumerate() {
        let Change::Source(edits) = mutant.change else {
            homes.push(0);
            continue;
        };
        let patches: Vec<Patch> = edits
            .iter()
            .map(|edit| patch(number, edit, sources))
            .collect();
        let overlap = |a: &Patch, b: &Patch| a.file == b.file && a.from <= b.to && b.from <= a.to;
        let fits =
            |layer: &Vec<Patch>| !layer.iter().any(|a| patches.iter().any(|b| overlap(a, b)));
        let home = layers.iter().position(fits).unwrap_or(layers.len());
        if home == layers.len() {
            layers.push(Vec::new());
        }
        layers[home].extend(patches);
        homes.push(home);
    }
    (layers, homes)
}

/// Writes a package with one copy of the sources.
fn write_package(root: &Path, name: &str, mut layer: Vec<Patch>, sources: &[Source]) {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join(name).join("loom-tests");
    for file in OURS {
        copy(
            &ours.join("src").join(file),
            &package.join("src").join(file),
        );
    }
    layer.sort_by_key(|patch| std::cmp::Reverse(patch.from));
    for (file, source) in sources {
        let mut text = source.clone();
        for patch in layer.iter().filter(|patch| patch.file == *file) {
            text.replace_range(patch.from..patch.to, &patch.text);
        }
        let to = root.join(name).join("urcu/src").join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("folders");
        fs::write(to, text).expect("a mutated source");
    }
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautobins = false\n\
         [lib]\nname = \"urcu_loom_tests\"\n\
         [[bin]]\nname = \"{name}\"\npath = \"src/bin/mutants.rs\"\n\
         [dependencies]\narrayvec = \"0.7\"\nloom = \"0.7\"\ntypeid = \"1\"\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
}

/// Compiles the mutated sources. Returns the program of each mutant.
fn build(root: &Path) -> Vec<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources();
    let (layers, homes) = layers(&sources);
    let mut members = Vec::new();
    for (n, layer) in layers.into_iter().enumerate() {
        let name = format!("mutants{n}");
        write_package(root, &name, layer, &sources);
        members.push(format!("\"{name}/loom-tests\""));
    }
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\
         [profile.release]\nopt-level = 2\ndebug = false\n",
        members.join(", ")
    );
    fs::write(root.join("Cargo.toml"), manifest).expect("a manifest");
    copy(&ours.join("../Cargo.lock"), &root.join("Cargo.lock"));
    let target = root.join("target");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--offline", "--quiet"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", "--cap-lints=allow")
        .status()
        .expect("cargo");
    assert!(built.success(), "the mutants do not compile");
    let program = |home| target.join("release").join(format!("mutants{home}"));
    homes.into_iter().map(program).collect()
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--run") {
        run(arguments[1].parse().expect("a number"), &arguments[2..]);
        return ExitCode::SUCCESS;
    }
    let any = arguments.first().is_some_and(|first| first == "--any");
    if any {
        arguments.remove(0);
    }
    let chosen = |name: &str| {
        arguments.is_empty() || arguments.iter().any(|part| name.contains(part.as_str()))
    };

    let program = env::current_exe().expect("this program");
    let programs = build(&program.with_file_name("loom-mutants"));
    // A model that fails unbroken would catch everything, so the models also run with nothing broken.
    let unbroken =
        (!any && arguments.is_empty()).then_some((programs[0].clone(), usize::MAX, None));
    let jobs = MUTANTS.iter().zip(programs).enumerate();
    let jobs = jobs
        .filter(|(_, (mutant, _))| chosen(mutant.name))
        .map(|(number, (mutant, program))| (program, number, Some(mutant)));
    let queue = Mutex::new(unbroken.into_iter().chain(jobs));

    let (caught, survived) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no panic").next();
                    let Some((program, number, mutant)) = next else {
                        break;
                    };
                    let start = Instant::now();
                    let model = mutant.filter(|_| !any).map(|mutant| mutant.model);
                    let verdict = judge(&program, number, model);
                    let seconds = start.elapsed().as_secs_f64();
                    let Some(mutant) = mutant else {
                        match verdict {
                            Verdict::Survived(NO_MODEL_FAILED) => {
                                println!("unbroken: no model fails ({seconds:.0} s)");
                            }
                            Verdict::Survived(why) => {
                                survived.fetch_add(1, Ordering::Relaxed);
                                println!("UNBROKEN: {why}");
                            }
                            Verdict::Caught { model, how } => {
                                survived.fetch_add(1, Ordering::Relaxed);
                                println!("UNBROKEN: {model} fails: {how}");
                            }
                        }
                        continue;
                    };
                    let name = format!("{}: {}", mutant.letter, mutant.name);
                    match verdict {
                        Verdict::Caught { model, how } => {
                            caught.fetch_add(1, Ordering::Relaxed);
                            println!("caught   {name:58} {model}: {how} ({seconds:.2} s)");
                        }
                        Verdict::Survived(why) => {
                            survived.fetch_add(1, Ordering::Relaxed);
                            println!(
                                "SURVIVED {name:58} {}: {why} ({seconds:.2} s)",
                                mutant.model
                            );
                        }
                    }
                }
            });
        }
    });
    print!("{}", table::unseen());
    let (caught, survived) = (caught.into_inner(), survived.into_inner());
    println!("mutants: {caught} caught, {survived} survived");
    ExitCode::from(u8::from(survived != 0))
}
