//! Static programs for the guests' processors.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::kinds::Arch;
use super::packages::{linker, rustc_for_arm64};
use super::plan::Plan;
use crate::run::{name, repository, std_source, succeeds};

/// Delays inside the sequences: without them tests show little. Only single-stepping runs the sequences as
/// shipped.
const DELAYS: &str = " --cfg rseq_ops_delay_injection";

/// Returns the folder of the programs of a processor: `tests`, and `bin`.
pub(crate) fn folder(plan: &Plan, arch: Arch) -> PathBuf {
    plan.target.join(format!("programs-{arch}"))
}

/// Builds the programs. Returns whether that was possible.
pub(crate) fn build(plan: &Plan, arch: Arch) -> bool {
    let built = Build { plan, arch }.all();
    if let Err(error) = &built {
        eprintln!("{error}");
    }
    built.is_ok()
}

struct Build<'a> {
    plan: &'a Plan,
    arch: Arch,
}

impl Build<'_> {
    /// Returns a target folder of its own: cargo cannot build for two processors at a time in one.
    fn target(&self) -> PathBuf {
        self.plan.target.join(self.arch.name())
    }

    /// Returns a cargo command that makes static programs for this processor.
    fn cargo(&self, options: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(repository());
        let options = format!("-C target-feature=+crt-static{options}");
        cargo
            .env("RUSTFLAGS", options)
            .env("CARGO_TARGET_DIR", self.target());
        // Emulation is slow, so this repository's code is optimised.
        for (variable, value) in [
            ("CARGO_PROFILE_DEV_DEBUG", "false"),
            ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
            ("CARGO_INCREMENTAL", "0"),
            // `urcu-benches` gets no C compiler: it would link liburcu for a comparison.
            ("CC", "false"),
        ] {
            cargo.env(variable, value);
        }
        let linker_variable = |triple: &str| {
            let triple = triple.to_uppercase().replace('-', "_");
            format!("CARGO_TARGET_{triple}_LINKER")
        };
        match self.arch {
            Arch::Amd64 => {}
            Arch::Arm64 => {
                let root = rustc_for_arm64();
                let library = root.join("usr/lib");
                let libraries = [library.join("x86_64-linux-gnu"), library];
                if let Ok(path) = std::env::join_paths(libraries) {
                    cargo.env("LD_LIBRARY_PATH", path);
                }
                cargo.env("RUSTC", root.join("usr/bin/rustc"));
            }
            Arch::Riscv64 => {
                cargo.env("RUSTC_BOOTSTRAP", "1");
                let library = std_source().unwrap_or_default();
                cargo.env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
                cargo.arg("-Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro");
            }
        }
        if self.arch != Arch::Amd64 {
            cargo.env(linker_variable(self.arch.triple()), linker(self.arch));
        }
        cargo
    }

    /// Adds the options of a subcommand.
    fn for_target(&self, cargo: &mut Command) {
        // Optimising the dependencies takes longer than it saves. But jumps in RISC-V's static libc reach
        // only 1 MiB, and a std without optimisation is larger.
        let others = match self.arch {
            Arch::Riscv64 => "\"s\"",
            _ => "0",
        };
        let profile = format!("profile.dev.package.\"*\".opt-level={others}");
        cargo.args(["--config", &profile, "--target", self.arch.triple()]);
    }

    fn all(&self) -> Result<(), String> {
        let out = folder(self.plan, self.arch);
        let _ = fs::remove_dir_all(&out);
        for part in ["tests", "bin"] {
            fs::create_dir_all(out.join(part)).map_err(|error| error.to_string())?;
        }
        for package in ["rseq-ops", "urcu-percpu"] {
            self.tests(package, &out.join("tests"))?;
        }
        let example = ["-p", "rseq-ops", "--example", "aborts"];
        self.program(
            DELAYS,
            &example,
            "examples/aborts",
            &out.join("bin/aborts-delays"),
        )?;
        let counts = ["-p", "urcu-torture", "--example", "counts"];
        self.program("", &counts, "examples/counts", &out.join("bin/counts"))?;
        // The peers of `rcu-compare` are not needed, and some support only this machine's processor.
        let torture = [
            "-p",
            "urcu-benches",
            "--no-default-features",
            "--bin",
            "rcu-torture",
        ];
        self.program(
            DELAYS,
            &torture,
            "rcu-torture",
            &out.join("bin/rcu-torture"),
        )?;
        self.program("", &example, "examples/aborts", &out.join("bin/aborts"))
    }

    /// Builds one program, and copies it.
    fn program(&self, options: &str, what: &[&str], built: &str, out: &Path) -> Result<(), String> {
        let mut cargo = self.cargo(options);
        cargo.args(["build", "-q"]).args(what);
        self.for_target(&mut cargo);
        if !succeeds(cargo.stdout(Stdio::null())) {
            return Err(format!(
                "{} does not build for {}",
                what.join(" "),
                self.arch
            ));
        }
        let built = self
            .target()
            .join(self.arch.triple())
            .join("debug")
            .join(built);
        copy(&built, out)
    }

    /// Builds the tests of a package, and copies them.
    fn tests(&self, package: &str, out: &Path) -> Result<(), String> {
        let mut cargo = self.cargo(DELAYS);
        cargo.args(["test", "--no-run", "-p", package, "--lib", "--tests"]);
        self.for_target(&mut cargo);
        let output = cargo.output().map_err(|error| error.to_string())?;
        let listing = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(listing.into_owned());
        }
        for program in executables(&listing) {
            let program = repository().join(program);
            if let Some(name) = test_name(package, name(&program)) {
                copy(&program, &out.join(name))?;
            }
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied: io::Result<u64> = fs::copy(from, to);
    let told = |error| format!("{}: {error}", from.display());
    copied.map(drop).map_err(told)
}

/// Returns the programs that the output of `cargo test --no-run` names.
fn executables(listing: &str) -> impl Iterator<Item = &str> {
    let lines = listing.lines().map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with("Executable "));
    lines.filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
}

/// Returns the name of a test program on the guest, or `None` if it does not run there.
fn test_name(package: &str, program: &str) -> Option<String> {
    let (name, _hash) = program.rsplit_once('-').unwrap_or((program, ""));
    match (package, name) {
        // This test runs a compiler.
        (_, "compile_fail") => None,
        // Both packages have a program of this name.
        ("rseq-ops", "suite") => Some("rseq-ops-suite".into()),
        _ => Some(name.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{executables, test_name};

    #[test]
    fn programs_are_found_in_what_cargo_prints() {
        let listing = "   Compiling x v0.1.0 (/x)\n\
                       \x20 Executable unittests src/lib.rs (target/debug/deps/urcu-0a)\n\
                       \x20 Executable tests/suite/main.rs (target/debug/deps/suite-1b)\n";
        let found: Vec<_> = executables(listing).collect();
        assert_eq!(
            found,
            ["target/debug/deps/urcu-0a", "target/debug/deps/suite-1b"]
        );
        assert_eq!(
            test_name("urcu-percpu", "suite-1b").as_deref(),
            Some("suite")
        );
        assert_eq!(
            test_name("rseq-ops", "suite-1b").as_deref(),
            Some("rseq-ops-suite")
        );
        assert_eq!(test_name("urcu-percpu", "compile_fail-2c"), None);
    }
}
