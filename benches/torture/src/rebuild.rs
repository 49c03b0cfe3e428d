//! Rebuilds the program with delays.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::console::{Console, tell};
use crate::supervisor;

/// The flags that every compiler is given.
const DELAYS: [&str; 2] = ["--cfg", "rseq_ops_delay_injection"];

/// Has cargo build and start the program with delays, if cargo started this one. Returns only if that
/// is impossible, or if the user has interrupted it.
pub(crate) fn build_with_delays(console: &mut Console) {
    let Some(cargo) = env::var_os("CARGO") else {
        console.line("this build has no delays inside the sequences: what needs them is skipped");
        return;
    };
    let flags = DELAYS.join(" ");
    console.line(format_args!(
        "building again with RUSTFLAGS=\"{flags}\" (--no-delays prevents this)"
    ));
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
        let (variable, flags) = compiler_options(|name| env::var_os(name));
        command.env(variable, flags);
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
    console.line("the program could not be built again: what needs delays is skipped");
}

/// Returns the variable that passes compiler options to cargo, and its value with the flags for delays
/// added. Of the two variables, cargo reads the first that is set.
fn compiler_options(environment: impl Fn(&str) -> Option<OsString>) -> (&'static str, OsString) {
    let variables = [("CARGO_ENCODED_RUSTFLAGS", "\u{1f}"), ("RUSTFLAGS", " ")];
    let set = variables.map(|(name, separator)| (name, separator, environment(name)));
    let (name, separator, options) = match set {
        [encoded @ (_, _, Some(_)), _] => encoded,
        [_, plain] => plain,
    };
    let mut options = options.unwrap_or_default();
    for option in DELAYS {
        if !options.is_empty() {
            options.push(separator);
        }
        options.push(option);
    }
    (name, options)
}

#[cfg(test)]
mod tests {
    use super::compiler_options;

    #[test]
    fn options_that_there_are_are_kept() {
        let with = |variables: &[(&str, &str)]| {
            let (name, options) = compiler_options(|asked| {
                let found = variables.iter().find(|(name, _)| *name == asked);
                found.map(|(_, options)| options.into())
            });
            (name, options.into_string().unwrap())
        };
        let cfg = "--cfg rseq_ops_delay_injection";
        assert_eq!(with(&[]), ("RUSTFLAGS", cfg.into()));
        assert_eq!(
            with(&[("RUSTFLAGS", "-g")]),
            ("RUSTFLAGS", format!("-g {cfg}"))
        );
        let both = [("RUSTFLAGS", "-g"), ("CARGO_ENCODED_RUSTFLAGS", "-O")];
        let encoded = "-O\u{1f}--cfg\u{1f}rseq_ops_delay_injection";
        assert_eq!(with(&both), ("CARGO_ENCODED_RUSTFLAGS", encoded.into()));
    }
}
