//! Checks of the published packages: files, metadata, features, licences, public items.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run::{Status, output, repository, rustc, say, succeeds, target};
use crate::{items, licences};

/// The packages that may be published, and how many features of each are tried together.
pub(crate) const PUBLISHED: [(&str, usize); 4] = [
    ("rseq-ops", 9),
    ("urcu-percpu", 9),
    ("urcu-collections", 9),
    // Three of the seven features are formats; a pair of formats shows as much as all three.
    ("urcu-reload", 2),
];

/// The compiler whose lists of items are kept.
const COMPILER: &str = "rustc 1.95.";

/// The files that every tarball must have.
const FILES: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// The only dependencies of these two packages by default.
const ALONE: [(&str, &[&str]); 2] = [
    ("rseq-ops", &["libc"]),
    ("urcu-percpu", &["libc", "rseq-ops"]),
];

#[derive(Debug)]
struct Check {
    metadata: Value,
    faults: Vec<String>,
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(repository());
    cargo
}

impl Check {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let mut metadata = cargo();
        metadata.args(["metadata", "--format-version", "1", "--all-features"]);
        let metadata = output(&mut metadata).ok_or("cargo metadata failed")?;
        Ok(Check {
            metadata: serde_json::from_str(&metadata)?,
            faults: Vec::new(),
        })
    }

    fn expect(&mut self, is_well: bool, fault: impl FnOnce() -> String) {
        if !is_well {
            let fault = fault();
            println!("{fault}");
            self.faults.push(fault);
        }
    }

    fn package(&self, name: &str) -> Value {
        let mut packages = list(&self.metadata["packages"]);
        let is_ours = |package: &&Value| package["name"] == name && package["source"].is_null();
        packages.find(is_ours).cloned().unwrap_or_default()
    }

    /// Checks that nothing is published by mistake.
    fn names(&mut self) {
        let members: BTreeSet<&str> = list(&self.metadata["workspace_members"])
            .map(text)
            .collect();
        let packages = list(&self.metadata["packages"]);
        let published: BTreeSet<String> = packages
            .filter(|package| members.contains(text(&package["id"])))
            .filter(|package| package["publish"].is_null())
            .map(|package| text(&package["name"]).to_owned())
            .collect();
        let wanted = PUBLISHED.map(|(name, _)| name.to_owned()).into();
        self.expect(published == wanted, || {
            format!("the publishable packages are {published:?}, expected {wanted:?}")
        });
    }

    /// Checks the facts that a registry shows and that docs.rs needs.
    fn about(&mut self, name: &str) {
        let package = self.package(name);
        let count = |key: &str| list(&package[key]).count();
        for key in ["description", "readme", "rust_version", "license"] {
            self.expect(!text(&package[key]).is_empty(), || {
                format!("{name}: {key} is missing")
            });
        }
        for key in ["keywords", "categories"] {
            self.expect((1..=5).contains(&count(key)), || {
                format!("{name}: there must be one to five {key}")
            });
        }
        let for_docs = &package["metadata"]["docs"]["rs"];
        self.expect(for_docs["targets"].is_array(), || {
            format!("{name}: the metadata for docs.rs is missing")
        });
        let version = text(&package["version"]);
        let changes = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap_or_default();
        self.expect(changes.contains(&format!("\n## {version}")), || {
            format!("{name}: the CHANGELOG has no section for {version}")
        });
    }

    /// Checks that the tarballs build and contain what they should.
    fn tarballs(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        // From an empty state: cargo reuses what it has built for a version even if the sources have changed.
        fs::remove_dir_all(target("packages")?)?;
        let folder = target("packages")?;
        let package = |more: &[&str]| {
            let mut package = cargo();
            package.args(["package", "--quiet", "--allow-dirty", "--target-dir"]);
            package.arg(&folder).args(more);
            package.args(PUBLISHED.iter().flat_map(|(name, _)| ["-p", name]));
            package.output()
        };
        self.forget_unpacked();
        // Offline at first: the dependencies were downloaded, except where nothing else was built.
        let mut output = package(&["--offline"])?;
        if !output.status.success() {
            output = package(&[])?;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        self.expect(output.status.success(), || format!("cargo package: {said}"));
        for (name, _) in PUBLISHED {
            let version = text(&self.package(name)["version"]).to_owned();
            let unpacked = folder.join("package").join(format!("{name}-{version}"));
            self.files(name, &unpacked);
        }
        Ok(())
    }

    /// Removes what an earlier `cargo package` unpacked of these packages, for the same reason. (The name of a
    /// registry in a target folder has no host, and so begins with a dash.)
    fn forget_unpacked(&self) {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        let Some(home) = home else { return };
        let folders = ["src", "cache"].map(|kind| fs::read_dir(home.join("registry").join(kind)));
        let folders = folders.into_iter().flatten().flatten().flatten();
        for folder in folders.map(|entry| entry.path()) {
            if !crate::run::name(&folder).starts_with('-') {
                continue;
            }
            for (name, _) in PUBLISHED {
                let package = format!("{name}-{}", text(&self.package(name)["version"]));
                let _ = fs::remove_dir_all(folder.join(&package));
                let _ = fs::remove_file(folder.join(package + ".crate"));
            }
        }
    }

    fn files(&mut self, name: &str, folder: &Path) {
        for file in FILES {
            let there = fs::read(folder.join(file)).unwrap_or_default();
            let is_well = match file {
                "README.md" => there.len() > 1000,
                _ => fs::read(repository().join(file)).is_ok_and(|ours| ours == there),
            };
            self.expect(is_well, || {
                format!("{name}: the {file} in its tarball differs or is missing")
            });
        }
        let is_program = |path: &Path| {
            path.extension()
                .is_some_and(|end| end == "toml" || end == "rs")
        };
        self.expect(crate::run::find(folder, &is_program).is_some(), || {
            format!("{name}: its tarball is empty")
        });
    }

    /// Checks that every set of up to `most` features compiles without a warning.
    fn features(&mut self, name: &str, most: usize) {
        let package = self.package(name);
        let features = package["features"].as_object();
        let names = features.into_iter().flatten().map(|(name, _)| name);
        let names: Vec<&String> = names.filter(|name| *name != "default").collect();
        let sets = (0..1_usize << names.len()).filter(|set| {
            let count = set.count_ones() as usize;
            count <= most || count == names.len()
        });
        let mut tried = 0;
        for set in sets {
            let chosen = names.iter().enumerate();
            let chosen: Vec<&str> = chosen
                .filter(|(number, _)| set >> number & 1 == 1)
                .map(|(_, name)| name.as_str())
                .collect();
            let chosen = chosen.join(",");
            let mut check = cargo();
            check.args(["check", "--quiet", "--lib", "-p", name]);
            check.args(["--no-default-features", "--features", &chosen]);
            let said = check.output().map(|output| output.stderr);
            let said = String::from_utf8_lossy(&said.unwrap_or(b"cargo cannot be run".into()))
                .into_owned();
            self.expect(said.is_empty(), || {
                format!("{name} with {chosen:?}: {said}")
            });
            tried += 1;
        }
        println!("{name}: {tried} sets of features were tried");
    }

    /// Returns the identities of all packages that a package is built with, except those only for its tests.
    fn built_with(&self, name: &str) -> BTreeSet<String> {
        let nodes = list(&self.metadata["resolve"]["nodes"]);
        let nodes: BTreeMap<&str, &Value> = nodes.map(|node| (text(&node["id"]), node)).collect();
        let mut found = BTreeSet::new();
        let mut next = vec![text(&self.package(name)["id"]).to_owned()];
        while let Some(id) = next.pop() {
            if found.contains(&id) {
                continue;
            }
            let node = nodes.get(id.as_str()).copied().unwrap_or(&Value::Null);
            let needed = |dependency: &&Value| {
                list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev")
            };
            let needed = list(&node["deps"]).filter(needed);
            next.extend(needed.map(|dependency| text(&dependency["pkg"]).to_owned()));
            found.insert(id);
        }
        found
    }

    /// Checks the licences of all dependencies with all features, and that no dependency is there in two
    /// versions.
    fn dependencies(&mut self) -> std::io::Result<()> {
        let allowed = allowed(&fs::read_to_string(repository().join("deny.toml"))?);
        let mut all = BTreeSet::new();
        PUBLISHED
            .iter()
            .for_each(|(name, _)| all.extend(self.built_with(name)));
        let packages: Vec<Value> = list(&self.metadata["packages"]).cloned().collect();
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in packages.iter().filter(|one| all.contains(text(&one["id"]))) {
            let (name, version) = (text(&package["name"]), text(&package["version"]));
            let licence = text(&package["license"]);
            versions.entry(name).or_default().insert(version);
            self.expect(licences::is_allowed(licence, &allowed), || {
                format!("{name} {version}: the licence {licence:?} is not allowed")
            });
        }
        println!(
            "the published packages are built from {} packages",
            versions.len()
        );
        for (name, versions) in versions {
            self.expect(versions.len() == 1, || {
                format!("{name} is there in several versions: {versions:?}")
            });
        }
        Ok(())
    }

    /// Checks that some packages depend only on `libc`, and on each other.
    fn alone(&mut self) {
        for (name, wanted) in ALONE {
            let mut tree = cargo();
            tree.args(["tree", "-p", name, "-e", "normal,build", "--prefix", "none"]);
            let said = output(tree.args(["--format", "{lib}"])).unwrap_or_default();
            let found: BTreeSet<String> = said
                .lines()
                .skip(1)
                .filter_map(|line| line.split_whitespace().next())
                .map(|name| name.replace('_', "-"))
                .collect();
            let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
            self.expect(found == wanted, || {
                format!("{name} depends on {found:?}, expected {wanted:?}")
            });
        }
    }

    /// Checks that the public items are those of the lists, or writes the lists.
    fn items(&mut self, update: bool) -> Result<(), Box<dyn std::error::Error>> {
        let folder = target("items")?;
        let mut doc = cargo();
        doc.args([
            "doc",
            "--quiet",
            "--no-deps",
            "--all-features",
            "--target-dir",
        ]);
        doc.arg(&folder).env("RUSTC_BOOTSTRAP", "1");
        let options = "-Zunstable-options --output-format json --cap-lints allow";
        doc.env("RUSTDOCFLAGS", options).stderr(Stdio::inherit());
        doc.args(PUBLISHED.iter().flat_map(|(name, _)| ["-p", name]));
        self.expect(succeeds(&mut doc), || "cargo doc failed".to_owned());
        for (name, _) in PUBLISHED {
            let library = if name == "urcu-percpu" { "urcu" } else { name };
            let json = folder
                .join("doc")
                .join(library.replace('-', "_"))
                .with_extension("json");
            let now = items::of(&json.to_string_lossy())?;
            let kept = self.kept(name);
            if update {
                fs::create_dir_all(kept.parent().unwrap_or(&kept))?;
                fs::write(kept, now)?;
                continue;
            }
            let before = fs::read_to_string(kept).unwrap_or_default();
            let (before, now): (BTreeSet<&str>, BTreeSet<&str>) =
                (before.lines().collect(), now.lines().collect());
            before
                .difference(&now)
                .for_each(|line| println!("{name}: - {line}"));
            now.difference(&before)
                .for_each(|line| println!("{name}: + {line}"));
            self.expect(before == now && now.len() > 20, || {
                format!(
                    "{name}: the public items differ from benches/ci/items; if that is intended, run \
                     `.ci/packages --update`"
                )
            });
        }
        Ok(())
    }

    fn kept(&self, name: &str) -> PathBuf {
        repository()
            .join("benches/ci/items")
            .join(name)
            .with_extension("txt")
    }
}

/// Returns the licences that `deny.toml` allows.
fn allowed(deny: &str) -> Vec<String> {
    let list = deny.split_once("\nallow = [").map_or("", |(_, rest)| rest);
    let list = list.split_once(']').map_or("", |(list, _)| list);
    let names = list.split('"').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// Runs all checks, or writes the lists of items.
pub(crate) fn main(update: bool) -> Status {
    let mut check = Check::new()?;
    let version = rustc(&["--version"]).unwrap_or_default();
    if version.starts_with(COMPILER) {
        say("public items");
        check.items(update)?;
    } else {
        say(format_args!(
            "skipped: public items; {version} may describe them in another way"
        ));
    }
    if update {
        return Ok(0);
    }
    say("metadata, licences");
    check.names();
    PUBLISHED.iter().for_each(|(name, _)| check.about(name));
    check.dependencies()?;
    check.alone();
    say("features");
    for (name, most) in PUBLISHED {
        check.features(name, most);
    }
    say("tarballs");
    check.tarballs()?;
    say(format_args!("{} faults", check.faults.len()));
    Ok((!check.faults.is_empty()).into())
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn the_allowed_licences_are_those_of_the_list() {
        let deny = "[graph]\nx = [\"y\"]\n[licenses]\nallow = [\n  \"MIT\",\n  \"ISC\",\n]\n[bans]\nz = [\"w\"]\n";
        assert_eq!(allowed(deny), ["MIT", "ISC"]);
    }
}
