//! Runs the litmus tests of what loom cannot show (`loom-tests/litmus`) with herd7. If herd7 is not installed,
//! it is fetched from Debian; where that is impossible, the tests are skipped, and the output says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, Apt};
use crate::run::{Status, cache, find, is_there, name, output, repository};

/// A way to run herd7.
#[derive(Debug)]
enum Herd {
    Installed,
    /// Unpacked, with Debian's own libraries: this system's may be older.
    Unpacked {
        root: PathBuf,
        models: PathBuf,
    },
}

impl Herd {
    fn find() -> Result<Self, String> {
        if is_there("herd7") {
            return Ok(Herd::Installed);
        }
        if !cfg!(target_arch = "x86_64") {
            return Err("herd7 is not installed, and has no package for this processor".into());
        }
        for tool in ["apt-get", "dpkg"] {
            if !is_there(tool) {
                return Err(format!(
                    "herd7 is not installed, and there is no {tool} to unpack its package"
                ));
            }
        }
        let root = cache().join("herd/root");
        if !root.exists() {
            fetch(&root)
                .ok_or("herd7 is not installed, and Debian's herdtools7 could not be fetched")?;
        }
        let is_model = |path: &Path| name(path) == "aarch64.cat";
        let model =
            find(&root.join("usr"), &is_model).ok_or("the package herdtools7 has no models")?;
        let models = model.parent().expect("a file is in a folder").to_owned();
        Ok(Herd::Unpacked { root, models })
    }

    fn command(&self) -> Command {
        match self {
            Herd::Installed => Command::new("herd7"),
            Herd::Unpacked { root, models } => {
                let libraries = root.join("usr/lib/x86_64-linux-gnu");
                let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
                command.arg("--library-path").arg(&libraries);
                command.arg(root.join("usr/bin/herd7"));
                command.arg("-set-libdir").arg(models);
                command
            }
        }
    }

    /// Returns how often a test's condition held: `Never`, `Sometimes`, `Always`.
    fn observe(&self, test: &Path, text: &str) -> Option<String> {
        let mut command = self.command();
        // C11 as repaired by Lahav et al. (2017). C++20 follows this model, and so does Rust.
        if text.lines().any(|line| line.starts_with("C ")) {
            command.args(["-model", "rc11.cat"]);
        }
        observation(&output(command.arg(test))?)
    }
}

fn fetch(root: &Path) -> Option<()> {
    let sites = debian::sites();
    let sources = format!("deb {} sid main\n", debian::main_site(&sites)?);
    let apt = Apt::new(&cache().join("herd/apt"), &sources, &["amd64"]).ok()?;
    if !apt.update() {
        return None;
    }
    let packages = ["herdtools7", "libc6", "libstdc++6", "libgcc-s1", "libgmp10"];
    apt.together(root, &packages.map(str::to_owned), "sid").ok()
}

fn observation(said: &str) -> Option<String> {
    let line = said.lines().find(|line| line.starts_with("Observation "))?;
    line.split_whitespace().nth(2).map(str::to_owned)
}

fn expectation(text: &str) -> Option<&str> {
    let rest = text.split("Expected: ").nth(1)?;
    let word = rest.split_whitespace().next()?;
    ["Never", "Sometimes"].contains(&word).then_some(word)
}

/// Runs all litmus tests.
pub(crate) fn main() -> Status {
    let herd = match Herd::find() {
        Ok(herd) => herd,
        Err(reason) => {
            println!("litmus: skipped: {reason}");
            return Ok(0);
        }
    };
    let folder = repository().join("loom-tests/litmus");
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    let mut tests: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    tests.retain(|path| path.extension().is_some_and(|end| end == "litmus"));
    tests.sort();
    if tests.is_empty() {
        return Err("there are no litmus tests".into());
    }
    let mut failed = false;
    for test in tests {
        let text = fs::read_to_string(&test)?;
        let (seen, expected) = (herd.observe(&test, &text), expectation(&text));
        let name = name(&test).trim_end_matches(".litmus");
        if expected.is_some() && seen.as_deref() == expected {
            println!("litmus: {name}: {}", seen.unwrap_or_default());
        } else {
            let seen = seen.as_deref().unwrap_or("nothing");
            println!("litmus: {name}: {seen}, not {}", expected.unwrap_or("said"));
            failed = true;
        }
    }
    Ok(failed.into())
}

#[cfg(test)]
mod tests {
    use super::{expectation, observation};

    #[test]
    fn what_is_seen_and_what_is_expected_are_found() {
        let said = "Test x Allowed\nStates 2\nObservation x Never 0 3\nTime x 0.01\n";
        assert_eq!(observation(said).as_deref(), Some("Never"));
        assert_eq!(observation("Test x Allowed\n"), None);
        assert_eq!(
            expectation("(* Expected: Sometimes (why) *)"),
            Some("Sometimes")
        );
        assert_eq!(expectation("(* Expected: Perhaps *)"), None);
    }
}
