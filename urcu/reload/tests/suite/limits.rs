//! Where the system's limits are reached, and where mounts change: in namespaces of a child's own.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use urcu_reload::Polling;

use crate::scratch::{NEVER, Scratch, quiet, replace, sees, text};

/// Runs a child test with its own user and mount namespace. `false`: the system does not let us.
fn in_namespaces(child: &str) -> bool {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount"])
            .args(arguments);
        command
    };
    let permitted = unshare(&["true"]).stderr(Stdio::null()).status();
    if !permitted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no namespaces here");
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let output = unshare(&[program, "--ignored", "--exact", child])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    true
}

#[test]
fn no_more_watches() {
    in_namespaces("limits::child_without_watches");
}

#[test]
#[ignore = "a child in namespaces"]
fn child_without_watches() {
    fs::write("/proc/sys/user/max_inotify_watches", "2").unwrap();
    let scratch = Scratch::new();
    let file = scratch.write("a/b/file.txt", "one");
    let config = quiet(text(&file).start().unwrap());
    assert_eq!(config.status().polling, Some(Polling::LimitReached));
    fs::write(&file, "two").unwrap();
    sees(&config, "two");
    replace(&file, "three");
    sees(&config, "three");
    // As soon as there are some, they are taken.
    fs::write("/proc/sys/user/max_inotify_watches", "1000").unwrap();
    replace(&file, "four");
    sees(&config, "four");
    crate::scratch::until("it is watched", || config.status().polling.is_none());
}

#[test]
fn no_more_instances() {
    in_namespaces("limits::child_without_instances");
}

#[test]
#[ignore = "a child in namespaces"]
fn child_without_instances() {
    fs::write("/proc/sys/user/max_inotify_instances", "0").unwrap();
    let scratch = Scratch::new();
    let file = scratch.write("file.txt", "one");
    let config = quiet(text(&file).start().unwrap());
    assert_eq!(config.status().polling, Some(Polling::LimitReached));
    replace(&file, "two");
    sees(&config, "two");
}

#[test]
fn bind_mounts() {
    in_namespaces("limits::child_with_bind_mounts");
}

#[test]
#[ignore = "a child in namespaces"]
fn child_with_bind_mounts() {
    let mount = |arguments: &[&str]| {
        assert!(
            Command::new("mount")
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
    };
    let scratch = Scratch::new();
    let (from, other) = (
        scratch.write("from/file.txt", "one"),
        scratch.write("other/file.txt", "two"),
    );
    let file = scratch.write("to/file.txt", "nothing");
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    // A file that is mounted, as containers get them.
    mount(&["--bind", &path(&from), &path(&file)]);
    let config = quiet(text(&file).poll_every(NEVER).start().unwrap());
    assert_eq!(*config.read(), "one");
    fs::write(&from, "written on the other side").unwrap();
    sees(&config, "written on the other side");
    drop(config);
    // A directory that is mounted over the one that was there: nothing is notified.
    let config = quiet(
        text(&file)
            .poll_every(Duration::from_millis(10))
            .start()
            .unwrap(),
    );
    mount(&[
        "--bind",
        &path(&scratch.path("other")),
        &path(&scratch.path("to")),
    ]);
    sees(&config, "two");
    fs::write(&other, "three").unwrap();
    sees(&config, "three");
    replace(&other, "four");
    sees(&config, "four");
    for _ in 0..2 {
        let _ = Command::new("umount")
            .args(["-l", &path(&scratch.path("to"))])
            .status();
        let _ = Command::new("umount")
            .args(["-l", &path(&file)])
            .stderr(Stdio::null())
            .status();
    }
}
