//! Every way in which files change. Looks now and then are switched off where notifications have to do.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use urcu_reload::{Polling, Watched};

use crate::scratch::{NEVER, Scratch, quiet, refuses, replace, sees, text};

/// By notifications alone.
fn watch(path: impl AsRef<Path>) -> Watched<String> {
    quiet(text(path).poll_every(NEVER).start().unwrap())
}

#[test]
fn a_file_that_is_written_in_place() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = watch(&file);
    assert_eq!(config.status().polling, None, "it is watched");
    fs::write(&file, "two").unwrap();
    sees(&config, "two");
    let mut open = File::options().append(true).open(&file).unwrap();
    open.write_all(b", and more").unwrap();
    drop(open);
    sees(&config, "two, and more");
    // By another name, which is in another directory.
    fs::create_dir(scratch.path("elsewhere")).unwrap();
    fs::hard_link(&file, scratch.path("elsewhere/other")).unwrap();
    fs::write(scratch.path("elsewhere/other"), "three").unwrap();
    sees(&config, "three");
    // A writer that does not close its file is heard, too.
    let mut open = File::create(&file).unwrap();
    open.write_all(b"four").unwrap();
    sees(&config, "four");
    drop(open);
}

#[test]
fn a_file_that_is_replaced_by_a_rename_as_editors_do() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = watch(&file);
    for text in ["two", "three", "four"] {
        replace(&file, text);
        sees(&config, text);
        // Vim's way: the old one is kept by another name, and a new one written.
        fs::rename(&file, scratch.path("file.txt~")).unwrap();
        fs::write(&file, format!("{text} again")).unwrap();
        sees(&config, &format!("{text} again"));
    }
}

#[test]
fn a_file_that_is_removed_and_made_again() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = watch(&file);
    for text in ["two", "three"] {
        fs::remove_file(&file).unwrap();
        refuses(&config, "file.txt: there is no such file");
        fs::write(&file, text).unwrap();
        sees(&config, text);
        assert_eq!(config.status().error, None);
    }
    // The same content again is no new version, and no error any more.
    let version = config.version();
    fs::rename(&file, scratch.path("away")).unwrap();
    refuses(&config, "there is no such file");
    fs::rename(scratch.path("away"), &file).unwrap();
    crate::scratch::until("the error goes", || config.status().error.is_none());
    assert_eq!(config.version(), version);
}

#[test]
fn directories_that_come_and_go() {
    let scratch = Scratch::new();
    let file = scratch.write("a/b/file.txt", "one");
    let config = watch(&file);
    for round in 0..3 {
        for directory in ["a/b", "a"] {
            fs::rename(scratch.path(directory), scratch.path("away")).unwrap();
            refuses(&config, "there is no such file");
            fs::rename(scratch.path("away"), scratch.path(directory)).unwrap();
            let text = format!("{directory} is back {round}");
            replace(&file, &text);
            sees(&config, &text);
        }
        fs::remove_dir_all(scratch.path("a")).unwrap();
        refuses(&config, "there is no such file");
        let text = format!("made again {round}");
        scratch.write("a/b/file.txt", &text);
        sees(&config, &text);
    }
}

/// Publishes files as the kubelet does in a volume of a ConfigMap or a Secret: they are links to `..data/*`,
/// `..data` is a link to a directory with a time in its name, and is replaced by a rename.
fn publish(volume: &Path, number: usize, files: &[(&str, &str)]) {
    let directory = volume.join(format!("..2026_01_01_{number}"));
    let old = fs::read_link(volume.join("..data")).ok();
    fs::create_dir_all(&directory).unwrap();
    for (name, text) in files {
        fs::write(directory.join(name), text).unwrap();
    }
    symlink(directory.file_name().unwrap(), volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    for (name, _) in files {
        let _ = symlink(Path::new("..data").join(name), volume.join(name));
    }
    if let Some(old) = old {
        fs::remove_dir_all(volume.join(old)).unwrap();
    }
}

#[test]
fn a_volume_of_a_config_map_file_by_file_and_as_a_directory() {
    let scratch = Scratch::new();
    let volume = scratch.path("volume");
    publish(&volume, 0, &[("a.txt", "one"), ("b.txt", "1")]);
    let file = watch(volume.join("a.txt"));
    let both = watch(&volume);
    assert_eq!(*both.read(), "one+1");
    for number in 1..10 {
        let (a, b) = (format!("version {number}"), number.to_string());
        publish(&volume, number, &[("a.txt", &a), ("b.txt", &b)]);
        sees(&file, &a);
        sees(&both, &format!("{a}+{b}"));
    }
}

#[test]
fn links_on_the_way() {
    let scratch = Scratch::new();
    for name in ["a/deep", "b/deep"] {
        fs::create_dir_all(scratch.path(name)).unwrap();
    }
    // Of `link/..`: where it leads, not where it is.
    symlink("a/deep", scratch.path("link")).unwrap();
    symlink(scratch.path("second.txt"), scratch.path("a/first.txt")).unwrap();
    symlink("second.txt", scratch.path("b/first.txt")).unwrap();
    scratch.write("second.txt", "one");
    let config = watch(scratch.path("link/../first.txt"));
    let turn = |target: &str| {
        symlink(target, scratch.path("aside")).unwrap();
        fs::rename(scratch.path("aside"), scratch.path("link")).unwrap();
    };
    scratch.write("b/second.txt", "two");
    turn("b/deep");
    sees(&config, "two");
    replace(&scratch.path("b/second.txt"), "three");
    sees(&config, "three");
    turn("a/deep");
    sees(&config, "one");
    // A ring of links is no file, and can be left again.
    fs::remove_file(scratch.path("second.txt")).unwrap();
    symlink("second.txt", scratch.path("second.txt")).unwrap();
    refuses(&config, "cannot be read");
    fs::remove_file(scratch.path("second.txt")).unwrap();
    fs::write(scratch.path("second.txt"), "four").unwrap();
    sees(&config, "four");
}

#[test]
fn a_directory_of_files_is_one_version() {
    let scratch = Scratch::new();
    let directory = scratch.path("conf.d");
    scratch.write("conf.d/10.txt", "ten");
    let config = watch(&directory);
    scratch.write("conf.d/20.txt", "twenty");
    sees(&config, "ten+twenty");
    for ignored in [
        "conf.d/.hidden.txt",
        "conf.d/30.txt~",
        "conf.d/#40.txt#",
        "conf.d/README",
    ] {
        scratch.write(ignored, "ignored");
    }
    fs::create_dir(directory.join("50.txt")).unwrap();
    fs::write(directory.join("10.txt"), "TEN").unwrap();
    sees(&config, "TEN+twenty");
    fs::remove_file(directory.join("20.txt")).unwrap();
    sees(&config, "TEN");
    // The whole directory goes, and another comes.
    fs::rename(&directory, scratch.path("away")).unwrap();
    refuses(&config, "conf.d: there is no such file");
    scratch.write("conf.d/1.txt", "new");
    sees(&config, "new");
    symlink(scratch.path("away/10.txt"), directory.join("2.txt")).unwrap();
    sees(&config, "new+TEN");
    fs::write(scratch.path("away/10.txt"), "by a link").unwrap();
    sees(&config, "new+by a link");
}

#[test]
fn several_files_some_of_which_need_not_be_there() {
    let scratch = Scratch::new();
    let base = scratch.write("base.txt", "base");
    let (more, local) = (scratch.path("more.d"), scratch.path("not/yet/local.txt"));
    let config = text(&base)
        .and_optional(&more)
        .and_optional(&local)
        .poll_every(NEVER);
    let config = quiet(config.start().unwrap());
    assert_eq!(*config.read(), "base");
    scratch.write("not/yet/local.txt", "local");
    sees(&config, "base+local");
    scratch.write("more.d/a.txt", "more");
    sees(&config, "base+more+local");
    fs::remove_dir_all(scratch.path("not")).unwrap();
    sees(&config, "base+more");
    fs::remove_file(base).unwrap();
    refuses(&config, "base.txt: there is no such file");
    assert_eq!(*config.read(), "base+more");
}

#[test]
fn what_no_notification_tells_is_found_by_looking() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = text(&file).poll_only().poll_every(Duration::from_millis(5));
    let config = quiet(config.start().unwrap());
    assert_eq!(config.status().polling, Some(Polling::Asked));
    // Of the same length: times have to do.
    for text in ["two", "six", "ten"] {
        fs::write(&file, text).unwrap();
        sees(&config, text);
        replace(&file, "and");
        sees(&config, "and");
    }
    fs::remove_file(&file).unwrap();
    refuses(&config, "there is no such file");
    let counts = config.status().counts;
    assert!(counts.notifications == 0 && counts.looks > 0, "{counts:?}");
}

#[test]
fn where_a_mount_changes_nothing_is_notified_and_it_is_found_all_the_same() {
    let scratch = Scratch::new();
    scratch.write("a/file.txt", "one");
    scratch.write("b/file.txt", "two");
    // The target of this link changes as a mount does: without a notification.
    let place = File::open(scratch.path("a")).unwrap();
    let other = File::open(scratch.path("b")).unwrap();
    let file = std::os::fd::AsRawFd::as_raw_fd(&place);
    let config = quiet(
        text(format!("/proc/self/fd/{file}/file.txt"))
            .start()
            .unwrap(),
    );
    let place = &mut std::os::fd::OwnedFd::from(place);
    rustix::io::dup3(&other, place, rustix::io::DupFlags::CLOEXEC).unwrap();
    sees(&config, "two");
    // And what is notified still is.
    replace(&scratch.path("b/file.txt"), "three");
    sees(&config, "three");
}

#[test]
fn the_last_of_many_changes_is_never_missed() {
    let scratch = Scratch::new();
    let volume = scratch.path("volume");
    publish(&volume, 0, &[("file.txt", "one")]);
    let config = text(volume.join("file.txt"))
        .debounce(Duration::ZERO)
        .poll_every(NEVER);
    let config = quiet(config.start().unwrap());
    for round in 0..20 {
        for number in 1..20 {
            let number = round * 20 + number;
            publish(&volume, number, &[("file.txt", "in between")]);
            if number % 3 == 0 {
                fs::rename(&volume, scratch.path("away")).unwrap();
                fs::rename(scratch.path("away"), &volume).unwrap();
            }
            if number % 4 == 0 {
                replace(&volume.join("..data/file.txt"), "in between");
            }
        }
        let text = format!("the last of round {round}");
        publish(&volume, round * 20 + 20, &[("file.txt", &text)]);
        sees(&config, &text);
    }
}

#[test]
fn a_path_that_changes_while_it_is_armed_is_watched_to_its_end() {
    let scratch = Scratch::new();
    for outer in ["outer", "other"] {
        for inner in ["one", "two"] {
            scratch.write(&format!("{outer}/{inner}/file.txt"), "first");
        }
        symlink("one", scratch.path(outer).join("link")).unwrap();
        symlink("two", scratch.path(outer).join("next")).unwrap();
    }
    let exchange = |one: &str, two: &str| {
        let (one, two) = (scratch.path(one), scratch.path(two));
        let here = rustix::fs::CWD;
        rustix::fs::renameat_with(here, one, here, two, rustix::fs::RenameFlags::EXCHANGE).unwrap();
    };
    let file = scratch.path("outer/link/file.txt");
    let config = text(&file).debounce(Duration::ZERO).poll_every(NEVER);
    let config = quiet(config.start().unwrap());
    for round in 0..400 {
        exchange("outer", "other");
        // The watch is on its way through the first by now, perhaps.
        for _ in 0..2 * (round % 40) {
            exchange("outer/link", "outer/next");
        }
        let text = format!("round {round}");
        replace(&file, &text);
        sees(&config, &text);
    }
}

#[test]
fn more_notifications_than_the_kernel_keeps() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    if limit > 100_000 {
        return; // It would take too long.
    }
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = watch(&file);
    // While a hook runs nobody takes any from the queue.
    let (sender, receiver) = std::sync::mpsc::channel();
    let receiver = std::sync::Mutex::new(receiver);
    let hook = config.on_change(move |_| receiver.lock().unwrap().recv().unwrap());
    replace(&file, "two");
    sees(&config, "two");
    let (one, two) = (scratch.write("x.txt", ""), scratch.path("y.txt"));
    for _ in 0..limit / 4 + 1 {
        fs::rename(&one, &two).unwrap();
        fs::rename(&two, &one).unwrap();
    }
    replace(&file, "three");
    config.remove_hook(hook);
    sender.send(()).unwrap();
    sees(&config, "three");
}

#[test]
fn a_name_is_watched_and_not_what_else_is_in_its_directory() {
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = watch(&file);
    for number in 0..100 {
        fs::read(&file).unwrap();
        scratch.write(&format!("neighbour{number}"), "a neighbour's");
    }
    replace(&file, "two");
    sees(&config, "two");
    let counts = config.status().counts;
    assert!(counts.notifications < 10, "{counts:?}");
}
