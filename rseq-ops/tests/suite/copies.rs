//! A program may have several copies or versions of this crate in it: they have no symbols that clash, and
//! each works beside the others.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The program: each of the copies registers, counts and allocates.
const PROGRAM: &str = "
macro_rules! used {
    ($copy:ident) => {{
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| {
            let counter = $copy::percpu::Counter::new().unwrap();
            (0..100).for_each(|_| counter.add(1));
            let mut node = $copy::percpu::Node::new(1);
            let stack = $copy::percpu::Stack::new().unwrap();
            stack.push(&mut node);
            counter.sum() + stack.take_all().unwrap().count() as i64
        })).collect();
        let sum: i64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, 404);
        $copy::process().owner as u32
    }};
}

fn main() {
    for _ in 0..2 {
        assert_eq!(used!(first), used!(second));
    }
    println!(\"both\");
}
";

/// Removed at the end.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// A copy of this crate, which says that it is of another version.
fn make_copy(directory: &Path, name: &str, version: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let there = directory.join(name);
    copy(&here.join("src"), &there.join("src"));
    for file in ["build.rs", "README.md"] {
        fs::copy(here.join(file), there.join(file)).unwrap();
    }
    let manifest = format!(
        "[package]\nname = \"rseq-ops\"\nversion = \"{version}\"\nedition = \"2024\"\n\
         [features]\ndefault = [\"alloc\"]\nalloc = []\n\
         [dependencies]\nlibc = {{ version = \"0.2.170\", default-features = false }}\n"
    );
    fs::write(there.join("Cargo.toml"), manifest).unwrap();
}

#[test]
fn two_copies_link_into_one_program_and_work() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    if !workspace.exists() {
        return println!("skipped: not where it was built");
    }
    let directory = format!("rseq-ops-copies-{}", std::process::id());
    let directory = Directory(Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory));
    make_copy(&directory.0, "first", "0.1.0");
    make_copy(&directory.0, "second", "0.1.1");
    let program = directory.0.join("program");
    fs::create_dir_all(program.join("src")).unwrap();
    fs::write(program.join("src/main.rs"), PROGRAM).unwrap();
    fs::copy(workspace, program.join("Cargo.lock")).unwrap();
    let manifest = "[package]\nname = \"copies\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\n\
         first = { path = \"../first\", package = \"rseq-ops\" }\n\
         second = { path = \"../second\", package = \"rseq-ops\" }\n\
         [workspace]\n";
    fs::write(program.join("Cargo.toml"), manifest).unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["run", "--quiet", "--offline"])
        .current_dir(&program)
        .env("CARGO_TARGET_DIR", program.join("target"))
        // It is for this machine, whatever this program was built for: that has a std.
        .env_remove("CARGO_UNSTABLE_BUILD_STD");
    for tunables in ["", "glibc.pthread.rseq=0"] {
        let output = match cargo.env("GLIBC_TUNABLES", tunables).output() {
            Ok(output) => output,
            Err(error) => return println!("skipped: no cargo: {error}"),
        };
        let (text, errors) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && text == "both\n",
            "with {tunables:?}: {}\n{text}{errors}",
            output.status
        );
    }
}
