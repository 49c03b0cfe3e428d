//! The file watch of the example `config_reload`: it notices every way in which a path comes to lead
//! to another content. Its looks now and then are switched off where notifications have to do.

#![cfg(target_os = "linux")]

#[macro_use]
extern crate test_deadline;

#[path = "../examples/config_reload/watch/mod.rs"]
mod watch;

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use watch::FileWatch;

const NEVER: Duration = Duration::from_secs(3600);
/// Nothing takes so long, but for what was missed.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory of its own, and a watch on a file in it.
struct Bench {
    root: PathBuf,
    file: PathBuf,
    watch: FileWatch,
}

impl Bench {
    /// In a directory that `fill` has filled. Notifications alone.
    fn new(name: &str, file: &str, fill: impl FnOnce(&Path)) -> Self {
        let unique = format!("file_watch-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(unique);
        fs::create_dir(&root).unwrap();
        fill(&root);
        let file = root.join(file);
        let watch = FileWatch::new(&file).unwrap().look_every(NEVER, NEVER);
        Bench { root, file, watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The file leads to this, sooner or later. `None`: to nothing.
    fn sees(&mut self, text: impl Into<Option<&'static str>>) {
        let expected = text.into().map(str::to_owned);
        let end = Instant::now() + DEADLINE;
        let mut seen = None;
        while Instant::now() < end {
            if self.watch.wait(DEADLINE) {
                seen = fs::read_to_string(&self.file).ok();
                if seen == expected {
                    return;
                }
            }
        }
        panic!("{expected:?} was missed: {seen:?} was seen last");
    }

    /// Nothing concerns the file any more.
    fn rests(&mut self) {
        while self.watch.wait(Duration::from_millis(300)) {}
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// By a rename: at once.
fn replace(file: &Path, text: &str) {
    let aside = file.with_extension("aside");
    fs::write(&aside, text).unwrap();
    fs::rename(aside, file).unwrap();
}

/// Two names change places, at once.
fn exchange(one: &Path, two: &Path) {
    let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
    let (one, two) = (path(one), path(two));
    // SAFETY: both paths end with a zero and live during the call.
    let result = unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            one.as_ptr(),
            libc::AT_FDCWD,
            two.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_file_that_is_written_or_replaced() {
    let mut bench = Bench::new("written", "file", |root| {
        fs::write(root.join("file"), "one").unwrap();
        fs::write(root.join("neighbour"), "").unwrap();
    });
    fs::write(&bench.file, "two").unwrap();
    bench.sees("two");
    for _ in 0..3 {
        replace(&bench.file, "three");
        bench.sees("three");
        // The one that is there now.
        let mut file = File::options().append(true).open(&bench.file).unwrap();
        file.write_all(b", and more").unwrap();
        drop(file);
        bench.sees("three, and more");
    }
    // By another name.
    fs::create_dir(bench.path("elsewhere")).unwrap();
    fs::hard_link(&bench.file, bench.path("elsewhere/other")).unwrap();
    fs::write(bench.path("elsewhere/other"), "four").unwrap();
    bench.sees("four");
    // Who goes on writing without closing is heard, too.
    let mut file = File::create(&bench.file).unwrap();
    file.write_all(b"five").unwrap();
    bench.sees("five");
    drop(file);
    bench.rests();
    fs::write(bench.path("neighbour"), "a neighbour's").unwrap();
    assert!(!bench.watch.wait(Duration::from_millis(300)));
}

#[test]
fn a_file_that_is_removed_and_made_again() {
    let mut bench = Bench::new("removed", "file", |root| {
        fs::write(root.join("file"), "one").unwrap();
    });
    for _ in 0..3 {
        fs::remove_file(&bench.file).unwrap();
        bench.sees(None);
        fs::write(&bench.file, "two").unwrap();
        bench.sees("two");
        fs::rename(&bench.file, bench.path("away")).unwrap();
        bench.sees(None);
        fs::rename(bench.path("away"), &bench.file).unwrap();
        bench.sees("two");
    }
}

#[test]
fn a_file_whose_directories_do_not_exist_yet_or_come_and_go() {
    let mut bench = Bench::new("directories", "a/b/file", |_| ());
    for _ in 0..3 {
        fs::create_dir_all(bench.path("a/b")).unwrap();
        fs::write(&bench.file, "one").unwrap();
        bench.sees("one");
        // Its directory, and the directory of that.
        for directory in ["a/b", "a"] {
            let away = bench.path("away");
            fs::rename(bench.path(directory), &away).unwrap();
            bench.sees(None);
            fs::rename(&away, bench.path(directory)).unwrap();
            bench.sees("one");
        }
        // Another in the place of one, at once, and what happens in that.
        fs::create_dir_all(bench.path("other/b")).unwrap();
        fs::write(bench.path("other/b/file"), "two").unwrap();
        exchange(&bench.path("a"), &bench.path("other"));
        bench.sees("two");
        replace(&bench.file, "three");
        bench.sees("three");
        fs::remove_dir_all(bench.path("a")).unwrap();
        fs::remove_dir_all(bench.path("other")).unwrap();
        bench.sees(None);
    }
}

/// What the kubelet does to a volume of a ConfigMap or a Secret: the files are links to `..data/*`,
/// `..data` is a link to a directory with a time in its name, and is replaced by a rename.
fn publish(volume: &Path, number: usize, text: &str) {
    let directory = volume.join(format!("..2026_01_01_{number}"));
    let old = fs::read_link(volume.join("..data")).ok();
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("file"), text).unwrap();
    symlink(directory.file_name().unwrap(), volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).unwrap();
    }
}

#[test]
fn a_volume_of_a_config_map() {
    let mut bench = Bench::new("volume", "volume/file", |root| {
        fs::create_dir(root.join("volume")).unwrap();
        publish(&root.join("volume"), 0, "one");
        symlink("..data/file", root.join("volume/file")).unwrap();
    });
    let volume = bench.path("volume");
    for number in 1..20 {
        let text = ["two", "three"][number % 2];
        publish(&volume, number, text);
        bench.sees(text);
    }
}

#[test]
fn links_on_the_way() {
    let mut bench = Bench::new("links", "link/../first", |root| {
        for name in ["a", "b", "a/deep", "b/deep"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        // Of `link/..`: where it leads, not where it is.
        symlink("a/deep", root.join("link")).unwrap();
        symlink(root.join("second"), root.join("a/first")).unwrap();
        symlink("second", root.join("b/first")).unwrap();
        symlink("nowhere", root.join("second")).unwrap();
    });
    // A link that leads nowhere, until it does.
    fs::write(bench.path("nowhere"), "one").unwrap();
    bench.sees("one");
    fs::write(bench.path("b/second"), "two").unwrap();
    let turn = |target: &str, root: &Path| {
        symlink(target, root.join("aside")).unwrap();
        fs::rename(root.join("aside"), root.join("link")).unwrap();
    };
    turn("b/deep", &bench.root);
    bench.sees("two");
    replace(&bench.path("b/second"), "three");
    bench.sees("three");
    turn("a/deep", &bench.root);
    bench.sees("one");
    // A ring of links is no file, and can be left again.
    fs::remove_file(bench.path("second")).unwrap();
    symlink("second", bench.path("second")).unwrap();
    bench.sees(None);
    fs::remove_file(bench.path("second")).unwrap();
    fs::write(bench.path("second"), "four").unwrap();
    bench.sees("four");
}

#[test]
fn the_last_of_many_changes_is_never_missed() {
    let mut bench = Bench::new("many", "volume/file", |root| {
        fs::create_dir(root.join("volume")).unwrap();
        publish(&root.join("volume"), 0, "one");
        symlink("..data/file", root.join("volume/file")).unwrap();
    });
    for round in 0..20 {
        let (volume, away) = (bench.path("volume"), bench.path("away"));
        let other = std::thread::spawn(move || {
            for number in 1..20 {
                let number = round * 20 + number;
                publish(&volume, number, "in between");
                if number % 3 == 0 {
                    fs::rename(&volume, &away).unwrap();
                    fs::rename(&away, &volume).unwrap();
                }
                if number % 4 == 0 {
                    replace(&volume.join("..data/file"), "in between");
                }
            }
            let text = ["the last", "the very last"][round % 2];
            publish(&volume, round * 20 + 20, text);
        });
        bench.sees(["the last", "the very last"][round % 2]);
        other.join().unwrap();
    }
}

#[test]
fn a_way_that_changes_while_it_is_armed_is_watched_to_its_end() {
    let mut bench = Bench::new("armed", "outer/link/file", |root| {
        for outer in ["outer", "other"] {
            for inner in ["one", "two"] {
                fs::create_dir_all(root.join(outer).join(inner)).unwrap();
                fs::write(root.join(outer).join(inner).join("file"), "first").unwrap();
            }
            symlink("one", root.join(outer).join("link")).unwrap();
            symlink("two", root.join(outer).join("next")).unwrap();
        }
    });
    for _ in 0..500 {
        let (root, outer) = (bench.root.clone(), bench.path("outer"));
        let swapper = std::thread::spawn(move || {
            exchange(&root.join("outer"), &root.join("other"));
            // The watch is on its way through the first by now, perhaps.
            for _ in 0..4 {
                exchange(&outer.join("link"), &outer.join("next"));
            }
        });
        while !swapper.is_finished() {
            bench.watch.wait(Duration::from_millis(1));
        }
        swapper.join().unwrap();
        bench.watch.wait(Duration::ZERO);
        // In a directory that it has come to in the end.
        replace(&bench.file, "last");
        bench.sees("last");
        replace(&bench.file, "first");
        bench.sees("first");
    }
}

#[test]
fn more_notifications_than_the_kernel_keeps() {
    let mut bench = Bench::new("overflow", "file", |root| {
        fs::write(root.join("file"), "one").unwrap();
    });
    let most = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let most: usize = most.trim().parse().unwrap();
    if most > 100_000 {
        return; // It would take too long.
    }
    let (one, two) = (bench.path("x"), bench.path("y"));
    fs::write(&one, "").unwrap();
    // Two for each of these.
    for _ in 0..most / 4 + 1 {
        fs::rename(&one, &two).unwrap();
        fs::rename(&two, &one).unwrap();
    }
    replace(&bench.file, "two");
    bench.sees("two");
    replace(&bench.file, "three");
    bench.sees("three");
}

#[test]
fn what_no_notification_tells_is_found_by_looking() {
    let mut bench = Bench::new("looks", "unused", |root| {
        for name in ["a", "b"] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("file"), name).unwrap();
        }
    });
    // Where this leads changes as a mount does: without a notification.
    let place = OwnedFd::from(File::open(bench.path("a")).unwrap());
    let other = File::open(bench.path("b")).unwrap();
    bench.file = PathBuf::from(format!("/proc/self/fd/{}/file", place.as_raw_fd()));
    let often = Duration::from_millis(20);
    let watch = FileWatch::new(&bench.file).unwrap();
    bench.watch = watch.look_every(often, often);
    // SAFETY: both are open; the first leads elsewhere from now on.
    unsafe { libc::dup3(other.as_raw_fd(), place.as_raw_fd(), libc::O_CLOEXEC) };
    bench.sees("b");
    // And what is notified still is.
    replace(&bench.path("b/file"), "c");
    bench.sees("c");
}
