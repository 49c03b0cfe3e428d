//! Debian packages, unpacked without being installed. They come from the mirror that this system's apt
//! uses, through an apt state of our own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::run::{output, say, succeeds, succeeds_quietly};

/// Returns the addresses of this system's apt sources, without repetition.
pub(crate) fn sites() -> Vec<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(SITE)"]);
    let text = output(command.env_remove("APT_CONFIG")).unwrap_or_default();
    let mut sites: Vec<String> = text.lines().map(str::to_owned).collect();
    sites.sort();
    sites.dedup();
    sites
}

/// Returns the address with Debian's own packages.
pub(crate) fn main_site(sites: &[String]) -> Option<&str> {
    let is_main = |site: &&String| site.trim_end_matches('/').ends_with("/debian");
    sites.iter().find(is_main).map(String::as_str)
}

/// An apt state of our own.
#[derive(Debug)]
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Returns the state in a folder, for these sources and architectures. The first architecture is this
    /// machine's. The folder is kept between runs.
    pub(crate) fn new(folder: &Path, sources: &str, architectures: &[&str]) -> io::Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "unpacked"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let quoted: Vec<_> = architectures
            .iter()
            .map(|name| format!("{name:?};"))
            .collect();
        let configuration = format!(
            "Dir::State \"{folder}/state\";
Dir::State::status \"{folder}/status\";
Dir::Cache \"{folder}/cache\";
Dir::Etc::sourcelist \"{folder}/sources.list\";
Dir::Etc::sourceparts \"-\";
APT::Architecture \"{first}\";
APT::Architectures {{ {all} }};
APT::Sandbox::User \"root\";
Acquire::Languages \"none\";
",
            folder = folder.display(),
            first = architectures[0],
            all = quoted.join(" "),
        );
        fs::write(folder.join("apt.conf"), configuration)?;
        fs::write(folder.join("sources.list"), sources)?;
        fs::write(folder.join("status"), "")?;
        Ok(Apt {
            folder: folder.to_owned(),
        })
    }

    /// Returns a command of apt's, with the binary cache that container images switch off: without it each
    /// query takes seconds.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env("APT_CONFIG", self.folder.join("apt.conf"));
        command.args(["-o", "Dir::Cache::pkgcache=pkgcache.bin"]);
        command.args(["-o", "Dir::Cache::srcpkgcache=srcpkgcache.bin"]);
        command
    }

    /// Reads the package indexes, unless they are less than a day old: they are large. Returns whether they
    /// are there.
    pub(crate) fn update(&self) -> bool {
        let (updated, sources) = (
            self.folder.join("updated"),
            self.folder.join("sources.list"),
        );
        let age = || fs::metadata(&updated).ok()?.modified().ok()?.elapsed().ok();
        let is_young = age().is_some_and(|age| age < Duration::from_secs(24 * 3600));
        let same = || fs::read(&updated).ok() == fs::read(&sources).ok();
        if is_young && same() {
            return true;
        }
        say("reading the package indexes");
        // By default apt reports success even if it reached no server.
        let mut update = self.program("apt-get");
        update.args(["update", "-qq", "-o", "APT::Update::Error-Mode=any"]);
        let done = succeeds(update.stdout(Stdio::null()));
        if done {
            let _ = fs::copy(&sources, &updated);
        } else {
            say("some package indexes could not be read");
        }
        succeeds_quietly(self.program("apt-cache").args(["gencaches", "-qq"]));
        done
    }

    /// Returns the folder with the files of a package (`name:architecture`), if it can be fetched.
    pub(crate) fn unpacked(&self, package: &str, suite: &str) -> Option<PathBuf> {
        let folder = self.folder.join("unpacked").join(suite).join(package);
        if !folder.exists() {
            let part = folder.with_file_name(format!("{package}.part"));
            let _ = fs::remove_dir_all(&part);
            fs::create_dir_all(part.join("files")).ok()?;
            let mut download = self.program("apt-get");
            download.args(["download", "-qq", &format!("{package}/{suite}")]);
            if !succeeds_quietly(download.current_dir(&part)) {
                let _ = fs::remove_dir_all(&part);
                return None;
            }
            let is_archive = |path: &Path| path.extension().is_some_and(|end| end == "deb");
            let archive = crate::run::find(&part, &is_archive)?;
            let mut unpack = Command::new("dpkg");
            if !succeeds(unpack.arg("-x").arg(archive).arg(part.join("files"))) {
                return None;
            }
            fs::rename(part.join("files"), &folder).ok()?;
            let _ = fs::remove_dir_all(&part);
        }
        Some(folder)
    }

    /// Unpacks a package of this machine's architecture, and all packages that it needs, into one folder.
    /// Returns whether all could be fetched.
    pub(crate) fn with_dependencies(&self, folder: &Path, package: &str) -> bool {
        let archives = self.folder.join("cache/archives");
        let mut download = self.program("apt-get");
        // Nothing is installed according to this state, so nothing is left out.
        download.args([
            "install",
            "--download-only",
            "--no-install-recommends",
            "-y",
            "-qq",
        ]);
        if !succeeds_quietly(download.arg(package)) {
            return false;
        }
        // Older versions that an earlier run has fetched would be unpacked, too.
        succeeds_quietly(self.program("apt-get").arg("autoclean"));
        let entries = fs::read_dir(&archives).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path());
        let mut archives = files.filter(|path| path.extension().is_some_and(|end| end == "deb"));
        fs::create_dir_all(folder).is_ok()
            && archives.all(|archive| {
                let mut unpack = Command::new("dpkg");
                succeeds(unpack.arg("-x").arg(archive).arg(folder))
            })
    }

    /// Returns the first dependency of a package whose name is `prefix` and then a digit.
    pub(crate) fn dependency(&self, package: &str, suite: &str, prefix: &str) -> Option<String> {
        let mut show = self.program("apt-cache");
        show.args(["show", &format!("{package}/{suite}")]);
        let shown = output(show.stderr(Stdio::null()))?;
        dependency(&shown, prefix)
    }

    /// Unpacks packages of this machine's architecture into one common folder.
    ///
    /// # Errors
    /// Returns the name of a package that cannot be fetched.
    pub(crate) fn together(
        &self,
        folder: &Path,
        packages: &[String],
        suite: &str,
    ) -> Result<(), String> {
        let part = folder.with_extension("part");
        let _ = fs::remove_dir_all(&part);
        fs::create_dir_all(&part).map_err(|error| error.to_string())?;
        for package in packages {
            let copied = self.unpacked(package, suite).is_some_and(|files| {
                let mut copy = Command::new("cp");
                succeeds(copy.arg("-al").arg(files.join(".")).arg(&part))
            });
            if !copied {
                return Err(package.clone());
            }
        }
        fs::rename(&part, folder).map_err(|error| error.to_string())
    }
}

/// Finds the dependency in the output of `apt-cache show`.
fn dependency(shown: &str, prefix: &str) -> Option<String> {
    let lines = shown
        .lines()
        .filter_map(|line| line.strip_prefix("Depends:"));
    let mut names = lines.flat_map(|line| line.split([',', '|'])).map(|entry| {
        let entry = entry.trim();
        let end = entry.find([' ', ':', '(']).unwrap_or(entry.len());
        &entry[..end]
    });
    let is_wanted = |name: &&str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    names.find(is_wanted).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{dependency, main_site};

    #[test]
    fn dependencies_are_found_by_the_beginning_of_their_names() {
        let shown = "Package: x\nDepends: linux-base (>= 4.0), linux-image-6.1.0-40-cloud (= 6.1),\
                     a | libllvm19:amd64\nSuggests: libllvm20\n";
        let found = |prefix| dependency(shown, prefix);
        assert_eq!(
            found("linux-image-").as_deref(),
            Some("linux-image-6.1.0-40-cloud")
        );
        assert_eq!(found("libllvm").as_deref(), Some("libllvm19"));
        assert_eq!(found("linux-"), None);
    }

    #[test]
    fn the_mirror_is_the_one_with_debians_own_packages() {
        let sites = ["http://a/debian-security", "http://a/debian/", "http://b/x"];
        let sites = sites.map(str::to_owned);
        assert_eq!(main_site(&sites), Some("http://a/debian/"));
        assert_eq!(main_site(&sites[..1]), None);
    }
}
