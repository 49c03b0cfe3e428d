//! Compiles the published packages, and runs the unit tests of `rseq-ops` and `urcu`, with the oldest Rust that
//! they promise to work with (`rust-version`).
//!
//! Debian keeps older versions of the compiler's library and of the standard library's source. A small C program
//! turns the former into a compiler, which compiles the latter. Where one of the two cannot be fetched, the check
//! is skipped, and the output says why.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, Apt};
use crate::packages::PUBLISHED;
use crate::run::{Status, cache, find, host, is_there, name, output, repository, say, succeeds};

const STUB: &str = "extern void rustc_main(void) __asm__(\"SYMBOL\");
int main(void) { rustc_main(); return 0; }
";

/// A compiler in a folder of its own.
#[derive(Debug)]
struct Oldest {
    folder: PathBuf,
    host: String,
}

impl Oldest {
    /// Returns the compiler, fetched and built unless an earlier run has done so. Returns why there is none if
    /// there is none.
    fn find(version: &str) -> Result<Self, String> {
        let host = host().filter(|host| host == "x86_64-unknown-linux-gnu");
        let host = host.ok_or("the compiler is fetched for x86-64 alone")?;
        for tool in ["apt-get", "dpkg", "gcc", "nm"] {
            if !is_there(tool) {
                return Err(format!("there is no {tool}"));
            }
        }
        let folder = cache().join("oldest").join(version);
        let found = Oldest { folder, host };
        if !found.starts() {
            found.make(version)?;
        }
        Ok(found)
    }

    /// Returns whether the compiler is there. One that does not start was moved, or an interrupted run has left it.
    fn starts(&self) -> bool {
        output(Command::new(self.compiler()).arg("-V")).is_some()
    }

    /// Returns the path of the compiler, which knows its standard library.
    fn compiler(&self) -> PathBuf {
        self.folder.join("rustc")
    }

    fn make(&self, version: &str) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        // Two standard libraries in one place would be one too many.
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(said)?;
        }
        let sites = debian::sites();
        let site = debian::main_site(&sites).ok_or("apt has no source of Debian's packages")?;
        let sources = format!("deb {site} trixie main\ndeb {site} trixie-backports main\n");
        // A state for each version, because all packages that were fetched into it are unpacked.
        let state = cache().join("oldest").join(format!("apt-{version}"));
        let apt = Apt::new(&state, &sources, &["amd64"]).map_err(said)?;
        let library = format!("libstd-rust-{version}");
        let root = self.folder.join("root");
        if !apt.update() || !apt.with_dependencies(&root, &library) {
            return Err(format!("Debian's package {library} cannot be fetched"));
        }
        let driver = |path: &Path| name(path).starts_with("librustc_driver-");
        let driver = find(&root, &driver).ok_or(format!("{library} has no compiler"))?;
        self.link(&driver).ok_or("the compiler cannot be linked")?;
        let bare = self.script("bare", &root, "").map_err(said)?;
        let exact = output(Command::new(&bare).arg("-V")).ok_or("the compiler does not start")?;
        let exact = exact.split(' ').nth(1).unwrap_or_default();
        let std = output(Command::new(repository().join(".ci/std-source")).arg(exact));
        let std = std.ok_or(format!(
            "the source of {exact}'s standard library cannot be fetched"
        ))?;
        self.build_std(&bare, &std)?;
        let sysroot = format!("--sysroot {}", self.folder.join("sysroot").display());
        self.script("rustc", &root, &sysroot).map_err(said)?;
        Ok(())
    }

    /// Links a program that does nothing but to call the library's main function.
    fn link(&self, driver: &Path) -> Option<()> {
        let symbols = output(
            Command::new("nm")
                .args(["-D", "--defined-only"])
                .arg(driver),
        )?;
        let symbol = symbols
            .split_whitespace()
            .find(|word| word.ends_with("_17rustc_driver_impl4main"))?;
        let source = self.folder.join("stub.c");
        fs::write(&source, STUB.replace("SYMBOL", symbol)).ok()?;
        let mut link = Command::new("gcc");
        link.arg(&source)
            .arg(driver)
            .arg("-o")
            .arg(self.folder.join("stub"));
        // The libraries that the driver needs are newer than this system's.
        link.args(["-Wl,--unresolved-symbols=ignore-all"]);
        succeeds(&mut link).then_some(())
    }

    /// Writes an executable script that runs the compiler with the libraries that it was built with.
    fn script(&self, called: &str, root: &Path, options: &str) -> io::Result<PathBuf> {
        let libraries = root.join("usr/lib/x86_64-linux-gnu");
        let text = format!(
            "#!/bin/sh\nexec {0}/ld-linux-x86-64.so.2 --library-path {0} {1} {options} \"$@\"\n",
            libraries.display(),
            self.folder.join("stub").display(),
        );
        self.executable(called, &text)
    }

    fn executable(&self, called: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(called);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Compiles the standard library. Its build scripts are compiled by this machine's own compiler, because
    /// without a standard library the other one can compile no program.
    fn build_std(&self, bare: &Path, std: &str) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        let own = output(Command::new("rustc").args(["--print", "sysroot"])).unwrap_or_default();
        let text = format!(
            "#!/bin/sh\ncase \" $* \" in *\" -vV \"*|*--print*|*\" --target \"*) exec {} \"$@\";; esac
exec {own}/bin/rustc \"$@\"\n",
            bare.display(),
        );
        let both = self.executable("both", &text).map_err(said)?;
        let program = self.folder.join("program");
        fs::create_dir_all(program.join("src")).map_err(said)?;
        let manifest = "[package]\nname = \"program\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(program.join("Cargo.toml"), manifest).map_err(said)?;
        fs::write(program.join("src/main.rs"), "fn main() {}\n").map_err(said)?;
        say("compiling the standard library");
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--release", "--target", &self.host]);
        build.arg("-Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro");
        build.current_dir(&program).env("RUSTC", both);
        build.env("CARGO_TARGET_DIR", program.join("target"));
        build
            .env("RUSTC_BOOTSTRAP", "1")
            .env("__CARGO_TESTS_ONLY_SRC_ROOT", std);
        build.env_remove("RUSTC_WRAPPER").env_remove("RUSTFLAGS");
        if !succeeds(&mut build) {
            return Err("its standard library does not compile".into());
        }
        let built = program.join("target").join(&self.host).join("release/deps");
        let place = self
            .folder
            .join("sysroot/lib/rustlib")
            .join(&self.host)
            .join("lib");
        fs::create_dir_all(&place).map_err(said)?;
        for entry in fs::read_dir(built).map_err(said)?.flatten() {
            if entry.path().extension().is_some_and(|end| end == "rlib") {
                fs::copy(entry.path(), place.join(entry.file_name())).map_err(said)?;
            }
        }
        fs::remove_dir_all(program).map_err(said)
    }

    fn cargo(&self, arguments: &[&str]) -> bool {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(repository());
        cargo
            .env("RUSTC", self.compiler())
            .env_remove("RUSTC_WRAPPER");
        let target = crate::run::target("oldest");
        succeeds(cargo.env("CARGO_TARGET_DIR", target.unwrap_or_default()))
    }
}

/// Returns the value of `rust-version` in the workspace's manifest.
fn promised() -> Option<String> {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).ok()?;
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))?;
    Some(line.trim_matches('"').to_owned())
}

pub(crate) fn main() -> Status {
    let version = promised().ok_or("Cargo.toml has no rust-version")?;
    let oldest = match Oldest::find(&version) {
        Ok(oldest) => oldest,
        Err(why) => {
            println!("skipped: the published packages with Rust {version}: {why}");
            return Ok(0);
        }
    };
    say(output(Command::new(oldest.compiler()).arg("-V")).ok_or("it does not start")?);
    let face = ["--manifest-path", "urcu/compat/crossbeam-epoch/Cargo.toml"];
    let mut well = oldest.cargo(&[&["check", "--quiet", "--lib"], &face[..]].concat());
    for (package, _) in PUBLISHED {
        // One by one: what the tests of a package need may need a newer compiler.
        well &= oldest.cargo(&["check", "--quiet", "--lib", "--all-features", "-p", package]);
    }
    // What only the tests need promises less.
    well &= oldest.cargo(&[
        "test",
        "--ignore-rust-version",
        "--lib",
        "-p",
        "rseq-ops",
        "-p",
        "urcu-percpu",
    ]);
    say(if well {
        "it compiles them all"
    } else {
        "it does not compile them all"
    });
    Ok(u8::from(!well))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_does_not_start_is_made_anew() {
        let folder = std::env::temp_dir().join(format!("urcu-ci-oldest-{}", std::process::id()));
        let host = String::new();
        let oldest = Oldest { folder, host };
        fs::create_dir_all(&oldest.folder).unwrap();
        assert!(!oldest.starts());
        // An interrupted run: the script is empty, or cannot be executed yet.
        fs::write(oldest.compiler(), "").unwrap();
        assert!(!oldest.starts());
        fs::write(oldest.compiler(), "#!/bin/sh\n").unwrap();
        assert!(!oldest.starts());
        oldest.executable("rustc", "#!/bin/sh\n").unwrap();
        assert!(oldest.starts());
        // The folder was moved.
        let text = "#!/bin/sh\nexec /nowhere/stub \"$@\" 2>/dev/null\n";
        oldest.executable("rustc", text).unwrap();
        assert!(!oldest.starts());
        fs::remove_dir_all(&oldest.folder).unwrap();
    }
}
