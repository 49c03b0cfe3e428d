//! What the install command leaves behind.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::compiler::{CRATE, has_compiler, is_there, passes, scratch, skip, succeeds};

/// The program that the README shows.
fn shown() -> String {
    let readme = fs::read_to_string(format!("{CRATE}/README.md")).unwrap();
    let start = readme.find("```c\n").expect("a program in C") + 5;
    let end = start + readme[start..].find("```").expect("its end");
    readme[start..end].to_owned()
}

fn has_static_libc() -> bool {
    let output = Command::new("cc").arg("-print-file-name=libc.a").output();
    // The bare name, if there is none.
    output.is_ok_and(|output| output.stdout.contains(&b'/'))
}

fn install(variables: &[(&str, &Path)], arguments: &[&str]) {
    let mut command = Command::new(format!("{CRATE}/install"));
    command.args(arguments).envs(variables.iter().copied());
    // As this program was built: what is installed otherwise takes half a minute more.
    command.env(
        "URCU_INSTALL_PROFILE",
        if cfg!(debug_assertions) {
            "dev"
        } else {
            "release"
        },
    );
    succeeds(&mut command);
}

#[test]
fn what_pkg_config_says_after_the_install_command_builds_the_shown_program() {
    if !has_compiler() {
        return;
    }
    if !is_there("pkg-config") {
        return skip("there is no pkg-config");
    }
    let prefix = scratch(&format!("prefix-{}", std::process::id()));
    install(&[], &["--prefix", prefix.to_str().unwrap()]);
    let source = prefix.join("shown.c");
    fs::write(&source, shown()).unwrap();
    // As the README says: shared, the archive alone, and with the libc.
    let mut ways = vec![
        ("", "--cflags --libs", "-Wl,-rpath,$PWD/lib"),
        ("", "--static --cflags --libs", "-Wl,-rpath,$PWD/lib"),
        ("", "--cflags", "lib/liburcu-percpu.a"),
    ];
    match has_static_libc() {
        true => ways.push(("-static", "--static --cflags --libs", "")),
        false => skip("there is no static libc"),
    }
    for (first, question, last) in ways {
        let script = format!(
            "cc -Wall -Wextra -Werror {first} shown.c -o shown \
             $(PKG_CONFIG_PATH=lib/pkgconfig pkg-config {question} liburcu-percpu) {last}"
        );
        succeeds(
            Command::new("sh")
                .args(["-c", &script])
                .current_dir(&prefix),
        );
        passes(&prefix.join("shown"), &[]);
    }
    fs::remove_dir_all(&prefix).unwrap();
}

#[test]
fn destdir_is_where_files_go_and_not_what_they_say() {
    if !has_compiler() {
        return;
    }
    let destination = scratch(&format!("destination-{}", std::process::id()));
    install(
        &[("DESTDIR", &destination)],
        &["--prefix", "/opt/urcu", "--libdir=/opt/urcu/lib64"],
    );
    let root = destination.join("opt/urcu");
    for file in [
        "include/urcu-percpu.h",
        "include/urcu-percpu/map.h",
        "include/urcu-percpu/clear.h",
        "lib64/liburcu-percpu.a",
        "lib64/liburcu-percpu.so",
        "lib64/liburcu-percpu.so.0",
    ] {
        assert!(root.join(file).exists(), "{file}");
    }
    let pc = fs::read_to_string(root.join("lib64/pkgconfig/liburcu-percpu.pc")).unwrap();
    assert!(
        pc.contains("prefix=/opt/urcu\n") && pc.contains("libdir=/opt/urcu/lib64\n"),
        "{pc}"
    );
    fs::remove_dir_all(&destination).unwrap();
}
