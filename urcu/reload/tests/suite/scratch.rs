//! A directory of a test's own, and what is done to files.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use urcu_reload::{Builder, Watched};

/// Nothing takes so long, but for what was missed.
const DEADLINE: Duration = Duration::from_secs(30);
/// Longer than a test: looks are off, so that notifications have to do.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// A directory, gone at the end.
#[derive(Debug)]
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("urcu-reload-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        // Without symbolic links on the way, so that tests know all of it.
        Scratch(path.canonicalize().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a file, and the directories on the way.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Replaces a file by a rename: at once.
pub(crate) fn replace(file: &Path, text: &str) {
    let aside = file.with_extension("aside");
    fs::write(&aside, text).unwrap();
    fs::rename(aside, file).unwrap();
}

/// A configuration that is a text. What says so is refused.
pub(crate) fn text(path: impl AsRef<Path>) -> Builder<String, urcu_reload::Custom> {
    urcu_reload::watch::<String>(path)
        .extensions(["txt"])
        .parser(|files| {
            let texts: Vec<_> = files.iter().map(|file| file.text()).collect();
            match texts.join("+") {
                text if text.contains("bad") => Err("it says that it is bad".into()),
                text => Ok(text),
            }
        })
}

/// Nothing on standard error.
pub(crate) fn quiet<T: Send + Sync + 'static>(config: Watched<T>) -> Watched<T> {
    config.on_error(|_| ());
    config
}

/// Waits until something holds.
pub(crate) fn until(what: impl Debug, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until this is in force.
pub(crate) fn sees(config: &Watched<String>, expected: &str) {
    until((expected, config.status()), || *config.read() == expected);
}

/// Waits until the files are refused for a reason in which this occurs.
pub(crate) fn refuses<T: Send + Sync + 'static>(config: &Watched<T>, expected: &str) {
    until(expected, || {
        config
            .status()
            .error
            .is_some_and(|error| error.to_string().contains(expected))
    });
}
