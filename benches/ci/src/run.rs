//! Running programs, and finding files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

/// An exit status, or what went wrong.
pub(crate) type Status = Result<u8, Box<dyn std::error::Error>>;

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Prints a line on standard error, with the seconds since the first one.
pub(crate) fn say(what: impl std::fmt::Display) {
    eprintln!("== {:4} s  {what}", BEGIN.elapsed().as_secs());
}

/// Returns the root of the repository.
pub(crate) fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}

/// Returns the folder for fetched files, which is kept between runs.
pub(crate) fn cache() -> PathBuf {
    repository().join(".ci/cache")
}

/// Returns a target folder for compiled files.
pub(crate) fn target(name: &str) -> io::Result<PathBuf> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let folder = repository().join(folder).join(name);
    fs::create_dir_all(&folder)?;
    folder.canonicalize()
}

/// Runs a program to its end. Returns whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program to its end, without its output. Returns whether it succeeded.
pub(crate) fn succeeds_quietly(command: &mut Command) -> bool {
    succeeds(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// Runs a program to its end. Returns its standard output without the last newline, if it succeeded.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim_end().to_owned())
}

/// Returns whether there is a program of that name.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Returns the first file or folder below `folder`, in order of names, for which `wanted` is true.
pub(crate) fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if wanted(&entry) {
            return Some(entry);
        }
        if entry.is_dir()
            && !entry.is_symlink()
            && let Some(found) = find(&entry, wanted)
        {
            return Some(found);
        }
    }
    None
}

/// Returns the last part of a path, as text.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

/// Returns what `rustc` prints.
pub(crate) fn rustc(arguments: &[&str]) -> Option<String> {
    output(Command::new("rustc").args(arguments))
}

/// Returns the folder of the standard library's source for this compiler, if it can be found or fetched.
pub(crate) fn std_source() -> Option<String> {
    output(&mut Command::new(repository().join(".ci/std-source")))
}

/// Returns the target triple of this machine.
pub(crate) fn host() -> Option<String> {
    let text = rustc(&["-vV"])?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned)
}
