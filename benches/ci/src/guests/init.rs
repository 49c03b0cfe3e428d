//! A guest's first process. The lines of its output that the report reads begin with `GUEST`.

use super::kinds::{Arch, Guest, Runs};

const BEGIN: &str = r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo "GUEST kernel=$(uname -r)"
runs=0
# run SECONDS NAME COMMAND...
run() {
    limit=$1 name=$2 runs=$((runs + 1))
    shift 2
    read start rest </proc/uptime
    timeout -s KILL "$limit" "$@" >/tmp/out 2>&1
    rc=$?
    read end rest </proc/uptime
    sed "s/^/$name| /" /tmp/out
    echo "GUEST rc=$rc $name (from $start to $end s)"
}
# tests NAME FILTER...
tests() {
    name=$1
    shift
    run "$long" "$name" "/tests/$name" --test-threads=2 "$@"
}
"#;

const END: &str = "echo GUEST done runs=$runs\npoweroff -f\n";

/// The tests of features in which kernels differ: registration, restarts, membarrier, signals, migration,
/// fork, hotplug.
const SHORT: &str = r#"export RSEQ_OPS_STRESS_MS=300 URCU_TEST_DEADLINE=100
long=300
run 60 delays aborts-delays 2
tests rseq_ops
tests rseq-ops-suite append:: copy:: counts:: descriptors:: membarrier:: registration::own:: \
    registration::kinds:: percpu::counter:: percpu::memory:: percpu::stack::
tests suite torture:: sections:: registration:: signals:: migration:: tls:: \
    fork::other_threads:: fork::leftovers:: fork::user_code:: refusal::
"#;
const SHORT_FILTER: &str = "sections:: registration:: signals:: migration:: tls::";

const LONG: &str = r#"export RSEQ_OPS_STRESS_MS=1000 URCU_TEST_DEADLINE=200
long=900
run 60 delays aborts-delays 4
run 60 plain aborts-delays 4 20000 plain
for test in /tests/*; do
    tests "$(basename $test)" $skips
done
"#;

/// The tests that need what an initramfs does not have: a compiler, other programs.
const SKIPPED: [&str; 5] = [
    "environments::",
    "compile",
    "trybuild",
    "copies::",
    "documentation::",
];

const HOTPLUG: &str = r#"export TEST_CPU_HOTPLUG=1
for test in cpu_hotplug suite; do
    run 150 "hotplug-$test" /tests/$test hotplug --nocapture
done
"#;

const TORTURE: &str = r"for scenario in $scenarios; do
    run 200 torture-$scenario rcu-torture --seconds 2 --patience 90 --scenario $scenario
done
";

/// Returns the script.
pub(crate) fn script(guest: &Guest, short: bool) -> String {
    let body = match guest.runs {
        Runs::Tests => tests(guest.arch, short),
        // The program as shipped, without delays. During the pause the host switches single-stepping on.
        Runs::SingleStep => "sleep 2; run 120 single-step aborts 15 0\n".into(),
    };
    format!("{BEGIN}{body}{END}")
}

/// Returns the commands that run the tests. The emulated machine is slow and its host may be busy, so tests
/// with a limit get more time, and in the short form tests of many combinations spend less on each.
fn tests(arch: Arch, short: bool) -> String {
    let riscv = arch == Arch::Riscv64;
    let mut script = String::new();
    if short {
        script += SHORT;
        script += &own_registration(SHORT_FILTER);
    } else {
        let mut skipped = SKIPPED.to_vec();
        if riscv {
            // On that processor no delay makes readers notice the wrong barrier, for reasons unknown.
            skipped.push("a_barrier_that_restarts_nothing");
        }
        let skips: Vec<_> = skipped
            .iter()
            .map(|test| format!("--skip {test}"))
            .collect();
        script += &format!("skips=\"{}\"\n{LONG}", skips.join(" "));
        script += &own_registration("$skips");
    }
    // The model of scale (`benches/SCALE.md`) relies on these counts. Emulated interrupts are slow, not wrong.
    if arch == Arch::Amd64 {
        script += "run 100 counts counts --check\n";
    }
    // In qemu 7.2 the RISC-V kernel locks up when CPUs go off line and come back.
    if !riscv {
        script += HOTPLUG;
    }
    script += match (short, riscv) {
        (true, false) => {
            "scenarios='steady guards snapshots signal-storm migration-storm delay-injection per-cpu \
             mixed-readers cpu-hotplug'\n"
        }
        (true, true) => {
            "scenarios='steady guards snapshots signal-storm migration-storm delay-injection per-cpu \
             mixed-readers'\n"
        }
        (false, false) => {
            "scenarios=$(rcu-torture --list | sed '/^controls/,$d; s/^  \\([^ ]*\\).*/\\1/p; d')\n"
        }
        (false, true) => {
            "scenarios=$(rcu-torture --list | sed '/^controls/,$d; s/^  \\([^ ]*\\).*/\\1/p; d' | \
             grep -vx cpu-hotplug)\n"
        }
    };
    script + TORTURE
}

/// Returns the commands for guests whose libc does not register threads. They print the kind of registration,
/// and run the tests that depend on it; of the suite only those of the filter.
fn own_registration(filter: &str) -> String {
    format!(
        r#"export GLIBC_TUNABLES=glibc.pthread.rseq=0
run 60 own /tests/rseq-ops-suite kinds::child --include-ignored --nocapture
run "$long" own-rseq_ops /tests/rseq_ops --test-threads=2
run "$long" own-rseq-ops-suite /tests/rseq-ops-suite --test-threads=2 copy:: counts:: \
    registration:: percpu::counter:: percpu::stack:: --skip environments::
run "$long" own-suite /tests/suite --test-threads=2 {filter}
unset GLIBC_TUNABLES
"#
    )
}

#[cfg(test)]
mod tests {
    use super::script;
    use crate::guests::kinds::GUESTS;
    use std::process::Command;

    #[test]
    fn a_shell_understands_every_script() {
        for guest in &GUESTS {
            for short in [false, true] {
                let script = script(guest, short);
                let checked = Command::new("sh").args(["-n", "-c", &script]).output();
                assert!(checked.unwrap().stderr.is_empty(), "{guest}: {script}");
                assert!(script.ends_with("poweroff -f\n"));
            }
        }
    }
}
