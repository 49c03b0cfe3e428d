//! Builds the program again, with delays.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::console::{Console, tell};
use crate::supervisor;

/// If cargo has started this, has it build and start the same with delays, and does not return
/// unless that is impossible, or not wanted any more.
pub(crate) fn build_with_delays(console: &mut Console) {
    let Some(cargo) = env::var_os("CARGO") else {
        console.line("built without delays inside the sequences: what needs them is skipped");
        return;
    };
    console.line("building again with --features delay-injection (--no-delays: do not)");
    let cargo_with = |what: &str| {
        let mut command = Command::new(&cargo);
        command.args([
            what,
            "--quiet",
            "-p",
            "urcu-benches",
            "--bin",
            "rcu-torture",
        ]);
        command.args(["--features", "delay-injection"]);
        if let Some(folder) = env::var_os("CARGO_MANIFEST_DIR") {
            command
                .arg("--manifest-path")
                .arg(PathBuf::from(folder).join("Cargo.toml"));
        }
        if cfg!(not(debug_assertions)) {
            command.arg("--release");
        }
        command
    };
    let built = cargo_with("build").stdout(Stdio::null()).status();
    if supervisor::interrupted() {
        return;
    }
    if built.is_ok_and(|status| status.success()) {
        let error = cargo_with("run")
            .arg("--")
            .args(env::args_os().skip(1))
            .exec();
        tell(format_args!("rcu-torture: {error}"));
    }
    console.line("that was not possible: what needs delays is skipped");
}
