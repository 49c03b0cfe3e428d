//! The C compilers, and the libraries where a program finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

pub(crate) const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Says why a test does nothing.
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

pub(crate) fn is_there(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

/// Returns whether there is a C compiler, and says so if not.
pub(crate) fn has_compiler() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    let found = *FOUND.get_or_init(|| is_there("cc"));
    if !found {
        skip("there is no C compiler (cc)");
    }
    found
}

/// Returns whether there is a compiler for C++ too.
pub(crate) fn has_cxx() -> bool {
    let found = is_there("c++");
    if !found {
        skip("there is no C++ compiler (c++)");
    }
    found
}

/// A folder of this run's own.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder of the tests' own");
    folder
}

/// The folder with `liburcu-percpu.so`, `.so.0` and `.a`, as cargo has built them with this program.
pub(crate) fn libraries() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let program = std::env::current_exe().expect("the path of this program");
        let built = program.parent().expect("programs lie in a folder");
        let folder = scratch(&format!("lib-{}", std::process::id()));
        for (from, to) in [
            ("liburcu_percpu.so", "liburcu-percpu.so.0"),
            ("liburcu_percpu.so", "liburcu-percpu.so"),
            ("liburcu_percpu.a", "liburcu-percpu.a"),
        ] {
            let to = folder.join(to);
            let _ = fs::remove_file(&to);
            std::os::unix::fs::symlink(built.join(from), to).expect("a link");
        }
        folder
    })
}

pub(crate) fn succeeds(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A compiler, the language and standard, and how to link.
pub(crate) struct Build<'a> {
    pub(crate) compiler: &'a str,
    pub(crate) standard: &'a str,
    /// The same source may be C and C++.
    pub(crate) language: &'a str,
    pub(crate) arguments: &'a [&'a str],
}

pub(crate) const C11: Build<'_> = Build {
    compiler: "cc",
    standard: "c11",
    language: "c",
    arguments: &[],
};

/// With what POSIX and liburcu's headers need.
pub(crate) const GNU11: Build<'_> = Build {
    compiler: "cc",
    standard: "gnu11",
    language: "c",
    arguments: &[],
};

/// The same for C++.
pub(crate) const GNUXX17: Build<'_> = Build {
    standard: "gnu++17",
    ..CXX17
};

pub(crate) const CXX17: Build<'_> = Build {
    compiler: "c++",
    standard: "c++17",
    language: "c++",
    arguments: &[],
};

impl Build<'_> {
    /// The start of each command, with all warnings as errors.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.compiler);
        command
            .arg(format!("-std={}", self.standard))
            .args([
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pedantic",
                "-O2",
                "-pthread",
            ])
            .arg(format!("-I{CRATE}/include"));
        command
    }

    /// Builds `tests/c/SOURCE`, and returns the program.
    pub(crate) fn program(&self, source: &str, name: &str, libraries: &[&str]) -> PathBuf {
        let program = scratch("programs").join(format!("{name}-{}", std::process::id()));
        let mut command = self.command();
        command.args(["-x", self.language]);
        command.arg(format!("{CRATE}/tests/c/{source}"));
        command.args(["-x", "none"]).args(self.arguments);
        command.arg("-o").arg(&program).args(libraries);
        succeeds(&mut command);
        program
    }

    /// The same, linked with the shared library.
    pub(crate) fn shared(&self, source: &str, name: &str, others: &[&str]) -> PathBuf {
        let folder = libraries().display();
        let (search, run) = (format!("-L{folder}"), format!("-Wl,-rpath,{folder}"));
        let mut all = vec![search.as_str(), run.as_str(), "-lurcu-percpu"];
        all.extend(others);
        self.program(source, name, &all)
    }
}

/// Runs a program, which must say that all is well.
pub(crate) fn passes(program: &Path, arguments: &[&str]) {
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).args(arguments);
    let output = succeeds(&mut command);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("all is well\n"), "{command:?}: {text}");
    let _ = fs::remove_file(program);
}
/// Returns whether liburcu is installed, and says so if not.
pub(crate) fn has_liburcu() -> bool {
    let mut probe = Command::new("cc");
    probe.args([
        "-E",
        "-include",
        "urcu/urcu-memb.h",
        "-include",
        "urcu/rculfhash.h",
    ]);
    let output = probe.args(["-x", "c", "/dev/null"]).output();
    let found = output.is_ok_and(|output| output.status.success());
    if !found {
        skip("liburcu's headers are not installed (Debian: liburcu-dev)");
    }
    found
}
