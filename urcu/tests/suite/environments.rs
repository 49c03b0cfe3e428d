//! This same binary again, without this module, where rseq or membarrier is not as usual. Those that
//! are ignored here are run by `.ci/environments`.

use std::env;
use std::process::Command;
use std::time::Duration;

use rseq_ops::Owner;
use rseq_ops::registration::SUPPORTED;
use urcu_host::seccomp::Filter;

use crate::in_force;
use crate::support::{run, skip};

const WITHOUT_GLIBC: (&str, &str) = ("GLIBC_TUNABLES", "glibc.pthread.rseq=0");

fn suite(owner: Owner, membarrier: bool) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this binary"));
    command
        .args(["--skip", "environments::"])
        .env(in_force::OWNER, format!("{owner:?}"))
        .env(in_force::MEMBARRIER, if membarrier { "yes" } else { "no" });
    if env::var_os("URCU_TEST_SECONDS").is_none() {
        command.env("URCU_TEST_SECONDS", "0.1");
    }
    command
}

fn assert_passes(command: &mut Command) {
    if !SUPPORTED {
        return skip("the library of this build asks the system for neither rseq nor membarrier");
    }
    if cfg!(not(target_env = "gnu")) {
        return skip("what follows from a refusal is known for glibc only");
    }
    let (code, output) = run(command, Duration::from_secs(300));
    let failed = code != Some(0) || !output.contains("test result: ok");
    assert!(!failed, "exit code {code:?}; the output was:\n{output}");
}

#[test(330)]
fn with_a_registration_of_our_own() {
    let mut command = suite(Owner::Own, true);
    assert_passes(command.env(WITHOUT_GLIBC.0, WITHOUT_GLIBC.1));
}

#[test(330)]
#[ignore = "takes long: .ci/environments"]
fn with_rseq_and_membarrier_unknown_to_the_kernel() {
    let mut command = suite(Owner::Nobody, false);
    let calls = [libc::SYS_rseq, libc::SYS_membarrier];
    assert_passes(Filter::new(&calls, libc::ENOSYS).install_in(&mut command));
}

#[test(330)]
fn with_rseq_and_membarrier_forbidden() {
    let mut command = suite(Owner::Nobody, false);
    let calls = [libc::SYS_rseq, libc::SYS_membarrier];
    assert_passes(Filter::new(&calls, libc::EPERM).install_in(&mut command));
}

#[test(330)]
#[cfg_attr(
    rseq_ops_delay_injection,
    ignore = "no sequence runs there to be delayed"
)]
fn with_membarrier_alone_forbidden() {
    let mut command = suite(Owner::Libc, false);
    assert_passes(Filter::new(&[libc::SYS_membarrier], libc::EPERM).install_in(&mut command));
}

#[test(330)]
#[ignore = "takes long: .ci/environments"]
fn with_a_registration_of_our_own_and_membarrier_forbidden() {
    let mut command = suite(Owner::Own, false);
    command.env(WITHOUT_GLIBC.0, WITHOUT_GLIBC.1);
    assert_passes(Filter::new(&[libc::SYS_membarrier], libc::EPERM).install_in(&mut command));
}

#[test(330)]
#[ignore = "takes long: .ci/environments"]
fn with_rseq_alone_unknown_to_the_kernel() {
    let mut command = suite(Owner::Nobody, true);
    command.env(WITHOUT_GLIBC.0, WITHOUT_GLIBC.1);
    assert_passes(Filter::new(&[libc::SYS_rseq], libc::ENOSYS).install_in(&mut command));
}

/// valgrind has no rseq, looks at every access and runs one thread at a time.
#[test(330)]
fn under_valgrind() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return skip("valgrind is not installed");
    }
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=9"])
        .arg(env::current_exe().expect("the path of this binary"))
        .args(["cells::values::", "--test-threads=1"])
        .env("URCU_TEST_SECONDS", "0.05")
        .env("URCU_TEST_DEADLINE", "200");
    assert_passes(&mut command);
}
